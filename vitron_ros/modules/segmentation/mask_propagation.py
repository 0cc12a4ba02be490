"""A mask carried through a clip, frame by frame, without weights.

Dense flow carries the mask on. Its colours, motion against the surroundings, and GrabCut in a band about its edge
correct it. A box tracker and the object's usual shape put it back where it was lost.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, clip
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame, Image
from vitron_ros.modules.segmentation.colour_mask import grey
from vitron_ros.modules.segmentation.grab_cut import cut_labels, grab_cut
from vitron_ros.modules.segmentation.motion_evidence import flow_evidence
from vitron_ros.modules.segmentation.parts import without_specks
from vitron_ros.tracking.appearance import ColourModel, colour_bins, histogram
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.default_tracker import DefaultTracker
from vitron_ros.tracking.soft_mask import Flags, SoftMask, bounding_box, guided_filter, is_inside, logit, sigmoid

MAX_SIDE_PX = 427
SHAPE_PX = 48
MIN_SCORE = 0.3  # of the tracker, from which its box counts
BOX_MARGIN = 0.075  # of the box's sides
OUTSIDE = 0.25  # what remains of the mask beyond
MIN_COVER = 0.12  # of the box by the mask; below, the usual shape takes over
SHAPE_WEIGHT = 0.15
COLOUR_WEIGHT = 1.0
MOTION_WEIGHT = 0.7
MOTION_MARGIN_PX = 4  # about the mask: not yet its surroundings
BAND = 0.04  # of the mean side of the mask: where its edge may be
WEIGHTS = (0.3, 0.3, 0.2, 0.2)  # of the carried mask, GrabCut in the band, GrabCut by colour, and colour
COLOUR_RATE = 0.08
SHAPE_RATE = 0.1


class MaskPropagation:
    """Follows one object from its mask in a first frame. All frames are of one size, in order of time."""

    def __init__(self, frame: Frame, mask: Flags) -> None:
        """mask: (H, W).

        Raises:
            RegionError: the mask is empty.
        """
        if not mask.any():
            raise RegionError("there is no object to follow: its first mask is empty")
        self._tracker = DefaultTracker()
        self._tracker.start(View(frame), bounding_box(mask))
        scale = min(1.0, MAX_SIDE_PX / max(frame.width, frame.height))
        self._size = max(16, round(frame.width * scale)), max(16, round(frame.height * scale))
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grid = np.stack(np.meshgrid(*map(np.arange, self._size)), axis=-1).astype(np.float32)
        self._last = self._small(frame.rgb)
        self._likely: SoftMask = cv2.resize(mask.astype(np.float32), self._size, interpolation=cv2.INTER_AREA)
        part = _window(self._likely > 0.5) if (self._likely > 0.5).any() else np.s_[:, :]
        bins, likely = _lab_bins(self._last[part]), self._likely[part]
        first = histogram(bins, likely), histogram(bins, 1 - likely)
        self._first_colours, self._colours = ColourModel(*first), ColourModel(*first)
        self._shape = np.ones((SHAPE_PX, SHAPE_PX), np.float32)
        self._learn_shape(rate=1.0)

    def step(self, frame: Frame, box_xyxy: Boxes | None = None) -> Flags:
        """The mask in the next frame, (H, W); empty where nothing of the object is seen.

        box_xyxy: (4,) px, where a track says that the object is; None: look for it.
        """
        rgb = self._small(frame.rgb)
        now, last = (cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (rgb, self._last))
        back = self._flow.calc(now, last, None)
        self._last = rgb
        carried = cv2.remap(self._likely, self._grid + back, None, cv2.INTER_LINEAR)
        self._likely = cv2.GaussianBlur(carried, (0, 0), 0.7)
        if box_xyxy is None:
            estimate = self._tracker.step(View(frame))
            box_xyxy = estimate.box_xyxy if estimate.score > MIN_SCORE else None
        if box_xyxy is not None:
            self._hold_to(box_xyxy * np.tile(self._size, 2) / np.tile([frame.width, frame.height], 2))
        if (self._likely > 0.5).any():
            self._refit(rgb, self._motion(back))
        return np.asarray(cv2.resize(self._likely, (frame.width, frame.height)) > 0.5)

    def _hold_to(self, box: Boxes) -> None:
        """Weaken the mask outside the box (4,) px of the mask; inside, draw it towards the usual shape."""
        margin = BOX_MARGIN * np.tile(box[2:] - box[:2], 2) * [-1, -1, 1, 1]
        self._likely *= np.where(is_inside(box + margin, *self._size), 1, OUTSIDE).astype(np.float32)
        left, top, right, bottom = np.round(clip(box, *self._size)).astype(int)
        if right <= left or bottom <= top:
            return
        part = self._likely[top:bottom, left:right]
        shape = cv2.resize(self._shape, (right - left, bottom - top))
        if (part > 0.5).mean() < MIN_COVER:
            part[:] = np.maximum(part, 0.8 * shape)
        else:
            part += SHAPE_WEIGHT * (shape - part)

    def _motion(self, back: SoftMask) -> SoftMask:
        """Log odds of each pixel by its motion, 0 where it is not known."""
        side = 2 * MOTION_MARGIN_PX + 1
        is_near = cv2.dilate((self._likely > 0.3).astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        evidence = flow_evidence(back, is_near)
        return np.zeros_like(self._likely) if evidence is None else MOTION_WEIGHT * evidence

    def _refit(self, rgb: Image, motion: SoftMask) -> None:
        part = _window(self._likely > 0.5)
        image, carried = np.ascontiguousarray(rgb[part]), self._likely[part]
        bins = _lab_bins(image)
        evidence = (self._colours.evidence(bins) + self._first_colours.evidence(bins)) / 2
        odds = logit(cv2.GaussianBlur(carried, (0, 0), 2)) + COLOUR_WEIGHT * evidence + motion[part]
        coloured = guided_filter(sigmoid(odds), grey(image), radius=4, epsilon=1e-3)
        banded = grab_cut(image, _band_labels(carried), rounds=2)
        cut = grab_cut(image, cut_labels(coloured, coloured < 0.06, coloured > 0.92), rounds=1)
        views = [carried, banded, cut, coloured]
        likely = without_specks(np.average(np.stack(views), axis=0, weights=WEIGHTS).astype(np.float32))
        self._likely = np.zeros_like(self._likely)
        self._likely[part] = likely
        target, surroundings = (histogram(bins, sure.astype(np.float64)) for sure in (likely > 0.7, likely < 0.3))
        self._colours.learn(target, surroundings, COLOUR_RATE)
        self._learn_shape(SHAPE_RATE)

    def _learn_shape(self, rate: float) -> None:
        if (self._likely > 0.5).any():
            left, top, right, bottom = bounding_box(self._likely > 0.5).astype(int)
            part = self._likely[top:bottom, left:right]
            self._shape += rate * (cv2.resize(part, (SHAPE_PX, SHAPE_PX), interpolation=cv2.INTER_AREA) - self._shape)

    def _small(self, rgb: Image) -> Image:
        return np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA), np.uint8)


def _window(is_object: Flags) -> tuple[slice, slice]:
    """Rows and columns of a mask (H, W) with its surroundings."""
    left, top, right, bottom = bounding_box(is_object).astype(int)
    margin = round(0.5 * float(np.sqrt(is_object.sum()))) + 6
    return np.s_[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]


def _lab_bins(rgb: Image) -> NDArray[np.int32]:
    return colour_bins(np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB), np.uint8))


def _band_labels(likely: SoftMask) -> NDArray[np.uint8]:
    is_object = (likely > 0.5).astype(np.uint8)
    band = max(2, round(BAND * float(np.sqrt(is_object.sum()))))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * band + 1, 2 * band + 1))
    return cut_labels(likely, cv2.dilate(is_object, disk) == 0, cv2.erode(is_object, disk) > 0)
