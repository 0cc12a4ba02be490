"""Qwen2.5-VL, Qwen3-VL and Qwen3.5: boxes as JSON text, free answers, conversations, several still images.

Only still images are used, put together with the text here: the processors of these families want torchvision for
videos even where there is none.

Shapes: N images, S tokens.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.errors import ModelError
from vitron_ros.frame import Image
from vitron_ros.grounding.families import chat
from vitron_ros.grounding.families.box_text import QWEN2_5_VL, QWEN3_VL, BoxDialect, Size, read_boxes
from vitron_ros.grounding.families.generation import Generated, generate
from vitron_ros.grounding.families.text_model import TextModel
from vitron_ros.grounding.request import ModelReply, ModelRequest, Task

DIALECTS: dict[str, BoxDialect] = {"qwen2_5_vl": QWEN2_5_VL, "qwen3_vl": QWEN3_VL, "qwen3_5": QWEN3_VL}
MAX_PIXELS = 1280 * 28 * 28  # that an image is shown with at most: a prompt of some 1300 tokens
IMAGE = "<|image_pad|>"


class QwenVL(TextModel):
    """Qwen2.5-VL, Qwen3-VL or Qwen3.5."""

    tasks = frozenset({Task.FIND, Task.ASK, Task.DESCRIBE, Task.VERIFY})

    def _prepare(self) -> None:
        tokenizer = self._tokenizer
        self._last: tuple[Image, dict[str, Tensor]] | None = None
        self._dialect = DIALECTS[self._description.family]
        self._image_id = self._model.config.image_token_id
        if tokenizer.convert_tokens_to_ids(IMAGE) != self._image_id:
            raise ModelError(f"the tokenizer of {self.name} does not know the token for images; fetch the model again")
        if not tokenizer.chat_template:
            raise ModelError(f"{self.name} has no chat template; fetch its chat_template.jinja or chat_template.json")
        self._yes, self._no = (self._beginnings(words) for words in (chat.YES, chat.NO))
        if set(self._yes) & set(self._no):
            raise ModelError(f'the tokenizer of {self.name} begins "yes" and "no" alike, so that absence goes unseen')
        size = dict(self._image_processor.size)
        self._image_processor.size = {**size, "longest_edge": min(size["longest_edge"], MAX_PIXELS)}

    def _answer(self, request: ModelRequest) -> ModelReply:
        if request.task is Task.FIND:
            return self._find(request)
        if request.task is Task.VERIFY:
            shown = self._presence(request, chat.verify_messages(request))
            return chat.verified(request, self.name, shown) if isinstance(shown, float) else shown
        return self._choose(request) if request.choices else self._say_in_words(request)

    def _presence(self, request: ModelRequest, messages: Sequence[chat.Message]) -> float | ModelReply:
        """The probability of "yes" against "no", or the reply if the request ended before."""
        likely = self._probabilities(request, messages, [*self._yes, *self._no])
        return float(likely[: len(self._yes)].sum()) if isinstance(likely, np.ndarray) else likely

    def _choose(self, request: ModelRequest) -> ModelReply:
        """The likeliest of the choices."""
        seen = self._seen(request.frames[-1].rgb)
        first = [self._tokenizer.encode(choice, add_special_tokens=False)[0] for choice in request.choices]
        likely = self._probabilities(request, chat.ask_messages(request, self._dialect, seen), first)
        if not isinstance(likely, np.ndarray):
            return likely
        best = int(likely.argmax())
        return chat.answered(request, self.name, request.choices[best], float(likely[best]), self._dialect, seen)

    def _probabilities(
        self, request: ModelRequest, messages: Sequence[chat.Message], tokens: Sequence[int]
    ) -> NDArray[np.float64] | ModelReply:
        """How likely an answer begins with each of some tokens (N,), against the others; or the reply if it ended."""
        said = self._say(request, messages, 1, watch=torch.tensor(tokens))
        if (ended := self._cut_off(request, said)) is not None:
            return ended
        likely = said.watched[0].double().numpy()
        return np.asarray(likely / max(likely.sum(), 1e-9))

    def _find(self, request: ModelRequest) -> ModelReply:
        presence = self._presence(request, chat.presence_messages(request))
        if not isinstance(presence, float):
            return presence
        if presence < 0.5:
            return chat.absent(request, self.name, presence)
        said = self._say(request, chat.find_messages(request, self._dialect), self.max_new_tokens)
        if (ended := self._cut_off(request, said)) is not None:
            return ended
        newest = request.frames[-1]
        size, seen = (newest.width, newest.height), self._seen(newest.rgb)
        reading = read_boxes(chat.visible_text(said.text), self._dialect, size, seen)
        return chat.found(request, self.name, said.text, reading, presence)

    def _say_in_words(self, request: ModelRequest) -> ModelReply:
        seen = self._seen(request.frames[-1].rgb)
        if request.task is Task.ASK:
            messages = chat.ask_messages(request, self._dialect, seen)
        else:
            messages = chat.describe_messages(request)
        hear = request.on_text
        say = None if hear is None else lambda text: hear(chat.visible_text(text))
        said = self._say(request, messages, self.max_new_tokens, say=say)
        if (ended := self._cut_off(request, said)) is not None:
            return ended
        reply = chat.answered(request, self.name, said.text, said.score, self._dialect, seen)
        if said.finish == "length" and not reply.message:
            return replace(reply, message=f"the answer was cut at {self.max_new_tokens} tokens")
        return reply

    def _say(
        self,
        request: ModelRequest,
        messages: Sequence[chat.Message],
        max_new_tokens: int,
        *,
        watch: Tensor | None = None,
        say: Callable[[str], None] | None = None,
    ) -> Generated:
        return generate(
            self._model,
            self._inputs(messages),
            request,
            decode=lambda tokens: str(self._tokenizer.decode(tokens, skip_special_tokens=True)),
            max_new_tokens=max_new_tokens,
            watch=watch,
            say=say,
            now_ns=self._now_ns,
        )

    def _inputs(self, messages: Sequence[chat.Message]) -> dict[str, Tensor]:
        """A conversation as the model takes it.

        Raises:
            ModelError: it is too long, or an image is too narrow.
        """
        images = [part for message in messages for part in message.content if not isinstance(part, str)]
        seen = [self._preprocess(image) for image in images]
        counts = [int(one["image_grid_thw"].prod()) // self._image_processor.merge_size**2 for one in seen]
        first, *rest = self._template(messages).split(IMAGE)
        text = first + "".join(IMAGE * count + part for count, part in zip(counts, rest, strict=True))
        ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]  # (1, S)
        room = self._model.config.get_text_config().max_position_embeddings - self.max_new_tokens
        if ids.shape[1] > room:
            raise ModelError(f"the conversation has {ids.shape[1]} tokens, {self.name} takes {room}; begin a new one")
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == self._image_id).long(),
            **{name: torch.cat([one[name] for one in seen]) for name in ("pixel_values", "image_grid_thw")},
        }
        return {name: values.to(self._model.device) for name, values in inputs.items()}

    def _template(self, messages: Sequence[chat.Message]) -> str:
        conversation = [
            {
                "role": message.role,
                "content": [
                    {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}
                    for part in message.content
                ],
            }
            for message in messages
        ]
        return str(
            self._tokenizer.apply_chat_template(
                conversation, tokenize=False, add_generation_prompt=True, enable_thinking=False
            )
        )

    def _preprocess(self, image: Image) -> dict[str, Tensor]:
        """The patches of an image and their grid. The last one is kept: several questions are asked of a frame."""
        if self._last is None or self._last[0] is not image:
            try:
                values = self._image_processor(images=[np.ascontiguousarray(image)], return_tensors="pt")
            except ValueError as error:  # of one that is 200 times as long as wide
                raise ModelError(f"{self.name} cannot take this image: {error}") from error
            self._last = (image, dict(values))
        return self._last[1]

    def _seen(self, image: Image) -> Size:
        """Width and height of an image after the model's own resizing, px."""
        _, rows, columns = self._preprocess(image)["image_grid_thw"][0].tolist()
        patch = self._image_processor.patch_size
        return columns * patch, rows * patch

    def _beginnings(self, words: Sequence[str]) -> list[int]:
        """The tokens that any of these words begins with."""
        return sorted({self._tokenizer.encode(word, add_special_tokens=False)[0] for word in words})
