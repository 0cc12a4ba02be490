"""A model that knows the demo's bag by its colours; `python -m tests.ros.colour_model` is a perception node with it."""

import sys
from collections.abc import Sequence

import cv2
import numpy as np

from vitron_ros.boxes import Boxes, iou, norm_from_xyxy
from vitron_ros.frame import Image
from vitron_ros.grounding.request import ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module

HUES = {"red": (174, 186), "purple": (132, 146), "green": (52, 68)}  # of OpenCV, 0..180 and round again
TARGETS = {
    "the small red ring": "red",
    "the purple mug": "purple",
    "the object that comes back after hiding": "purple",
    "the green star": "green",
}
MIN_AREA = 400  # px


def find(rgb: Image, colour: str) -> Boxes:
    """The box of the smallest patch of a colour; NaN where there is none."""
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2HSV).astype(int)
    low, high = HUES[colour]
    hue = np.where(hsv[..., 0] < low - 90, hsv[..., 0] + 180, hsv[..., 0])
    mask = ((hue >= low) & (hue <= high) & (hsv[..., 1] > 120) & (hsv[..., 2] > 60)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    _, _, patches, _ = cv2.connectedComponentsWithStats(mask)
    patches = [patch for patch in patches[1:] if patch[cv2.CC_STAT_AREA] >= MIN_AREA]
    if not patches:
        return np.full(4, np.nan)
    x, y, width, height, _ = min(patches, key=lambda patch: patch[cv2.CC_STAT_AREA])
    return np.array([x, y, x + width, y + height], np.float64)


class ColourModel:
    max_frames, max_requests = 8, 8
    tasks = frozenset(Task) - {Task.DESCRIBE, Task.VERIFY}
    uses_newest_frame_only, min_score = False, None

    def describe(self) -> ModelDescription:
        return ModelDescription(
            name="colours", family="colours", tasks=self.tasks, parameters=0, memory_bytes=0, device="cpu"
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        return [self._answer(request) for request in requests]

    def _answer(self, request: ModelRequest) -> ModelReply:
        known = {"id": request.id, "task": request.task, "score": 0.95}
        if request.task is Task.ASK:
            frame = request.frames[-1]
            if "blue square" in request.text:
                return ModelReply(status=ReplyStatus.OK, text="a yellow heart", **known)
            box = norm_from_xyxy(find(frame.rgb, "green"), frame.width, frame.height)
            invocation = Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: green star",), tuple(box.tolist()))
            return ModelReply(status=ReplyStatus.OK, text="I will cut it out.", invocation=invocation, **known)
        colour = TARGETS.get(request.text) or self._colour_in(request)
        boxes = np.array([find(frame.rgb, colour) for frame in request.frames])
        status = ReplyStatus.ABSENT if np.isnan(boxes).all() else ReplyStatus.OK
        return ModelReply(status=status, boxes_xyxy=boxes, **known)

    def _colour_in(self, request: ModelRequest) -> str:
        """That of the target which lies in the request's box."""
        return max(HUES, key=lambda name: np.nan_to_num(iou(find(request.frames[0].rgb, name), request.box_xyxy)))


if __name__ == "__main__":
    from vitron_ros.ros.perception_node import PerceptionNode  # the model alone needs no ROS
    from vitron_ros.ros.run import run_node

    sys.exit(run_node(lambda: PerceptionNode(lambda name, run: ColourModel())))
