"""What somebody marked in an image, as segmentation takes it: where the object may be, and where it surely is."""

from dataclasses import dataclass

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import RegionError
from vitron_ros.frame import Image
from vitron_ros.modules.segmentation.colour_mask import colour_mask
from vitron_ros.modules.segmentation.parts import joined
from vitron_ros.modules.segmentation.patch import Patch, take_patch
from vitron_ros.region import Region, RegionKind
from vitron_ros.tracking.appearance import ColourModel, colour_bins, histogram
from vitron_ros.tracking.soft_mask import Flags, SoftMask, bounding_box, elliptic_radius, is_inside, prior_of

CORE_RADIUS = 0.6
OUTLINE_BANDS = {RegionKind.POLYGON: (0.15, 0.06), RegionKind.MASK: (0.04, 0.04)}
"""How far inside and outside of its outline the object may end, of the mean side: a polygon is drawn around it."""
POINT_REACH = 0.15  # of the image's mean side: half of how far an object may reach from a point on it
STROKE_REACH = 0.33  # the same of a stroke, of its extent
MAX_LIKENESS = 0.9  # of the colours of an object and those around it


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A marked object in the patch (h, w) around it.

    Attributes:
        patch: the patch.
        box_xyxy: (4,) px of the image, around the object or somewhat larger.
        prior: (h, w) how likely each pixel is the object's, before its colour is looked at.
        is_allowed: (h, w) nothing else is the object's.
        is_core: (h, w) surely the object's, where evidence agrees.
        is_marked: (h, w) surely the object's.
    """

    patch: Patch
    box_xyxy: Boxes
    prior: SoftMask
    is_allowed: Flags
    is_core: Flags
    is_marked: Flags


def read_prompt(rgb: Image, region: Region) -> Prompt:
    """A region in an image (H, W, 3).

    Raises:
        RegionError: it marks nothing inside the image, or nothing there stands out from its surroundings.
    """
    height, width = rgb.shape[:2]
    if region.kind is RegionKind.BOX:
        return _box_prompt(rgb, region.bounding_box(width, height))
    marked = region.binary_mask(width, height)
    if region.kind in OUTLINE_BANDS:
        return _outline_prompt(rgb, marked, region.bounding_box(width, height), *OUTLINE_BANDS[region.kind])
    return _stroke_prompt(rgb, marked, region.kind is RegionKind.SCRIBBLE)


def _box_prompt(rgb: Image, box_xyxy: Boxes, marked: Flags | None = None) -> Prompt:
    patch = take_patch(rgb, box_xyxy)
    box = patch.from_image(box_xyxy)
    radius = elliptic_radius(box, patch.width, patch.height)
    is_allowed = is_inside(box, patch.width, patch.height)
    is_marked = np.zeros(radius.shape, bool) if marked is None else patch.shrink(marked) > 0
    prior = np.where(is_marked, 0.99, prior_of(radius, is_allowed)).astype(np.float32)
    return Prompt(patch, box_xyxy, prior, is_allowed | is_marked, (radius < CORE_RADIUS) & (marked is None), is_marked)


def _outline_prompt(rgb: Image, marked: Flags, box_xyxy: Boxes, inner: float, outer: float) -> Prompt:
    patch = take_patch(rgb, box_xyxy)
    inside = (patch.shrink(marked) > 0.5).astype(np.uint8)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    side = float(np.sqrt(inside.sum()))
    radius = 1 - depth / max(2.0, inner * side)
    is_allowed = depth > -max(2.0, outer * side)
    return Prompt(
        patch, box_xyxy, prior_of(radius, is_allowed), is_allowed, radius < CORE_RADIUS, np.zeros_like(is_allowed)
    )


def _stroke_prompt(rgb: Image, marked: Flags, is_line: bool) -> Prompt:
    """The object's box first: what is coloured like the stroke rather than the image, near it and joined to it."""
    height, width = rgb.shape[:2]
    whole = take_patch(rgb, np.array([0, 0, width, height], np.float64))
    stroke = whole.shrink(marked) > 0
    distance = cv2.distanceTransform((~stroke).astype(np.uint8), cv2.DIST_L2, 3)
    extent = float(np.hypot(*(bounding_box(stroke)[2:] - bounding_box(stroke)[:2])))
    reach = STROKE_REACH * extent if is_line else POINT_REACH * float(np.sqrt(stroke.size))
    prior = np.clip(0.9 * np.exp(-((distance / reach) ** 2) / 2), 0.05, 0.9).astype(np.float32)
    is_allowed = distance < 2 * reach
    likely = colour_mask(whole.rgb, prior, is_allowed)
    is_object = joined((likely > 0.5) | stroke, stroke)
    if _likeness(whole.rgb, is_object, is_allowed & ~is_object) > MAX_LIKENESS:
        raise RegionError("nothing at the mark stands out from its surroundings; draw a box around the object")
    box = (bounding_box(is_object) + np.array([-1, -1, 1, 1])) / np.tile(whole.scale, 2)
    return _box_prompt(rgb, np.clip(box, 0, [width, height] * 2), marked)


def _likeness(rgb: Image, mask: Flags, other: Flags) -> float:
    """Bhattacharyya coefficient of the colours in two masks (H, W); 1 where the other is empty."""
    if not other.any():
        return 1.0
    bins = colour_bins(rgb)
    inner, outer = (histogram(bins, part.astype(np.float64)) for part in (mask, other))
    return ColourModel(inner, outer).likeness(outer)
