"""Which pixels of a crop belong to the target: by its colours, and by the shape that it had in the first image."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center
from vitron_ros.frame import Image
from vitron_ros.masks import CroppedMask, covered_pixels
from vitron_ros.tracking.appearance import BINS, ColourModel, Histogram, blurred_shares, colour_evidence
from vitron_ros.tracking.compiled import compiled
from vitron_ros.tracking.crop import CROP_PX, Crop, Mask
from vitron_ros.tracking.soft_mask import elliptic_radius, guided_filter, is_inside, logit, prior_of, sigmoid

SHAPE_PX = 48
SHAPE_BOX_PX = 32  # the box's part of the usual shape
SHAPE_WEIGHT = 0.7
COLOUR_RATE = 0.06
INNER_SURROUNDINGS = 0.5  # weight, as surroundings, of pixels inside the box that are not the target


class Silhouette:
    """The target's shape and colours.

    Attributes:
        colours: of the target and its surroundings, of late.
    """

    def __init__(self, crop: Crop, box_xyxy: Boxes) -> None:
        """box_xyxy: (4,) crop px. Inside it, four rounds of colours from mask and mask from colours."""
        guide, is_box = _guide(crop), is_inside(box_xyxy, CROP_PX, CROP_PX)
        prior = prior_of(elliptic_radius(box_xyxy, CROP_PX, CROP_PX), is_box)
        mask = prior
        for _ in range(4):
            self.colours = ColourModel(*_colours_of(crop, mask, box_xyxy))
            odds = self.colours.evidence(crop.bins) + logit(prior)
            mask = np.where(is_box, _refined(odds, guide), 0).astype(np.float32)
        self._shape: Mask = cv2.GaussianBlur(_warped(mask, _shape_to_crop(box_xyxy), SHAPE_PX), (0, 0), 1.5)

    def colours_in(self, crop: Crop, box_xyxy: Boxes) -> tuple[Histogram, Histogram]:
        """The colours of what has the target's shape in the box (4,) crop px, and of its surroundings."""
        return _colours_of(crop, self._shape_in(box_xyxy) ** 2, box_xyxy)

    def learn(self, target: Histogram, surroundings: Histogram) -> None:
        """Believe the colours found in a place."""
        self.colours.learn(target, surroundings, COLOUR_RATE)

    def cut_out(self, crop: Crop, box_xyxy: Boxes, target: Histogram) -> CroppedMask | None:
        """The target's pixels of the image inside a box (4,) px of it; None: no pixel is the target's.

        target: its colours. Those of late would have what has covered a part of it for a while.
        """
        width, height = crop.image_size.astype(int)
        x_min, y_min, x_max, y_max = covered_pixels(box_xyxy, width, height)
        if x_max <= x_min or y_max <= y_min:
            return None
        shape = np.clip(self._shape_in(crop.from_image(box_xyxy)), 0.05, 0.95)
        evidence = colour_evidence(target, self.colours.surroundings)[crop.bins]
        mask = _refined(evidence + SHAPE_WEIGHT * logit(shape), _guide(crop))
        first = crop.from_image(np.array([x_min, y_min]) + 0.5) - 0.5
        to_crop = np.column_stack([np.eye(2) * crop.scale, first])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        likely = cv2.warpAffine((255 * mask).astype(np.uint8), to_crop, (x_max - x_min, y_max - y_min), flags=flags)
        pixels = cv2.compare(likely, 127, cv2.CMP_GT)
        return CroppedMask(np.asarray(pixels, np.uint8), x_min, y_min) if pixels.any() else None

    def _shape_in(self, box_xyxy: Boxes) -> Mask:
        """The usual shape in a box (4,) crop px."""
        return _warped(self._shape, np.asarray(cv2.invertAffineTransform(_shape_to_crop(box_xyxy))), CROP_PX)


def _colours_of(crop: Crop, mask: Mask, box_xyxy: Boxes) -> tuple[Histogram, Histogram]:
    """The colours of the target and of its surroundings, by a mask of the target, whose box (4,) crop px is."""
    target, surroundings = _counts(crop.rgb, mask, box_xyxy, crop.image_box)
    return blurred_shares(target), blurred_shares(surroundings)


@compiled
def _counts(rgb: Image, mask: Mask, box: Boxes, image: Boxes) -> NDArray[np.float64]:
    """The weight of each colour in the target and in its surroundings, (2, BINS³); box, image: (4,) crop px."""
    counts = np.zeros((2, BINS**3))
    for row in range(CROP_PX):
        for column in range(CROP_PX):
            x, y = column + 0.5, row + 0.5
            if image[0] < x < image[2] and image[1] < y < image[3]:
                is_box = box[0] <= x <= box[2] and box[1] <= y <= box[3]
                red, green, blue = rgb[row, column, 0], rgb[row, column, 1], rgb[row, column, 2]
                colour = (red >> 4) * BINS**2 + (green >> 4) * BINS + (blue >> 4)
                counts[0, colour] += mask[row, column]
                counts[1, colour] += INNER_SURROUNDINGS * (1 - mask[row, column]) if is_box else 1.0
    return counts


def _refined(odds: Mask, guide: Mask) -> Mask:
    return guided_filter(sigmoid(odds), guide, radius=2, epsilon=0.01)


def _guide(crop: Crop) -> Mask:
    return np.asarray(cv2.cvtColor(crop.rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255)


def _shape_to_crop(box: Boxes) -> Boxes:
    """(2, 3): the usual shape's pixels -> crop pixels, for a box in crop pixels."""
    step = (box[2:] - box[:2]) / SHAPE_BOX_PX
    return np.column_stack([np.diag(step), center(box) - 0.5 - step * (SHAPE_PX - 1) / 2])


def _warped(image: Mask, to_source: Boxes, side: int) -> Mask:
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, to_source, (side, side), flags=flags))
