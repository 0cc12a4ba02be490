"""Florence-2: boxes for a phrase as location tokens, and the description of a region. It answers no free questions.

It has no word for "not there", so that what it says is judged by how sure it is of the place: see `sureness`.

Shapes: S tokens, L = 1000 location tokens of each side of the image.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families import chat
from vitron_ros.grounding.families.box_text import FLORENCE2, read_boxes, write_boxes
from vitron_ros.grounding.families.generation import Generated, generate
from vitron_ros.grounding.families.text_model import TextModel
from vitron_ros.grounding.replies import unanswered
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.files import quoted

LOCATIONS = 1000
NEAR = 25  # locations to either side, that count as the same place: 2.5 % of the image
DESCRIBE_PROMPT = "What does the region {box} describe?"


class Florence2(TextModel):
    """Florence-2."""

    tasks = frozenset({Task.FIND, Task.DESCRIBE})

    def _prepare(self) -> None:
        tokenizer = self._tokenizer
        ids = tokenizer.convert_tokens_to_ids([f"<loc_{number}>" for number in range(LOCATIONS)])
        if len(set(ids)) < LOCATIONS:
            raise ModelError(f"the tokenizer of {self.name} lacks the location tokens; fetch a converted model")
        self._locations = {token: number for number, token in enumerate(ids)}
        self._location_ids = torch.tensor(ids)  # (L,)
        count = getattr(self._image_processor, "image_seq_length", None)
        if not isinstance(count, int):
            raise ModelError(f"the image processor of {self.name} has no image_seq_length; fetch a converted model")
        image = tokenizer.convert_ids_to_tokens(self._model.config.image_token_id)
        self._lead = image * count + (tokenizer.bos_token or "")

    def _answer(self, request: ModelRequest) -> ModelReply:
        frame, is_find = request.frames[-1], request.task is Task.FIND
        if is_find:
            prompt = FLORENCE2.prompt.format(phrase=chat.plain(request.text))
        else:
            box = request.regions[0].bounding_box(frame.width, frame.height)
            prompt = DESCRIBE_PROMPT.format(box=write_boxes([box], [""], FLORENCE2, (frame.width, frame.height)))
        said = self._say(request, prompt)
        if (ended := self._cut_off(request, said)) is not None:
            return ended
        if is_find:
            return self._found(request, said)
        return chat.answered(request, self.name, said.text, said.score, FLORENCE2)

    def _found(self, request: ModelRequest, said: Generated) -> ModelReply:
        boxes, scores, locations = self._boxes(request.frames[-1], said)
        if len(boxes):
            order = np.argsort(-scores, kind="stable")
            return chat.with_candidates(request, said.text, boxes[order], scores[order])
        if not locations and said.finish == "stop":
            return unanswered(request, ReplyStatus.ABSENT, f"{self.name} does not see it")
        return unanswered(
            request, ReplyStatus.UNREADABLE, f"{self.name} gave a reply that cannot be read: {quoted(said.text)}"
        )

    def _boxes(self, frame: Frame, said: Generated) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
        """Boxes (N, 4) px, their scores (N,) and how many location tokens there were."""
        boxes, scores = [np.empty((0, 4))], []
        places = [step for step, token in enumerate(said.tokens) if token in self._locations]
        for four in _fours(places):
            numbers = [self._locations[said.tokens[step]] for step in four]
            box = read_boxes(FLORENCE2.write(numbers, ""), FLORENCE2, (frame.width, frame.height)).boxes_xyxy
            boxes.append(box)
            scores += [sureness(said.watched[four], numbers)] * len(box)
        return np.concatenate(boxes), np.array(scores), len(places)

    def _say(self, request: ModelRequest, prompt: str) -> Generated:
        text = self._lead + prompt + self._tokenizer.eos_token
        ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]  # (1, S)
        room = self._model.config.text_config.max_position_embeddings
        if ids.shape[1] > room:
            raise ModelError(f"the prompt has {ids.shape[1]} tokens, {self.name} takes {room}; say it in fewer words")
        image = np.ascontiguousarray(request.frames[-1].rgb)
        pixels = self._image_processor(images=[image], return_tensors="pt")["pixel_values"]
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pixel_values": pixels}
        is_find = request.task is Task.FIND  # of which location tokens are kept
        return generate(
            self._model,
            {name: values.to(self._model.device) for name, values in inputs.items()},
            request,
            decode=lambda tokens: str(self._tokenizer.decode(tokens, skip_special_tokens=not is_find)),
            max_new_tokens=min(self.max_new_tokens, room - 1),
            watch=self._location_ids,
            say=None if is_find else request.on_text,
            now_ns=self._now_ns,
        )


def sureness(probabilities: Tensor, numbers: Sequence[int]) -> float:
    """How sure a model is of a box: the geometric mean over its numbers of the probability of any that is near.

    Args:
        probabilities: (4, L) of all numbers in place of each of the four.
        numbers: the four that were said.
    """
    near = [float(row[max(0, at - NEAR) : at + NEAR + 1].sum()) for row, at in zip(probabilities, numbers, strict=True)]
    return min(1.0, float(np.prod(near) ** (1 / len(near))))


def _fours(places: Sequence[int]) -> list[list[int]]:
    """Runs of consecutive places, each in groups of four; what is left of a run is no box."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return [run[first : first + 4] for run in runs for first in range(0, len(run) - 3, 4)]
