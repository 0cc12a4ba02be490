"""What the families share that write text by transformers: loading, and requests that end each by itself."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from transformers import AutoModelForImageTextToText

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError, RegionError
from vitron_ros.grounding.families.generation import Generated, make_greedy
from vitron_ros.grounding.families.pretrained import check_options, description
from vitron_ros.grounding.replies import not_to_be_asked, unanswered
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.device import find_device
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.transformers_directory import load_image_processor, load_pretrained, load_tokenizer

MAX_FRAMES = 8
MAX_NEW_TOKENS = 512
LEGACY_TEMPLATE = "chat_template.json"

Model = TypeVar("Model", bound="TextModel")


class TextModel(ABC):
    """A checkpoint as the runtime's `LanguageVision`, which writes one answer at a time.

    Attributes:
        name: for messages.
        max_new_tokens: of one answer.
    """

    tasks: frozenset[Task]
    uses_newest_frame_only = True
    max_frames = MAX_FRAMES
    max_requests = 1
    min_score: float | None = None

    def __init__(
        self,
        model: Any,
        image_processor: Any,
        tokenizer: Any,
        description: ModelDescription,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        Args:
            model, image_processor, tokenizer: of transformers.
            now_ns: the clock that deadlines are on.

        Raises:
            ModelError: a part is not of this family, or lacks something.
        """
        self.name, self.max_new_tokens = description.name, max_new_tokens
        self._model, self._image_processor, self._tokenizer = model, image_processor, tokenizer
        self._description, self._now_ns = description, now_ns
        make_greedy(model)
        self._prepare()

    @classmethod
    def load(
        cls: type[Model],
        source: str | Path,
        run: ModelRun,
        *,
        max_new_tokens: int = MAX_NEW_TOKENS,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> Model:
        """The model in a directory, in either of the two layouts of its processor.

        Raises:
            ConfigError: an option that only vitron's own layout has.
            ModelError: a part is missing or damaged, or the device cannot hold it.
        """
        directory, device = Path(source), find_device(run.device)
        check_options(run)
        images = load_image_processor(directory)
        tokenizer = load_tokenizer(directory)
        legacy = directory / LEGACY_TEMPLATE
        if not tokenizer.chat_template and is_file(legacy):
            tokenizer.chat_template = read_json(legacy).get("chat_template")
        model = load_pretrained(AutoModelForImageTextToText, directory, device)
        what = description(model, directory, model.config.model_type, cls.tasks)
        return cls(model, images, tokenizer, what, max_new_tokens=max_new_tokens, now_ns=now_ns)

    def describe(self) -> ModelDescription:
        """What it is; see `LanguageVision`."""
        return self._description

    @torch.inference_mode()
    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers one after the other; see `LanguageVision`."""
        return [self._timed(request) for request in requests]

    @abstractmethod
    def _prepare(self) -> None:
        """What a family takes from the model's parts, before the first request.

        Raises:
            ModelError: a part is not of this family, or lacks something.
        """

    @abstractmethod
    def _answer(self, request: ModelRequest) -> ModelReply:
        """The reply to a request that is still wanted.

        Raises:
            ModelError, RegionError: it cannot be asked; that costs this request alone.
        """

    def _timed(self, request: ModelRequest) -> ModelReply:
        begin = time.perf_counter()
        reply = not_to_be_asked(request, self.name, MAX_FRAMES, self._now_ns)
        try:
            reply = reply or self._answer(request)
        except (ModelError, RegionError) as error:
            reply = unanswered(request, ReplyStatus.FAILED, str(error))
        return replace(reply, seconds=time.perf_counter() - begin)

    def _cut_off(self, request: ModelRequest, said: Generated) -> ModelReply | None:
        """The reply to a request whose text was ended from outside; None: it ended by itself, or at its last token."""
        if said.finish == "cancelled":
            return unanswered(request, ReplyStatus.CANCELLED, "the request was cancelled")
        if said.finish == "deadline":
            return unanswered(request, ReplyStatus.DEADLINE, f"{self.name} did not answer in time")
        return unanswered(request, ReplyStatus.FAILED, said.error) if said.finish == "failed" else None
