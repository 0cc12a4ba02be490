"""Which pixels of a crop belong to the target, and the box that they ask for.

Each pixel carries a probability. In every frame the last silhouette, moved along with the target, is weighed against
the colours, against which of two motions (the target's or its surroundings') a pixel follows, and against the target's
usual shape; a guided filter (He et al., ECCV 2010) then draws the result to the edges of the image.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center
from vitron_ros.masks import CroppedMask, covered_pixels
from vitron_ros.tracking.appearance import ColourModel, Histogram, histogram, shrink_bins
from vitron_ros.tracking.crop import CROP_PX, MASK_PX, Crop, Mask
from vitron_ros.tracking.motion import FLOW_STEP_PX, Flow, Similarity
from vitron_ros.tracking.soft_mask import Flags, elliptic_radius, guided_filter, is_inside, logit, prior_of, sigmoid

PIXEL = CROP_PX / MASK_PX  # crop px per mask px
SHAPE_PX = 48
SHAPE_BOX_PX = 32  # the box's part of the usual shape
REACH = 1.4  # how far beyond the expected box the silhouette may ask for a box
MEMORY_WEIGHT = 0.6
COLOUR_WEIGHT = 0.7
MOTION_WEIGHT = 0.7
SHAPE_WEIGHT = 0.5
COLOUR_RATE = 0.04
SHAPE_RATE = 0.05
INNER_SURROUNDINGS = 0.5  # weight, as surroundings, of pixels inside the box that are not the target


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A silhouette observed in one crop, not yet used.

    Attributes:
        mask: (MASK_PX, MASK_PX) probability.
        bins: (MASK_PX, MASK_PX) colour bins.
        box_xyxy: (4,) crop px that the mask asks for; None if hardly a pixel is the target's.
    """

    mask: Mask
    bins: NDArray[np.int32]
    box_xyxy: Boxes | None


class Silhouette:
    """The target's mask in the latest crop, its usual shape, and its colours."""

    def __init__(self, crop: Crop, box_xyxy: Boxes) -> None:
        """box_xyxy: (4,) crop px. Inside it, four rounds of colours from mask and mask from colours."""
        box = box_xyxy / PIXEL
        bins, grey = shrink_bins(crop.rgb, MASK_PX), _guide(crop)
        is_box = _inside(box)
        prior = prior_of(elliptic_radius(box, MASK_PX, MASK_PX), is_box)
        mask = prior
        for _ in range(4):
            self.colours = ColourModel(*colours_of(bins, mask, crop, box_xyxy))
            mask = np.where(is_box, _refined(self.colours.evidence(bins) + logit(prior), grey), 0).astype(np.float32)
        self._mask = mask
        self._shape: Mask = cv2.GaussianBlur(_warped(mask, _shape_to_mask(box), SHAPE_PX), (0, 0), 1.5)
        asked = _asked_box(mask, box)
        # Boxes differ in how tightly they are drawn; this one's manner is kept.
        self._margin = None if asked is None else (box - asked) / np.tile(asked[2:] - asked[:2], 2)

    def weight_at(self, flow: Flow) -> NDArray[np.float64]:
        """Probability that each start of a flow vector lies on the target, (N,)."""
        column, row = ((flow.start + CROP_PX / 2) / PIXEL).astype(int).T
        return np.asarray(self._mask[row, column], np.float64)

    def observe(self, crop: Crop, box_xyxy: Boxes, motion: Similarity, motion_odds: Mask | None) -> Observation:
        """The silhouette in a new crop, given where motion puts the target.

        Args:
            box_xyxy: (4,) crop px, the expected box.
            motion: the target's, from the crop before.
            motion_odds: log odds for the target by motion, at the starts of the flow vectors; None: not known.
        """
        box = box_xyxy / PIXEL
        back = np.linalg.inv(motion.matrix)
        middle = np.full(2, (MASK_PX - 1) / 2)
        to_last = np.column_stack([back, middle - back @ (middle + motion.shift / PIXEL)])
        memory = cv2.GaussianBlur(_warped(self._mask, to_last, MASK_PX), (5, 5), 0)
        shape = np.clip(_warped(self._shape, _inverted(_shape_to_mask(box)), MASK_PX), 0.05, 0.95)
        bins = shrink_bins(crop.rgb, MASK_PX)
        odds = MEMORY_WEIGHT * logit(memory) + SHAPE_WEIGHT * logit(shape) + COLOUR_WEIGHT * self.colours.evidence(bins)
        if motion_odds is not None:
            odds = odds + MOTION_WEIGHT * _warped(cv2.resize(motion_odds, (MASK_PX, MASK_PX)), to_last, MASK_PX)
        mask = _refined(odds, _guide(crop))
        asked = None if self._margin is None else _asked_box(mask, box)
        if asked is not None and self._margin is not None:
            asked = (asked + self._margin * np.tile(asked[2:] - asked[:2], 2)) * PIXEL
        return Observation(mask, bins, asked)

    def colours_in(self, crop: Crop, box_xyxy: Boxes) -> Histogram:
        """The colours of what has the target's usual shape in the box (4,) crop px."""
        shape = _warped(self._shape, _inverted(_shape_to_mask(box_xyxy / PIXEL)), MASK_PX)
        return histogram(shrink_bins(crop.rgb, MASK_PX), shape**2 * crop.is_inside)

    def likeness(self, crop: Crop, box_xyxy: Boxes) -> float:
        """How like the target's those colours are, in [0, 1]."""
        return self.colours.likeness(self.colours_in(crop, box_xyxy))

    def recall(self, box_xyxy: Boxes) -> None:
        """Take the usual shape in the box (4,) crop px as the latest silhouette."""
        self._mask = _warped(self._shape, _inverted(_shape_to_mask(box_xyxy / PIXEL)), MASK_PX)

    def learn(self, mask: Mask, box_xyxy: Boxes, target: Histogram, surroundings: Histogram) -> None:
        """Believe a mask of the target in the box (4,) crop px, and the colours found there."""
        self.colours.learn(target, surroundings, COLOUR_RATE)
        self._shape += SHAPE_RATE * (_warped(mask, _shape_to_mask(box_xyxy / PIXEL), SHAPE_PX) - self._shape)

    def cut_out(self, crop: Crop, box_xyxy: Boxes) -> CroppedMask | None:
        """The silhouette in pixels of the image, inside a box (4,) px of it; None: no pixel is the target's.

        crop: which the silhouette lies in.
        """
        width, height = crop.image_size.astype(int)
        x_min, y_min, x_max, y_max = covered_pixels(box_xyxy, width, height)
        if x_max <= x_min or y_max <= y_min:
            return None
        first = crop.from_image(np.array([x_min, y_min]) + 0.5) / PIXEL - 0.5
        to_mask = np.column_stack([np.eye(2) * crop.scale / PIXEL, first])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        likely = cv2.warpAffine(
            (255 * self._mask).astype(np.uint8), to_mask, (x_max - x_min, y_max - y_min), flags=flags
        )
        pixels = cv2.compare(likely, 127, cv2.CMP_GT)
        return CroppedMask(np.asarray(pixels, np.uint8), x_min, y_min) if pixels.any() else None

    def carry(self, mask: Mask, crop: Crop, following: Crop) -> None:
        """Take a mask of one crop as the silhouette in the crop to go on from, of the same frame."""
        ratio = crop.scale / following.scale
        origin = crop.from_image(following.to_image(np.zeros(2))) / PIXEL
        self._mask = _warped(mask, np.column_stack([np.eye(2) * ratio, origin + 0.5 * ratio - 0.5]), MASK_PX)


