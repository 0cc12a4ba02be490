"""Stand-ins that tests script."""

from collections.abc import Callable, Sequence

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.tracking.box_tracker import BoxEstimate, View

FRAME_NS = 33_000_000


def frame(index: int = 0, *, width: int = 64, height: int = 48, stamp_ns: int | None = None, camera: str = "") -> Frame:
    """A grey frame; stamps begin at 1 s and go on at 30 Hz."""
    stamp_ns = 1_000_000_000 + index * FRAME_NS if stamp_ns is None else stamp_ns
    rgb = np.full((height, width, 3), 128, np.uint8)
    return Frame(rgb=rgb, stamp_ns=stamp_ns, camera=camera, frame_id="lens", index=index)


class ScriptedTracker:
    """Moves its box one pixel to the right a frame, and believes in it as much as the script says, then fully."""

    def __init__(self, scores: list[float] | None = None) -> None:
        self._scores = list(scores or [])
        self._box = np.zeros(4)

    def start(self, view: View, box_xyxy: Boxes) -> None:
        self._box = np.asarray(box_xyxy, np.float64)

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        self._box = self._box + np.array([1, 0, 1, 0])
        return BoxEstimate(self._box, self._scores.pop(0) if self._scores else 1.0)


BOX = np.array([10.0, 10, 30, 30])  # of the target of ScriptedTracker and ScriptedModel, in frame 0


def true_box(index: int) -> Boxes:
    """Where ScriptedTracker's target is in the frame of that index, if it was started on BOX in frame 0."""
    return BOX + np.array([index, 0, index, 0])


def found(request: ModelRequest, score: float = 0.9, **values: object) -> ModelReply:
    """The truth, as a reply."""
    boxes = np.array([true_box(frame.index) for frame in request.frames])
    return ModelReply(**{"id": request.id, "task": request.task, "status": ReplyStatus.OK, "boxes_xyxy": boxes,
                         "score": score, **values})  # fmt: skip


def said(request: ModelRequest, status: ReplyStatus, text: str = "", score: float = 0.9) -> ModelReply:
    """A reply without boxes."""
    return ModelReply(id=request.id, task=request.task, status=status, message=text, score=score)


class ScriptedModel:
    """Says what the test wants it to say: one answer after another, then the last one for ever.

    An answer is a function of the request. `asked` holds every request, `batches` their number in each call.
    """

    def __init__(
        self,
        *answers: Callable[[ModelRequest], ModelReply],
        max_frames: int = 8,
        max_requests: int = 8,
        tasks: frozenset[Task] = frozenset(Task) - {Task.DESCRIBE, Task.VERIFY},
        uses_newest_frame_only: bool = False,
        min_score: float | None = None,
    ):
        self.max_frames, self.max_requests = max_frames, max_requests
        self.tasks, self.uses_newest_frame_only, self.min_score = tasks, uses_newest_frame_only, min_score
        self.asked: list[ModelRequest] = []
        self.batches: list[int] = []
        self._answers = list(answers or [found])

    def describe(self) -> ModelDescription:
        return ModelDescription(
            name="script", family="script", tasks=self.tasks, parameters=0, memory_bytes=0, device="cpu"
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        self.batches.append(len(requests))
        replies = []
        for request in requests:
            self.asked.append(request)
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            replies.append(answer(request))
        return replies
