"""The model behind the slow loop: requests to prompts, answers to boxes in pixels."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch

from vitron_ros.backends.backend_selection import ModelBackends, select_backends
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.clip_encoder import ClipEncoder
from vitron_ros.grounding.conversation_context import with_needed_history
from vitron_ros.grounding.decoder_requests import DecoderRequests
from vitron_ros.grounding.description_check import description_request, verified
from vitron_ros.grounding.frame_tokens import FrameTokens
from vitron_ros.grounding.model_files import load_files
from vitron_ros.grounding.out_of_distribution import OutOfDistributionDetector
from vitron_ros.grounding.prompt_turns import with_needed_frames
from vitron_ros.grounding.replies import not_to_be_asked, unanswered
from vitron_ros.grounding.reply_conversion import (
    boxes_of,
    named_boxes,
    pixels,
    reply_about_all,
    status_of,
)
from vitron_ros.grounding.request import (
    IN_WORDS,
    Grounded,
    ModelDescription,
    ModelReply,
    ModelRequest,
    ReplyStatus,
    Task,
)
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.answers import Box
from vitron_ros.model.checkpoint import Checkpoint, find_checkpoint
from vitron_ros.model.decoding import Decoded, Decoder, Request
from vitron_ros.model.device import dtype_on, find_device
from vitron_ros.model.kv_cache import CacheKind
from vitron_ros.model.parsing import ParsedReply, parse_reply
from vitron_ros.model.quantise import QuantisedType, quantise

CLIP_FRAMES = 8  # that the models were trained with at most
MOST_BOXES = 8  # of an answer about a clip that are followed to its newest frame
ROWS = 8

Error = ModelError | RegionError
BoxesNow = dict[Box, Box | None]  # what an answer names to where it is in the newest frame; None: not there any more


@dataclass(slots=True, eq=False)
class _DecodedRequest:
    """A request that the model was asked: its clip as the model sees it, and the answer or what went wrong."""

    request: ModelRequest
    clip: list[FrameTokens]
    answer: Decoded | Error


class Grounder:
    """A checkpoint as the runtime's `LanguageVision`. Threads that ask at once are served one after another.

    Attributes:
        name: of the model, for messages.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        vocabulary: Vocabulary | None = None,
        ood_detector: OutOfDistributionDetector | None = None,
        parts: ModelBackends | None = None,
        rows: int = ROWS,
        cache: CacheKind = "full",
        compiled: bool = False,
        drafts: bool = True,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        Args:
            vocabulary: words that the model was taught; None: all.
            ood_detector: how the footage looked that it was trained on; None: like any.
            parts: what encodes frames and decodes answers; None: the model, by torch.
            rows: requests answered side by side.
            cache: kind of the decoder's keys and values.
            compiled: short passes go through torch.compile; the first of each shape takes long.
            drafts: boxes are guessed from those before them and checked together: fewer passes, the same answers.
            now_ns: the clock that deadlines are on.

        Raises:
            ModelError: the model does not look at single frames, or its tokenizer cannot write boxes.
        """
        model, tokenizer, _ = checkpoint
        if model.config.temporal != "frames":
            raise ModelError(
                f"the model {model.config.name} looks at clips as a whole; the runtime needs one that looks at frames"
            )
        self.name = model.config.name
        self.max_frames = min(CLIP_FRAMES, model.config.max_frames)
        self.max_requests = rows
        has_regions = model.config.region.kind != "none"
        verifies = has_regions and vocabulary is not None and vocabulary.words is not None
        self.uses_newest_frame_only = model.video is not None
        can = {Task.FOLLOW: not self.uses_newest_frame_only, Task.DESCRIBE: has_regions, Task.VERIFY: verifies}
        self.tasks = frozenset(task for task in Task if can.get(task, True))
        self.min_score: float | None = None
        self._model, self._vocabulary = model.eval(), vocabulary or Vocabulary()
        self._clips = ClipEncoder(model, backend=None if parts is None else parts.encoder, ood_detector=ood_detector)
        self._decoder_requests = DecoderRequests(checkpoint, drafts=drafts)
        self._now_ns = now_ns
        self._decoder = Decoder(
            model.language if parts is None else parts.language,
            tokenizer,
            capacity=model.config.language.max_positions,
            rows=rows,
            cache=cache,
            compiled=compiled,
            now_ns=now_ns,
        )
        self._lock, self._is_answering = threading.RLock(), False

    @property
    def is_out_of_distribution(self) -> bool:
        """Whether a camera showed what looks unlike all that the model was trained on. It is logged once."""
        return self._clips.is_out_of_distribution

    @classmethod
    def load(
        cls,
        source: str | Path,
        run: ModelRun | None = None,
        *,
        rows: int = ROWS,
        compiled: bool = False,
        drafts: bool = True,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> "Grounder":
        """A bundled model by its name, or a checkpoint directory, with what stands beside it.

        Args:
            run: where and how; None: on the CPU, as it is. Compiled decoding is torch's, whatever the backend.

        Raises:
            ConfigError: there is no such backend.
            ModelError: there is no such model, it cannot be read, the backend, unless auto, cannot be used, or such
                weights or such a cache cannot be had here.
        """
        run = run or ModelRun()
        device = find_device(run.device)
        directory = find_checkpoint(source)
        checkpoint, vocabulary, ood_detector = load_files(directory, device=device, dtype=dtype_on(device))
        if run.weights != "full":
            quantise(checkpoint.model, cast(QuantisedType, run.weights))
        is_small = run.weights != "full" or run.cache != "full"
        parts = select_backends(checkpoint.model.eval(), run.backend, torch_decodes=is_small)
        if compiled:
            parts = replace(parts, language=checkpoint.model.language)
        return cls(
            checkpoint,
            vocabulary=vocabulary,
            ood_detector=ood_detector,
            parts=parts,
            rows=rows,
            cache=cast(CacheKind, run.cache),
            compiled=compiled,
            drafts=drafts,
            now_ns=now_ns,
        )

    def describe(self) -> ModelDescription:
        weights = list(self._model.parameters())
        return ModelDescription(
            name=self.name,
            family="vitron",
            tasks=self.tasks,
            parameters=sum(weight.numel() for weight in weights),
            memory_bytes=sum(weight.nbytes for weight in weights),
            device=str(weights[0].device),
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers side by side, in the order of the requests; see `LanguageVision`."""
        with self._lock:
            if self._is_answering:
                raise ModelError(f"{self.name} is asked from a callback of its own answer; ask when that has ended")
            self._is_answering = True
            try:
                replies = self._replies([description_request(request) for request in requests])
                return [verified(*pair) for pair in zip(requests, replies, strict=True)]
            finally:
                self._is_answering = False

    @torch.inference_mode()
    def _replies(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        begin = time.perf_counter()
        kept = self._model.config.history
        requests = [with_needed_history(with_needed_frames(request), kept) for request in requests]
        requests = [replace(request, text=self._vocabulary.respelled(request.text)) for request in requests]
        refusals = [self._refuse(request) for request in requests]
        wanted = [request for request, refusal in zip(requests, refusals, strict=True) if refusal is None]
        asked = [self._clips.shown(request) for request in wanted]
        clips = self._clips(asked)
        prompts = [self._prompt(request, clip) for request, clip in zip(asked, clips, strict=True)]
        decoded = [_DecodedRequest(*parts) for parts in zip(asked, clips, self._decode(prompts), strict=True)]
        boxes_now = self._track_named_boxes(decoded)
        seconds = time.perf_counter() - begin
        replies = iter([self._make_reply(item, boxes, seconds) for item, boxes in zip(decoded, boxes_now, strict=True)])
        made = [next(replies) if refusal is None else refusal for refusal in refusals]
        return [reply_about_all(reply, request.frames) for reply, request in zip(made, requests, strict=True)]

    def _refuse(self, request: ModelRequest) -> ModelReply | None:
        """The reply to a request that the model need not see."""
        refusal = not_to_be_asked(request, self.name, self.max_frames, self._now_ns)
        if refusal is not None:
            return refusal
        unknown = () if request.task is Task.FOLLOW else self._vocabulary.unknown(request.text)
        if unknown:
            words = ", ".join(f'"{word}"' for word in unknown)
            known = ", ".join(f'"{near}"' for near in map(self._vocabulary.near, unknown) if near)
            hint = f"did you mean {known}?" if known else "its model card says what it knows"
            return self._unanswered(request, ReplyStatus.UNKNOWN, f"{self.name} was never taught {words}; {hint}")
        return None

    def _prompt(self, request: ModelRequest, clip: Sequence[FrameTokens]) -> Request | Error:
        """What the decoder is asked for a request, or why it cannot be."""
        try:
            return self._checked(self._decoder_requests.answer(request, clip))
        except (ModelError, RegionError) as error:
            return error

    def _prompt_to_follow(self, item: _DecodedRequest, box: Box) -> Request | Error:
        """What it is asked to find what an answer names in the newest frame."""
        try:
            return self._checked(self._decoder_requests.follow(item.request, item.clip, box))
        except ModelError as error:
            return error

    def _checked(self, request: Request) -> Request:
        """Raises ModelError where the decoder cannot take it."""
        self._decoder.check(request)
        return request

    def _decode(self, prompts: Sequence[Request | Error]) -> list[Decoded | Error]:
        """Answers, as many side by side as there are rows, and one by one where that fails; errors as they are."""
        waiting = [prompt for prompt in prompts if isinstance(prompt, Request)]
        answers: list[Decoded | Error] = []
        for first in range(0, len(waiting), self.max_requests):
            batch = waiting[first : first + self.max_requests]
            try:
                answers += self._decoder.decode(batch)
            except ModelError as error:
                answers += [error] if len(batch) == 1 else [answer for one in batch for answer in self._decode([one])]
        rest = iter(answers)
        return [next(rest) if isinstance(prompt, Request) else prompt for prompt in prompts]

    def _track_named_boxes(self, decoded: Sequence[_DecodedRequest]) -> list[BoxesNow]:
        """The boxes that each answer in words names, as they are in the newest frame.

        In training such a box is that of a clip's first frame, so that it is followed from there, by a model that can.
        An item that is cut off meanwhile ends so.
        """
        boxes_now: list[BoxesNow] = [{} for _ in decoded]
        followed: list[tuple[int, Box]] = []
        for index, item in enumerate(decoded):
            if item.request.task is not Task.ASK or not isinstance(item.answer, Decoded):
                continue
            if item.answer.finish in ("stop", "length"):
                boxes = named_boxes(parse_reply(item.answer.text))[:MOST_BOXES]
                if len(item.clip) == 1:
                    boxes_now[index] = {box: box for box in boxes}
                elif Task.FOLLOW in self.tasks:
                    followed += [(index, box) for box in boxes]
        prompts = [self._prompt_to_follow(decoded[index], box) for index, box in followed]
        for (index, box), answer in zip(followed, self._decode(prompts), strict=True):
            item = decoded[index]
            if isinstance(answer, Decoded) and isinstance(item.answer, Decoded):
                boxes_now[index][box] = parse_reply(answer.text).frames.get(len(item.clip))
                if answer.finish in ("cancelled", "deadline", "failed"):
                    item.answer = replace(item.answer, finish=answer.finish, error=answer.error)
            else:
                item.answer = answer
        return boxes_now

    def _make_reply(self, item: _DecodedRequest, boxes_now: BoxesNow, seconds: float) -> ModelReply:
        """The reply that an answer gives."""
        request, answer = item.request, item.answer
        if not isinstance(answer, Decoded):
            return replace(self._unanswered(request, ReplyStatus.FAILED, str(answer)), seconds=seconds)
        reply, is_asked = parse_reply(answer.text), request.task in IN_WORDS
        status, message = status_of(request.task, answer.finish, reply, len(item.clip)), answer.error
        invocation = reply.invocation if request.task is Task.ASK and status is ReplyStatus.OK else None
        if invocation is not None and invocation.region is not None:
            region = boxes_now.get(invocation.region)
            invocation = None if region is None else replace(invocation, region=region)
            if region is None:
                status, message = (
                    ReplyStatus.ABSENT,
                    f"{self.name} does not see in the newest image what this is to be done to",
                )
        if status is ReplyStatus.UNREADABLE:
            message = f"{self.name} gave a reply that cannot be read: {answer.text!r}"
        is_answer = status in (ReplyStatus.OK, ReplyStatus.ABSENT)
        grids = [one.kept for one in item.clip if one.kept is not None]
        return replace(
            self._unanswered(request, status, message),
            text=reply.text if is_asked else answer.text,
            boxes_xyxy=boxes_of(reply, request.frames) if is_answer and not is_asked else None,
            score=answer.confidence if is_answer else 0.0,
            grounded=_grounded(reply, boxes_now, request.frames) if is_answer and is_asked else (),
            invocation=invocation,
            kept=np.stack(grids) if len(grids) == len(item.clip) else None,
            seconds=seconds,
        )

    def _unanswered(self, request: ModelRequest, status: ReplyStatus, message: str = "") -> ModelReply:
        usual = {
            ReplyStatus.ABSENT: f"{self.name} does not see it",
            ReplyStatus.CANCELLED: "the request was cancelled",
            ReplyStatus.DEADLINE: f"{self.name} did not answer in time",
        }
        return unanswered(request, status, message or usual.get(status, ""))


def _grounded(reply: ParsedReply, boxes_now: BoxesNow, frames: Sequence[Frame]) -> tuple[Grounded, ...]:
    """The boxes of an answer in words, in the newest frame."""
    found = [(item.label, boxes_now.get(item.box)) for item in reply.boxes]
    found.append(("", reply.frames.get(len(frames))))
    return tuple(Grounded(label=label, box_xyxy=pixels(box, frames[-1])) for label, box in found if box is not None)
