"""One target in space, by its silhouette in an image and a depth image of the same view."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center, clip
from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.depth_image import DepthImage
from vitron_ros.geometry.surface import MIN_PIXELS, MIN_SHARE, find_surface
from vitron_ros.masks import CroppedMask, covered_pixels
from vitron_ros.tracking.track import TrackSnapshot

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

MIN_DISTANCE = 0.1  # m
MAX_PIXELS = 512  # of a silhouette whose depths are read
MAX_GRID = 16384  # of its box that are looked at
ELLIPSE = 0.8  # of the box's sides, where there is no silhouette
EDGE_PX, EDGE_SHARE = 1.0, 0.03  # one standard deviation of the box's middle, and what its side adds
CUT_SHARE = 0.25  # what a side adds that the image's border may have cut
UNKNOWN = np.full(3, np.nan)


class Status(IntEnum):
    """The values of vitron_msgs/Track3D.status."""

    OK = 0
    NOT_SEEN = 1
    NO_CAMERA_INFO = 2
    BAD_CAMERA_INFO = 3
    NO_DEPTH = 4
    BAD_DEPTH = 5
    DEPTH_MISMATCH = 6
    WRONG_UNIT = 7
    NO_VALUES = 8
    OUT_OF_RANGE = 9
    AMBIGUOUS = 10
    NO_TRANSFORM = 11


@dataclass(frozen=True, slots=True, eq=False)
class Track3D:
    """A track in space. Without a position, `status` says why and all numbers are NaN.

    Attributes:
        position: (3,) m, the middle of the box at the depth of the target's visible surface.
        covariance: (3, 3) m².
        velocity: (3,) m/s; NaN: not known yet.
        size: (3,) m, width and height of the box at that depth, and how far the visible surface reaches in depth.
    """

    track: TrackSnapshot
    status: Status
    position: Array
    covariance: Array
    velocity: Array
    size: Array


def without_position(track: TrackSnapshot, status: Status) -> Track3D:
    return Track3D(track, status, UNKNOWN, np.full((3, 3), np.nan), UNKNOWN, UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DepthView:
    """A depth image, and the cameras of the image and of it. Both look from the same place in the same direction.

    Attributes:
        max_distance: m, beyond which depth is not believed.
        error: m, one standard deviation of depth at a distance of 1 m; it grows with the square of the distance.
    """

    camera: CameraModel
    depth: DepthImage
    depth_camera: CameraModel
    max_distance: float
    error: float

    def locate(self, track: TrackSnapshot, silhouette: CroppedMask | None) -> Track3D:
        """The track in the optical frame, without a velocity. silhouette: None: its box has to do."""
        if not track.is_seen:
            return without_position(track, Status.NOT_SEEN)
        box = clip(track.box_xyxy, *self.camera.size)
        sides = box[2:] - box[:2]
        columns, rows = _box_pixels(box, *self.camera.size) if silhouette is None else _mask_pixels(silhouette)
        depths = self._depths(columns, rows)
        if len(depths) < max(MIN_PIXELS, MIN_SHARE * len(columns)):
            return without_position(track, Status.NO_VALUES)
        believed = depths[(depths >= MIN_DISTANCE) & (depths <= self.max_distance)]
        if len(believed) < max(MIN_PIXELS, len(depths) / 2):
            return without_position(track, Status.OUT_OF_RANGE)
        at_one_metre = sides / self.camera.focal
        surface = find_surface(believed, float(at_one_metre.max()))
        if surface is None:
            return without_position(track, Status.AMBIGUOUS)
        distance = surface.distance
        ray = np.append(self.camera.rays(center(box)), 1.0)
        is_cut = (box[:2] <= 0) | (box[2:] >= self.camera.size)
        middle_px = EDGE_PX + (EDGE_SHARE + CUT_SHARE * is_cut) * sides
        variance = surface.spread**2 + (self.error * distance**2) ** 2
        across = np.append((middle_px / self.camera.focal * distance) ** 2, 0.0)
        return Track3D(
            track=track,
            status=Status.OK,
            position=ray * distance,
            covariance=variance * np.outer(ray, ray) + np.diag(across),
            velocity=UNKNOWN,
            size=np.append(at_one_metre * distance, surface.extent),
        )

    def _depths(self, columns: Indices, rows: Indices) -> Array:
        """The depths at pixels of the image, m, without holes and what the depth image does not show."""
        if self.depth_camera is not self.camera:
            rays = self.camera.rays(np.stack([columns, rows], axis=-1) + 0.5)
            columns, rows = np.floor(self.depth_camera.project(rays)).astype(np.intp).T
            width, height = self.depth.size
            is_inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
            columns, rows = columns[is_inside], rows[is_inside]
        depths = self.depth.metres(columns, rows)
        return depths[~np.isnan(depths)]


def _mask_pixels(mask: CroppedMask) -> tuple[Indices, Indices]:
    """Columns and rows of some pixels of the silhouette, evenly spread."""
    stride = max(1, int(np.sqrt(mask.pixels.size / MAX_GRID)))
    rows, columns = np.nonzero(mask.pixels[::stride, ::stride])
    return _thinned(columns * stride + mask.x, rows * stride + mask.y)


def _box_pixels(box: Boxes, width: int, height: int) -> tuple[Indices, Indices]:
    """Columns and rows of some pixels of an ellipse in the middle of the box (4,) px."""
    x_min, y_min, x_max, y_max = covered_pixels(box, width, height)
    stride = max(1, int(np.sqrt((x_max - x_min) * (y_max - y_min) / MAX_GRID)))
    columns, rows = np.meshgrid(np.arange(x_min, x_max, stride), np.arange(y_min, y_max, stride))
    half = np.maximum(box[2:] - box[:2], 1) / 2 * ELLIPSE
    across = (np.stack([columns, rows], axis=-1) + 0.5 - center(box)) / half
    is_inside = (across**2).sum(axis=-1) <= 1
    return _thinned(columns[is_inside], rows[is_inside])


def _thinned(columns: Indices, rows: Indices) -> tuple[Indices, Indices]:
    step = -(-len(columns) // MAX_PIXELS) or 1
    return columns[::step], rows[::step]
