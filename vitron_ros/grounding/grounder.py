"""The model behind the slow loop: requests to prompts, answers to boxes in pixels."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vitron_ros.boxes import Boxes, norm_from_xyxy, xyxy_from_norm
from vitron_ros.errors import ModelError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.familiarity import Familiarity
from vitron_ros.grounding.frame_tokens import FrameEncoder, FrameTokens
from vitron_ros.grounding.request import Grounded, ModelReply, ModelRequest, Status, Task
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.answers import Box, one_box_text
from vitron_ros.model.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from vitron_ros.model.decoding import Decoded, Decoder, Request
from vitron_ros.model.grammar import State, box_grammar, track_grammar
from vitron_ros.model.parsing import ParsedReply, parse_reply
from vitron_ros.model.parsing import Status as Reading
from vitron_ros.model.prompts import Turn
from vitron_ros.model.region import MarkedRegion

logger = logging.getLogger(__name__)

CLIP_FRAMES = 8  # that the models were trained with at most
ALIKE = 5  # numbers of a box, in hundredths, whose probability counts with the number that was said
FIRST_FRAMES = 16  # of a camera, of which most must look familiar
ROWS = 8


class Grounder:
    """A checkpoint as the runtime's `LanguageVision`. Used by one thread.

    Attributes:
        name: of the model, for messages.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        vocabulary: Vocabulary | None = None,
        familiarity: Familiarity | None = None,
        rows: int = ROWS,
        compiled: bool = False,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        Raises:
            ModelError: the model does not look at video frame by frame.
        """
        model, tokenizer, prompts = checkpoint
        if model.video is not None or model.config.temporal != "frames":
            raise ModelError(
                f"the model {model.config.name} looks at clips as a whole; the runtime needs one that looks at frames"
            )
        self.name = model.config.name
        self.max_frames = min(CLIP_FRAMES, model.config.max_frames)
        self.max_requests = rows
        self._model, self._tokenizer, self._prompts = model.eval(), tokenizer, prompts
        self._vocabulary, self._familiarity = vocabulary or Vocabulary(), familiarity
        self._encode = FrameEncoder(model)
        self._decoder = Decoder(
            model.language,
            tokenizer,
            capacity=model.config.language.max_positions,
            rows=rows,
            compiled=compiled,
            now_ns=now_ns,
        )
        self._alike = alike_numbers([ids[0] for ids in tokenizer.number_ids() if len(ids) == 1])
        self._seen: Counter[tuple[str, bool]] = Counter()
        self._has_warned = False

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        device: torch.device | str = "cpu",
        rows: int = ROWS,
        compiled: bool = False,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> "Grounder":
        """A bundled model by its name, or a checkpoint directory, with what stands beside it.

        Raises:
            ModelError: there is no such model, or it cannot be read.
        """
        is_cpu = torch.device(device).type == "cpu"
        directory = find_checkpoint(source)
        checkpoint = load_checkpoint(directory, device=device, dtype=torch.float32 if is_cpu else None)
        return cls(
            checkpoint,
            vocabulary=Vocabulary.load(directory),
            familiarity=Familiarity.load(directory),
            rows=rows,
            compiled=compiled,
            now_ns=now_ns,
        )

    @torch.inference_mode()
    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers side by side, in the order of the requests; see `LanguageVision`."""
        begin = time.perf_counter()
        replies: dict[int, ModelReply] = {}
        asked: list[tuple[int, list[FrameTokens], Request]] = []
        for index, request in enumerate(requests):
            try:
                frames, prepared = self._prepare(request)
                asked.append((index, frames, prepared))
            except (ModelError, RegionError) as error:
                replies[index] = self._failed(request, str(error))
            except _UnknownError as error:
                replies[index] = self._failed(request, str(error), Status.UNKNOWN)
        for first in range(0, len(asked), self.max_requests):
            batch = asked[first : first + self.max_requests]
            try:
                answers = self._decoder.decode([prepared for _, _, prepared in batch])
            except ModelError as error:
                replies |= {index: self._failed(requests[index], str(error)) for index, _, _ in batch}
                continue
            for (index, frames, _), answer in zip(batch, answers, strict=True):
                replies[index] = self._read(requests[index], frames, answer, time.perf_counter() - begin)
        return [replies[index] for index in range(len(requests))]

    def _prepare(self, request: ModelRequest) -> tuple[list[FrameTokens], Request]:
        if not 0 < len(request.frames) <= self.max_frames:
            raise ModelError(f"{len(request.frames)} frames; this model takes 1 to {self.max_frames} of a clip")
        unknown = self._vocabulary.unknown(request.text)
        if unknown:
            words = ", ".join(f'"{word}"' for word in unknown)
            raise _UnknownError(f"{self.name} was never taught {words}; its model card says what it knows")
        if request.task is not Task.FOLLOW and not request.text.strip():
            raise ModelError("the text is empty; say what to find or to answer")
        frames = self._encode(request.frames)
        self._look(frames)
        turns = (*self._history(request), self._turn(request))
        embeds = self._model.splice(
            self._prompts.build(turns), torch.stack([one.tokens for one in frames]), self._regions(request, frames[-1])
        )
        return frames, Request(
            embeds=embeds,
            max_new_tokens=self._model.config.generation.max_new_tokens,
            deadline_ns=request.deadline_ns,
            grammar=self._grammar(request),
            is_cancelled=request.is_cancelled,
            alike=self._alike,
            on_text=request.on_text,
        )

    def _turn(self, request: ModelRequest) -> Turn:
        count, first = len(request.frames), request.frames[0]
        if request.task is Task.FIND:
            return Turn(task="rec" if count == 1 else "rsot", text=request.text, images=count)
        if request.task is Task.ASK:
            task = "vqa" if count == 1 else "video_qa"
            return Turn(task=task, text=request.text, images=count, regions=len(request.regions))
        if request.box_xyxy is None:
            raise ModelError("FOLLOW needs the box of the target in the first frame")
        return Turn(task="sot", images=count, box=_fractions(request.box_xyxy, first))

    @staticmethod
    def _history(request: ModelRequest) -> list[Turn]:
        """Earlier turns as text; what they were about, by its box, as in training."""
        newest = request.frames[-1]
        return [
            Turn(
                task="conversation",
                text=turn.question,
                answer=turn.reply if turn.box_xyxy is None else one_box_text(_fractions(turn.box_xyxy, newest)),
            )
            for turn in request.history
        ]

    def _regions(self, request: ModelRequest, newest: FrameTokens) -> Tensor | None:
        if not request.regions:
            return None
        width, height = newest.frame.width, newest.frame.height
        marked = [MarkedRegion(region=region, width=width, height=height) for region in request.regions]
        return self._model.region_tokens(newest.features, marked)

    def _grammar(self, request: ModelRequest) -> State | None:
        if request.task is Task.ASK:
            return None
        if request.task is Task.FIND and len(request.frames) == 1:
            return box_grammar(self._tokenizer)
        return track_grammar(self._tokenizer, len(request.frames))

    def _read(self, request: ModelRequest, frames: list[FrameTokens], answer: Decoded, seconds: float) -> ModelReply:
        reply = parse_reply(answer.text)
        newest = request.frames[-1]
        is_asked = request.task is Task.ASK
        boxes = None if is_asked else _boxes(reply, request.frames)
        status, message = self._status(answer, reply, boxes)
        grids = [one.kept for one in frames if one.kept is not None]
        return ModelReply(
            id=request.id,
            task=request.task,
            status=status,
            stamps_ns=tuple(frame.stamp_ns for frame in request.frames),
            message=message,
            text=answer.text,
            boxes_xyxy=boxes if status in (Status.OK, Status.ABSENT) else None,
            score=answer.confidence,
            grounded=tuple(
                Grounded(label=item.label, box_xyxy=_pixels(item.box, newest)) for item in reply.boxes if is_asked
            ),
            invocation=reply.invocation if is_asked else None,
            kept=np.stack(grids) if len(grids) == len(frames) else None,
            seconds=seconds,
        )

    def _status(self, answer: Decoded, reply: ParsedReply, boxes: Boxes | None) -> tuple[Status, str]:
        if answer.finish == "cancelled":
            return Status.CANCELLED, "the request was cancelled"
        if answer.finish == "deadline":
            return Status.DEADLINE, f"{self.name} did not answer in time"
        unreadable = f"{self.name} gave a reply that cannot be read: {answer.text!r}"
        if reply.status in (Reading.EMPTY, Reading.MALFORMED):
            return Status.UNREADABLE, unreadable
        if boxes is None or np.isfinite(boxes).all(axis=1).any():
            return Status.OK, ""
        if reply.is_absent or any(box is None for box in reply.frames.values()):
            return Status.ABSENT, f"{self.name} does not see it"
        return Status.UNREADABLE, unreadable

    def _failed(self, request: ModelRequest, message: str, status: Status = Status.FAILED) -> ModelReply:
        stamps = tuple(frame.stamp_ns for frame in request.frames)
        return ModelReply(id=request.id, task=request.task, status=status, stamps_ns=stamps, message=message)

    def _look(self, frames: Sequence[FrameTokens]) -> None:
        """Warns once where a camera's first frames look unlike all that the model was trained on."""
        if self._familiarity is None or self._has_warned:
            return
        for one in frames:
            camera = one.frame.camera
            if self._seen[camera, True] + self._seen[camera, False] >= FIRST_FRAMES:
                continue
            self._seen[camera, bool(self._familiarity.knows(one.look[None])[0])] += 1
            if self._seen[camera, False] > FIRST_FRAMES // 2:
                self._has_warned = True
                logger.warning(
                    "this footage looks unlike all that %s was trained on; expect wrong answers, or use another model",
                    self.name,
                )


class _UnknownError(Exception):
    """A request outside what the model knows."""


def alike_numbers(number_ids: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For the token of each number of 0..100 those of the numbers around it."""
    return {
        token: tuple(number_ids[max(0, number - ALIKE) : number + ALIKE + 1]) for number, token in enumerate(number_ids)
    }


def _boxes(reply: ParsedReply, frames: Sequence[Frame]) -> Boxes:
    """The boxes (T, 4) px of a track or of one image; NaN where there is none."""
    if len(frames) == 1 and not reply.frames:
        found = [reply.boxes[0].box if reply.boxes else None]
    else:
        found = [reply.frames.get(number + 1) for number in range(len(frames))]
    missing = np.full(4, np.nan)
    return np.stack([missing if box is None else _pixels(box, frame) for box, frame in zip(found, frames, strict=True)])


def _pixels(box: Box, frame: Frame) -> Boxes:
    return np.asarray(xyxy_from_norm(box, frame.width, frame.height))


def _fractions(box_xyxy: Boxes, frame: Frame) -> Box:
    x1, y1, x2, y2 = np.clip(norm_from_xyxy(box_xyxy, frame.width, frame.height), 0, 1).tolist()
    return x1, y1, x2, y2
