"""What a person points at: a click, a box, an outline, a stroke or a mask, in pixels of the camera image."""

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.boxes import Boxes, check_box
from vitron_ros.errors import RegionError


class RegionKind(IntEnum):
    """The values of vitron_msgs/Region.kind."""

    POINT = 0
    BOX = 1
    POLYGON = 2
    SCRIBBLE = 3
    MASK = 4


MIN_POINTS = {RegionKind.POINT: 1, RegionKind.BOX: 2, RegionKind.POLYGON: 3, RegionKind.SCRIBBLE: 2, RegionKind.MASK: 0}
MAX_POINTS = {RegionKind.POINT: 1, RegionKind.BOX: 2, RegionKind.MASK: 0}
STROKE_WIDTH_FRACTION = 0.02  # of the image's shorter side: about a finger's line on a screen


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A marked place. Make one with `point`, `box`, `polygon`, `scribble` or `mask`.

    Attributes:
        kind: what was drawn.
        points: (N, 2) float64, px, x and y; (0, 2) for a mask.
        mask: (h, w) bool for a mask, whose top-left pixel lies at `offset` of the image; else None.
        offset: px, x and y; (0, 0) where the mask covers the image from its corner.
    """

    kind: RegionKind
    points: NDArray[np.float64]
    mask: NDArray[np.bool_] | None = None
    offset: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        name, count = self.kind.name.lower(), len(self.points)
        if self.points.ndim != 2 or self.points.shape[1] != 2:
            raise RegionError(f"the points of a {name} are (N, 2), these are {self.points.shape}")
        if not np.isfinite(self.points).all():
            raise RegionError(f"a {name} has a point that is not a finite number")
        if count < MIN_POINTS[self.kind] or count > MAX_POINTS.get(self.kind, count):
            raise RegionError(f"a {name} cannot have {count} points; it needs {MIN_POINTS[self.kind]}")
        if (self.kind is RegionKind.MASK) != (self.mask is not None):
            raise RegionError("a mask region, and only that, carries a mask")
        if self.mask is not None and self.mask.ndim != 2:
            raise RegionError(f"a mask is (h, w), this is {self.mask.shape}")

    @classmethod
    def from_point(cls, x: float, y: float) -> "Region":
        return cls(RegionKind.POINT, np.array([[x, y]], np.float64))

    @classmethod
    def from_box(cls, box_xyxy: ArrayLike) -> "Region":
        return cls(RegionKind.BOX, np.asarray(box_xyxy, np.float64).reshape(-1, 2))

    @classmethod
    def from_polygon(cls, points: ArrayLike) -> "Region":
        return cls(RegionKind.POLYGON, np.asarray(points, np.float64))

    @classmethod
    def from_scribble(cls, points: ArrayLike) -> "Region":
        return cls(RegionKind.SCRIBBLE, np.asarray(points, np.float64))

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_], offset: tuple[int, int] = (0, 0)) -> "Region":
        return cls(RegionKind.MASK, np.zeros((0, 2)), np.asarray(mask, bool), offset)

    def bounding_box(self, width: int, height: int) -> Boxes:
        """The tight box inside an image of the given size, (4,), px. A point has a box of one pixel.

        Raises:
            RegionError: nothing of the region lies inside the image.
        """
        if self.kind is RegionKind.BOX:
            return check_box(self.points.reshape(4), width, height)
        rows, columns = np.nonzero(self.binary_mask(width, height))
        return np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)

    def binary_mask(self, width: int, height: int) -> NDArray[np.bool_]:
        """The pixels of the region, (H, W) bool, at least one of them set.

        Raises:
            RegionError: nothing of the region lies inside the image, or a mask reaches out of it.
        """
        mask = self._drawn(width, height) if self.mask is None else self._pasted(self.mask, width, height)
        if not mask.any():
            raise RegionError(f"the {self.kind.name.lower()} lies outside the image of {width}x{height} pixels")
        return mask

    def _pasted(self, mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
        x, y = self.offset
        h, w = mask.shape
        if x < 0 or y < 0 or x + w > width or y + h > height:
            raise RegionError(f"the mask of {w}x{h} at ({x}, {y}) reaches out of the image of {width}x{height} pixels")
        canvas = np.zeros((height, width), bool)
        canvas[y : y + h, x : x + w] = mask
        return canvas

    def _drawn(self, width: int, height: int) -> NDArray[np.bool_]:
        canvas = np.zeros((height, width), np.uint8)
        # Far-off points would overflow OpenCV's fixed-point coordinates.
        limit = 4 * max(width, height)
        pixels = np.floor(np.clip(self.points, -limit, limit)).astype(np.int32)
        if self.kind is RegionKind.POINT:
            x, y = pixels[0]
            if 0 <= x < width and 0 <= y < height:
                canvas[y, x] = 1
        elif self.kind is RegionKind.BOX:
            x_min, y_min, x_max, y_max = np.round(check_box(self.points.reshape(4), width, height)).astype(int)
            canvas[y_min : max(y_max, y_min + 1), x_min : max(x_max, x_min + 1)] = 1
        elif self.kind is RegionKind.POLYGON:
            cv2.fillPoly(canvas, [pixels], (1,))
        else:
            thickness = max(1, round(STROKE_WIDTH_FRACTION * min(width, height)))
            cv2.polylines(canvas, [pixels], isClosed=False, color=(1,), thickness=thickness)
        return canvas.astype(bool)
