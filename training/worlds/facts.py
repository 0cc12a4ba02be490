"""Three-valued predicates about a clip: certainly true, certainly false, or too close to call.

Truth is one of NO < MAYBE < YES, so "and" is a minimum and "or" a maximum. Language states certainties alone: an
expression is used only where one object is YES and all others NO, or where all are NO. The rules, with side = the
shorter side of the image, centres of whole boxes (occluded parts included) in the image, and apparent sizes:

present     YES from 40 % of the object visible, NO up to 2 %.
size        small below 0.175 of side, medium 0.185-0.275, large from 0.285; and as the object was made.
position    two objects differ along an axis from 0.06 of side; nearer than that is MAYBE.
left of     centre farther left by 0.08 of side and by 0.6 of the vertical distance; NO if not left at all.
largest     1.15 times as large as any other of its kind.
moves left  by 0.10 of side in the image and relative to the background, at least twice as far as up or down, and on the
            whole path (90 % of its length); not moving: within 0.03 of side of the first position, relative to the
            background.
            Motion is MAYBE for objects that are visible in less than half the frames.
comes back  visible, then not, then visible again; leaves: visible at first, not at the end; appears: the reverse.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.worlds.clip import Clip, ObjectSpec

Truth = NDArray[np.int8]
Array = NDArray[np.float64]

NO, MAYBE, YES = 0, 1, 2

SEEN, UNSEEN = 0.40, 0.02
SIZE_LIMITS = {"small": (0.0, 0.175), "medium": (0.185, 0.275), "large": (0.285, np.inf)}
POSITION_MARGIN = 0.06
RELATION_MARGIN, RELATION_SLOPE = 0.08, 0.6
LARGEST_RATIO = 1.15
MOVE_MIN, STILL_MAX, PATH_SHARE = 0.10, 0.03, 0.90
AXIS_OF = {"left": (0, -1), "right": (0, 1), "up": (1, -1), "down": (1, 1)}
"""Axis (0 is x, 1 is y, down) and sign of each direction."""


@dataclass(frozen=True, slots=True, eq=False)
class SceneView:
    """What an expression is evaluated on.

    Attributes:
        objects: the N objects.
        present: (N,) whether each can be referred to.
        placed: (N,) whether each is visible in the frame that positions refer to; equals `present` in an image.
        centres: (N, 2) in sides, in that frame.
        sizes: (N,) in sides, in that frame.
        motions: truth (N,) of every direction, "still", "returns", "leaves" and "appears"; empty for an image.
    """

    objects: tuple[ObjectSpec, ...]
    present: Truth
    placed: Truth
    centres: Array
    sizes: Array
    motions: dict[str, Truth]

    @property
    def is_settled(self) -> bool:
        """Whether the presence of every object is certain."""
        return not bool((self.present == MAYBE).any())


def graded(yes: NDArray[np.bool_], no: NDArray[np.bool_]) -> Truth:
    """YES where yes, NO where no, else MAYBE."""
    return np.where(yes, YES, np.where(no, NO, MAYBE)).astype(np.int8)


def seen(visible: Array) -> Truth:
    """Truth of "is visible" by the visible share."""
    return graded(visible >= SEEN, visible <= UNSEEN)


def image_view(clip: Clip, frame: int) -> SceneView:
    """One frame of a clip as an image."""
    present = seen(clip.visible[frame])
    return SceneView(clip.objects, present, present, _centres(clip)[frame], _sizes(clip)[frame], {})


def video_view(clip: Clip, frame: int = 0) -> SceneView:
    """A clip; positions and sizes refer to one frame, the by default the first."""
    present = seen(clip.visible.max(axis=0))
    placed = seen(clip.visible[frame])
    return SceneView(clip.objects, present, placed, _centres(clip)[frame], _sizes(clip)[frame], _motions(clip))


def _side(clip: Clip) -> int:
    return min(clip.height, clip.width)


def _centres(clip: Clip) -> Array:
    boxes = clip.full_boxes_xyxy
    return np.asarray((boxes[..., :2] + boxes[..., 2:]) / 2 / _side(clip))


def _sizes(clip: Clip) -> Array:
    return np.asarray(clip.scales / _side(clip))


def _motions(clip: Clip) -> dict[str, Truth]:
    shown, gone = clip.visible >= SEEN, clip.visible <= UNSEEN
    is_mostly_visible = shown.mean(axis=0) >= 0.5
    picture, world = _centres(clip), clip.world_centers
    result = {}
    for direction, (axis, sign) in AXIS_OF.items():
        truths = []
        for path in (picture, world):
            displacement = path[-1] - path[0]
            ahead, aside = displacement[:, axis] * sign, np.abs(displacement[:, 1 - axis])
            length = np.abs(np.diff(path[..., axis], axis=0)).sum(axis=0)
            yes = (ahead >= MOVE_MIN) & (ahead >= 2 * aside) & (ahead >= PATH_SHARE * length)
            no = (ahead <= 0) & ((np.diff(path[..., axis], axis=0) * sign).max(axis=0) <= STILL_MAX / 3)
            truths.append(graded(yes, no))
        both = graded((truths[0] == YES) & (truths[1] == YES), (truths[0] == NO) & (truths[1] == NO))
        result[direction] = np.where(is_mostly_visible, both, MAYBE).astype(np.int8)
    reach = np.linalg.norm(world - world[0], axis=-1).max(axis=0)
    result["still"] = np.where(is_mostly_visible, graded(reach <= STILL_MAX, reach >= MOVE_MIN), MAYBE).astype(np.int8)
    first, last = seen(clip.visible[0]), seen(clip.visible[-1])
    result["leaves"] = np.minimum(first, YES - last).astype(np.int8)
    result["appears"] = np.minimum(YES - first, last).astype(np.int8)
    result["returns"] = graded(_returns(shown, gone), _returns(~gone, ~shown) == 0)
    return result


def _returns(shown: NDArray[np.bool_], gone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each object is shown, later gone, and later shown again. (T, N) each; (N,)."""
    before = np.maximum.accumulate(shown, axis=0)
    after = np.maximum.accumulate(shown[::-1], axis=0)[::-1]
    return np.asarray((before & gone & after).any(axis=0))
