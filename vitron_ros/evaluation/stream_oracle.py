"""A model that knows the truth, but for what it is told to get wrong: what the runtime makes of a good model."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vitron_ros.boxes import Boxes, area, iou
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.stream_clips import StreamTruth
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Roi, Task
from vitron_ros.streaming.roi_crop import corner

SEEN_SHARE = 0.2  # from which it sees an object
FOLLOWED_IOU = 0.3  # of a box in the first frame with an object, to know which one is meant
SCORE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleErrors:
    """How it errs.

    Attributes:
        noise: deviation of every edge of a box, in sides of the box.
        miss: probability that it says "none" instead of what it sees, for a whole reply.
        mistake: probability that it shows another object, for a whole reply.
    """

    noise: float = 0.06
    miss: float = 0.1
    mistake: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.noise < 1 or not 0 <= self.miss <= 1 or not 0 <= self.mistake <= 1 - self.miss:
            raise ConfigError(f"noise is below 1, and miss and mistake are probabilities up to 1 in all, not {self}")


class OracleModel:
    """The truth of one clip as a `LanguageVision`. The same request gets the same reply, whenever it comes."""

    max_frames = 8
    max_requests = 8
    tasks = frozenset((Task.FIND, Task.FOLLOW))
    uses_newest_frame_only = False
    min_score: float | None = None

    def __init__(self, truth: StreamTruth, errors: OracleErrors) -> None:
        self._truth, self._errors = truth, errors
        self._objects = {target.phrase: target.object for target in truth.targets}

    def describe(self) -> ModelDescription:
        return ModelDescription(
            name="oracle", family="oracle", tasks=self.tasks, parameters=0, memory_bytes=0, device="cpu"
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers FIND for the phrases of the clip's targets, and FOLLOW; whatever else is UNKNOWN."""
        return [self._reply(request) for request in requests]

    def _reply(self, request: ModelRequest) -> ModelReply:
        frames = [frame.index for frame in request.frames]
        target = self._meant(request, frames[0])
        if request.task is Task.ASK or (request.task is Task.FIND and target is None):
            return _said(request, ReplyStatus.UNKNOWN, "the oracle knows the phrases of its clip alone")
        rng = np.random.Generator(np.random.PCG64(zlib.crc32(f"{request.text} {target} {frames}".encode())))
        luck = float(rng.random())
        if target is None or luck < self._errors.miss:
            return _said(request, ReplyStatus.ABSENT, "none")
        if luck < self._errors.miss + self._errors.mistake:
            target = int(rng.integers(len(self._truth.labels)))
        boxes = self._boxes(target, frames, rng)
        if request.roi_xyxy is not None:
            boxes = _shown(boxes, request.roi_xyxy)
        if not np.isfinite(boxes).any():
            return _said(request, ReplyStatus.ABSENT, "none")
        return ModelReply(
            id=request.id,
            task=request.task,
            status=ReplyStatus.OK,
            stamps_ns=tuple(frame.stamp_ns for frame in request.frames),
            boxes_xyxy=boxes,
            score=SCORE,
        )

    def _meant(self, request: ModelRequest, first: int) -> int | None:
        if request.box_xyxy is None:
            return self._objects.get(request.text)
        whole = request.box_xyxy if request.roi_xyxy is None else request.box_xyxy + corner(request.roi_xyxy)
        overlap = iou(np.nan_to_num(self._truth.boxes_xyxy[first]), whole)
        best = int(overlap.argmax())
        return best if overlap[best] >= FOLLOWED_IOU else None

    def _boxes(self, target: int, frames: Sequence[int], rng: np.random.Generator) -> Boxes:
        """(T, 4), NaN where the target is not seen."""
        boxes = self._truth.boxes_xyxy[frames, target]
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        blurred = boxes + np.clip(rng.normal(0, self._errors.noise, boxes.shape), -0.45, 0.45) * sides
        return np.where(self._truth.visible[frames, target, None] >= SEEN_SHARE, blurred, np.nan)


def _shown(boxes_xyxy: Boxes, roi_xyxy: Roi) -> Boxes:
    """What of boxes (T, 4) px is seen in a window, in its pixels; NaN where nothing is."""
    x_min, y_min, x_max, y_max = roi_xyxy
    shown = np.clip(boxes_xyxy, [x_min, y_min, x_min, y_min], [x_max, y_max, x_max, y_max])
    return np.where(area(shown)[:, None] > 0, shown - corner(roi_xyxy), np.nan)


def _said(request: ModelRequest, status: ReplyStatus, text: str) -> ModelReply:
    stamps_ns = tuple(frame.stamp_ns for frame in request.frames)
    score = SCORE if status is ReplyStatus.ABSENT else 0.0
    return ModelReply(
        id=request.id, task=request.task, status=status, stamps_ns=stamps_ns, message=text, text=text, score=score
    )
