"""A camera before a wall and a flat target of known shape and place: depth and tracks without a renderer."""

import cv2
import numpy as np

from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.depth_image import DepthImage
from vitron_ros.geometry.localizer import TrackedImage
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.track import TrackSnapshot, TrackState

SIZE = (640, 480)
FOCAL = 600.0
WALL = 6.0
MS = 1_000_000
CAMERA = CameraModel(
    focal=np.full(2, FOCAL), middle=np.array([320.0, 240.0]), size=SIZE, distortion=np.zeros(0), is_fisheye=False
)


def disc(canvas, middle, radius):
    cv2.circle(canvas, tuple(np.round(middle).astype(int)), round(radius), 255, -1)


def ring(canvas, middle, radius):
    cv2.circle(canvas, tuple(np.round(middle).astype(int)), round(radius * 0.85), 255, max(1, round(radius * 0.3)))


def pole(canvas, middle, radius):
    """3 px wide."""
    x, y = np.round(middle).astype(int)
    cv2.rectangle(canvas, (x - 1, round(y - radius)), (x + 1, round(y + radius)), 255, -1)


class FlatScene:
    """A target of 2 * `radius` m at `position` (3,) m, parallel to the image."""

    def __init__(self, position=(0.2, -0.1, 2.0), radius=0.12, shape=disc, wall=WALL):
        self.position = np.array(position, np.float64)
        self.silhouette = np.zeros(SIZE[::-1], np.uint8)
        middle = CAMERA.project(self.position[:2] / self.position[2])
        shape(self.silhouette, middle - 0.5, radius * FOCAL / self.position[2])
        self.metres = np.where(self.silhouette > 0, self.position[2], wall)
        rows, columns = np.nonzero(self.silhouette)
        self.box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)

    @property
    def mask(self):
        x_min, y_min, x_max, y_max = self.box.astype(int)
        return CroppedMask(np.ascontiguousarray(self.silhouette[y_min:y_max, x_min:x_max]), x_min, y_min)

    def depth(self, stamp_ms=0, *, encoding="16UC1", metres=None, frame_id="lens"):
        metres = self.metres if metres is None else metres
        values = metres.astype(np.float32) if encoding == "32FC1" else np.round(metres * 1000).astype(np.uint16)
        unit = 1.0 if encoding == "32FC1" else 0.001
        return DepthImage(values=values, unit_m=unit, stamp_ns=(1000 + stamp_ms) * MS, frame_id=frame_id)

    def track(self, state=TrackState.TRACKED, number=1):
        return TrackSnapshot(
            id=number,
            phrase="the disc",
            label="",
            state=state,
            box_xyxy=self.box,
            score=0.9,
            velocity=np.zeros(2),
            grounded_ns=0,
            age_ns=0,
        )

    def image(self, stamp_ms=0, *, tracks=None, masked=True, size=SIZE):
        tracks = (self.track(),) if tracks is None else tracks
        return TrackedImage(
            stamp_ns=(1000 + stamp_ms) * MS,
            frame_id="lens",
            camera="",
            size=size,
            tracks=tracks,
            silhouettes={track.id: self.mask for track in tracks} if masked else {},
        )