def motion_odds(flow: Flow, target: Similarity, surroundings: Similarity) -> Mask:
    """Log odds that each point moves with the target rather than with its surroundings, on the flow's own grid."""
    side = CROP_PX // FLOW_STEP_PX
    against = np.log1p(target.residual_sq(flow) / (1 + target.spread**2))
    in_favour = np.log1p(surroundings.residual_sq(flow) / (1 + surroundings.spread**2))
    return ((in_favour - against) * flow.reliability).reshape(side, side).astype(np.float32)


def cut_to(mask: Mask, box_xyxy: Boxes) -> Mask:
    """The mask without what lies clearly outside the box (4,) crop px."""
    return mask * _inside(_grown(box_xyxy / PIXEL, 1.1))


def colours_of(bins: NDArray[np.int32], mask: Mask, crop: Crop, box_xyxy: Boxes) -> tuple[Histogram, Histogram]:
    """The colours of the target and of its surroundings, by a mask of the target in the box (4,) crop px."""
    inner = INNER_SURROUNDINGS * (1 - mask)
    surroundings = np.where(_inside(box_xyxy / PIXEL), inner, 1) * crop.is_inside
    return histogram(bins, mask * crop.is_inside), histogram(bins, surroundings)


def _asked_box(mask: Mask, box: Boxes) -> Boxes | None:
    """The mean of the mask's reach and of its centre with sqrt(3) deviations (half the size of a filled box)."""
    near = _inside(_grown(box, REACH))
    is_target = ((mask > 0.5) & near).astype(np.uint8)
    is_target = cv2.morphologyEx(is_target, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    parts = cv2.connectedComponentsWithStats(is_target, connectivity=8)[2][1:]
    if not len(parts) or parts[:, 4].sum() < 16:
        return None
    parts = parts[parts[:, 4] >= 0.1 * parts[:, 4].max()]
    reach = np.concatenate([parts[:, :2].min(axis=0), (parts[:, :2] + parts[:, 2:4]).max(axis=0)])
    weight = np.where((mask > 0.3) & near, mask, 0)
    axis = np.arange(MASK_PX) + 0.5
    spans = [_span(weight.sum(axis=side), axis) for side in (0, 1)]
    return np.asarray((reach + np.transpose(spans).ravel()) / 2)


def _span(weight: NDArray[np.floating], axis: NDArray[np.floating]) -> tuple[float, float]:
    mean = weight @ axis / weight.sum()
    half = np.sqrt(3) * (np.sqrt(weight @ (axis - mean) ** 2 / weight.sum()) + 0.3)
    return mean - half, mean + half


def _refined(odds: NDArray[np.floating], guide: Mask) -> Mask:
    return guided_filter(sigmoid(odds), guide, radius=2, epsilon=0.01)


def _guide(crop: Crop) -> Mask:
    grey = cv2.resize(crop.grey, (MASK_PX, MASK_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(grey.astype(np.float32) / 255)


def _inside(box: Boxes) -> Flags:
    return is_inside(box, MASK_PX, MASK_PX)


def _grown(box: Boxes, factor: float) -> Boxes:
    middle = np.tile(center(box), 2)
    return middle + (box - middle) * factor


def _shape_to_mask(box: Boxes) -> Boxes:
    """(2, 3): the usual shape's pixels -> mask pixels, for a box in mask pixels."""
    step = (box[2:] - box[:2]) / SHAPE_BOX_PX
    return np.column_stack([np.diag(step), center(box) - 0.5 - step * (SHAPE_PX - 1) / 2])


def _inverted(to: Boxes) -> Boxes:
    return np.asarray(cv2.invertAffineTransform(to))


def _warped(image: Mask, to_source: Boxes, side: int) -> Mask:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, to_source, (side, side), flags=flags))
