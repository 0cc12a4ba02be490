"""Open-vocabulary detectors as a `LanguageVision`: boxes for a phrase in the newest image, and nothing else.

A detector's score says how alike a box and a phrase are. It is no probability, so each model has a cut-off of its own,
and what a phrase describes is absent where nothing reaches it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from transformers import AutoModelForZeroShotObjectDetection

from vitron_ros.config import ModelRun
from vitron_ros.grounding.families.detections import Detections, candidates, inside, normalised
from vitron_ros.grounding.families.pretrained import check_options, description
from vitron_ros.grounding.replies import not_to_be_asked, unanswered
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.device import find_device
from vitron_ros.model.files import quoted
from vitron_ros.model.transformers_directory import load_image_processor, load_pretrained, load_tokenizer, read_part

FINDS = frozenset([Task.FIND])
CLIP_FRAMES = 8  # of one request; all but the newest are there for models that look at motion
IMAGES = 8  # in one pass


class Network(Protocol):
    """A detector as it was published. Images are (H, W, 3) uint8 RGB.

    Attributes:
        min_score: from which a box counts.
    """

    @property
    def min_score(self) -> float: ...

    def worded(self, phrase: str) -> tuple[str, str]:
        """What the network is given of a phrase in lower case, and the words that do not fit."""
        ...

    def detect(self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]) -> list[Detections]:
        """What each image shows of its text. The images are of one size."""
        ...


class Detector:
    """A network that finds what phrases describe."""

    tasks = FINDS
    max_frames = CLIP_FRAMES
    max_requests = IMAGES
    uses_newest_frame_only = True

    def __init__(
        self, network: Network, description: ModelDescription, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """
        Args:
            now_ns: the clock that deadlines are on.
        """
        self.min_score: float | None = network.min_score
        self._network, self._description, self._now_ns = network, description, now_ns

    def describe(self) -> ModelDescription:
        return self._description

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """All that are still wanted, side by side; see `LanguageVision`. ABSENT has the score 1 less the best box's."""
        begin = time.perf_counter()
        replies = [not_to_be_asked(request, self._description.name, CLIP_FRAMES, self._now_ns) for request in requests]
        asked = [request for request, reply in zip(requests, replies, strict=True) if reply is None]
        texts = [self._network.worded(normalised(request.text)) for request in asked]
        images = [request.frames[-1].rgb for request in asked]
        found = self._detect(images, [text for text, _ in texts])
        seconds = time.perf_counter() - begin
        answers = iter(zip(asked, found, texts, strict=True))
        return [self._reply(*next(answers), seconds) if reply is None else reply for reply in replies]

    def _detect(self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]) -> list[Detections]:
        """One pass for all images of a size: padded to one size, an image's boxes would depend on its neighbours."""
        found: dict[int, Detections] = {}
        for size in dict.fromkeys(image.shape for image in images):
            places = [place for place, image in enumerate(images) if image.shape == size]
            seen = self._network.detect([images[place] for place in places], [texts[place] for place in places])
            found.update(zip(places, seen, strict=True))
        return [found[place] for place in range(len(images))]

    def _reply(self, request: ModelRequest, found: Detections, text: tuple[str, str], seconds: float) -> ModelReply:
        if not found.are_finite:
            problem = f"{self._description.name} gave boxes or scores that are not numbers"
            return unanswered(request, ReplyStatus.UNREADABLE, problem)
        newest = request.frames[-1]
        found = inside(found, newest.width, newest.height)
        kept = candidates(found, self._network.min_score)
        best = float(found.scores.max(initial=0.0))
        is_there = len(kept.scores) > 0
        boxes = np.full((len(request.frames), 4), np.nan)
        if is_there:
            boxes[-1] = kept.boxes_xyxy[0]
        said = ("" if is_there else self._absence(text[0], best), self._left_out(*text))
        return replace(
            unanswered(request, ReplyStatus.OK if is_there else ReplyStatus.ABSENT, "; ".join(filter(None, said))),
            boxes_xyxy=boxes if is_there else None,
            candidates_xyxy=kept.boxes_xyxy,
            candidate_scores=kept.scores,
            score=float(kept.scores[0]) if is_there else 1 - best,
            seconds=seconds,
        )

    def _absence(self, shown: str, best: float) -> str:
        needed = self._network.min_score
        return f"{self._description.name} sees no {quoted(shown)}: the best score is {best:.2f} of {needed:g}"

    def _left_out(self, shown: str, rest: str) -> str:
        return f"{self._description.name} looked for {quoted(shown)} without {quoted(rest)}, too long" if rest else ""


def load_detector(network: Callable[[Any, Any, Any], Network], directory: Path, run: ModelRun) -> Detector:
    """The detector in a directory, in either of the two layouts of its processor.

    Args:
        network: of a model, an image processor and a tokenizer.

    Raises:
        ConfigError: an option that only vitron's own layout has.
        ModelError: a part is missing or damaged, or needs a package that is not installed.
    """
    device = find_device(run.device)
    check_options(run)
    images = load_image_processor(directory)
    tokenizer = load_tokenizer(directory)
    model = load_pretrained(AutoModelForZeroShotObjectDetection, directory, device)
    detector = network(model, images, tokenizer)
    blank = np.zeros((32, 32, 3), np.uint8)  # what does not fit together shows in a first pass
    read_part("detector", directory, lambda: detector.detect([blank], [detector.worded("thing")[0]]))
    return Detector(detector, description(model, directory, model.config.model_type, FINDS))
