"""SAM 2 and EdgeTAM as a `LanguageVision`: they follow a box through a clip, and do nothing else."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitron_ros.boxes import check_box
from vitron_ros.config import ModelRun
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.families.pretrained import check_options, description
from vitron_ros.grounding.replies import not_to_be_asked, unanswered
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.device import find_device
from vitron_ros.model.object_mask import ObjectMask
from vitron_ros.model.sam2 import EncodedImage, Sam2Network, Sam2Object
from vitron_ros.region import Region

FOLLOWS = frozenset([Task.FOLLOW])
CLIP_FRAMES = 8  # of one request
REQUESTS = 4  # of one call, one after another


class Sam2:
    """A network that follows what is in a box."""

    tasks = FOLLOWS
    max_frames = CLIP_FRAMES
    max_requests = REQUESTS
    uses_newest_frame_only = False
    min_score: float | None = None

    def __init__(
        self, network: Sam2Network, description: ModelDescription, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """now_ns: the clock that deadlines are on."""
        self._network, self._description, self._now_ns = network, description, now_ns

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "Sam2":
        """The model in a directory; see `Family.load`."""
        check_options(run)
        directory = Path(source)
        network = Sam2Network.load(directory, find_device(run.device))
        return cls(network, description(network.model, directory, network.model.config.model_type, FOLLOWS))

    def describe(self) -> ModelDescription:
        return self._description

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """One after another; what several clips show is encoded once. See `LanguageVision`.

        The score is how probable it is that the target is where, or absent as, the boxes say: a geometric mean.
        """
        images = _Images(self._network, requests)
        return [self._follow(request, images) for request in requests]

    def _follow(self, request: ModelRequest, images: "_Images") -> ModelReply:
        begin = time.perf_counter()
        if (reply := self._not_wanted(request)) is not None:
            return reply
        if request.box_xyxy is None:
            return unanswered(request, ReplyStatus.FAILED, "FOLLOW needs the box of the target in the first frame")
        first, *later = request.frames
        try:
            box = check_box(request.box_xyxy, first.width, first.height)
        except RegionError as error:
            return unanswered(request, ReplyStatus.FAILED, str(error))
        target = Sam2Object(self._network, images.encoded(first), Region.from_box(box))
        seen = [target.newest]
        for frame in later:
            if (reply := self._not_wanted(request)) is not None:
                return reply
            seen.append(target.step(images.encoded(frame)))
        return self._reply(request, seen, time.perf_counter() - begin)

    def _not_wanted(self, request: ModelRequest) -> ModelReply | None:
        return not_to_be_asked(request, self._description.name, CLIP_FRAMES, self._now_ns)

    def _reply(self, request: ModelRequest, seen: Sequence[ObjectMask], seconds: float) -> ModelReply:
        boxes = np.array([np.full(4, np.nan) if mask.box_xyxy is None else mask.box_xyxy for mask in seen])
        if not all(np.isfinite(mask.score) for mask in seen):
            problem = f"{self._description.name} gave scores that are not numbers"
            return unanswered(request, ReplyStatus.UNREADABLE, problem)
        is_there = bool(np.isfinite(boxes).any())
        certainty = [mask.score if mask.box_xyxy is not None else 1 - mask.score for mask in seen]
        message = "" if is_there else f"{self._description.name} sees the target in none of the frames"
        return replace(
            unanswered(request, ReplyStatus.OK if is_there else ReplyStatus.ABSENT, message),
            boxes_xyxy=boxes if is_there else None,
            score=float(np.exp(np.mean(np.log(np.maximum(certainty, 1e-9))))),
            seconds=seconds,
        )


class _Images:
    """The images of some requests as the network sees them. Each is kept until the last of its requests has had it."""

    def __init__(self, network: Sam2Network, requests: Sequence[ModelRequest]) -> None:
        self._network = network
        self._wanted = Counter(id(frame.rgb) for request in requests for frame in request.frames)
        self._kept: dict[int, EncodedImage] = {}

    def encoded(self, frame: Frame) -> EncodedImage:
        key = id(frame.rgb)
        image = self._kept.pop(key, None) or self._network.encode(frame.rgb)
        self._wanted[key] -= 1
        if self._wanted[key]:
            self._kept[key] = image
        return image
