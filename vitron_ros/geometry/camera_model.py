"""Pixels to rays and back, by the calibration of a camera.

Here a pixel is what boxes are measured in: (0, 0) is the corner of the top-left pixel. camera_info puts (0, 0) at the
middle of that pixel; the half is added and taken away here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitron_ros.errors import CalibrationError

Array = NDArray[np.float64]

PINHOLE = ("", "plumb_bob", "rational_polynomial")  # of sensor_msgs/distortion_models.hpp, and OpenCV's own order of D
FISHEYE = "equidistant"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CameraModel:
    """A calibrated camera, in pixels of the image that it delivers.

    Attributes:
        focal, middle: (2,) px, x and y; the middle is where the optical axis meets the image.
        distortion: OpenCV's coefficients; empty: straight lines are straight.
        is_fisheye: they are of OpenCV's fisheye model (equidistant).
        size: width and height, px.
    """

    focal: Array
    middle: Array
    size: tuple[int, int]
    distortion: Array
    is_fisheye: bool = False

    @classmethod
    def from_info(
        cls,
        *,
        size: tuple[int, int],
        k: Sequence[float] | Array,
        d: Sequence[float] | Array,
        p: Sequence[float] | Array,
        model: str,
        binning: tuple[int, int] = (0, 0),
        roi: tuple[int, int, int, int] = (0, 0, 0, 0),
        is_rectified: bool = False,
    ) -> "CameraModel":
        """The model of a sensor_msgs/CameraInfo; the arguments are its fields.

        Args:
            size: width and height of the sensor at full resolution, px.
            binning: x and y; 0 means 1.
            roi: x_offset, y_offset, width, height in pixels of the full resolution; a size of 0 means all of it.
            is_rectified: the images are rectified already, so that `p` holds and `k` and `d` do not.

        Raises:
            CalibrationError: it is not calibrated (zeros), its numbers are no camera's, or its lens model is unknown.
        """
        matrix = np.asarray(p if is_rectified else k, np.float64).reshape(3, 4 if is_rectified else 3)
        distortion = np.zeros(0) if is_rectified else np.asarray(d, np.float64).ravel()
        focal, middle = np.array([matrix[0, 0], matrix[1, 1]]), matrix[:2, 2].copy()
        if not focal.any():
            raise CalibrationError(
                f"the camera is not calibrated: {'P' if is_rectified else 'K'} of its camera_info is zero; calibrate "
                "it (camera_calibration) or have its driver publish its intrinsics"
            )
        if not (np.isfinite(matrix).all() and np.isfinite(distortion).all() and (focal > 0).all()):
            raise CalibrationError("its camera_info has a focal length that is no positive number; calibrate it anew")
        if model not in (*PINHOLE, FISHEYE) and distortion.any():
            raise CalibrationError(
                f"its lens model {model[:40]!r} is unknown; known are {', '.join((*PINHOLE[1:], FISHEYE))}: rectify "
                "the images (image_proc) and set images_rectified"
            )
        is_fisheye = model == FISHEYE
        wanted = (4,) if is_fisheye else (4, 5, 8, 12, 14)
        if distortion.any() and len(distortion) not in wanted:
            raise CalibrationError(f"its camera_info has {len(distortion)} numbers in D; a {model} lens has {wanted}")
        scale = np.maximum(binning, 1).astype(np.float64)
        whole = np.array(roi[2:] if roi[2] and roi[3] else size)
        return cls(
            focal=focal / scale,
            middle=(middle - roi[:2]) / scale + 0.5,
            size=(int(whole[0] // scale[0]), int(whole[1] // scale[1])),
            distortion=distortion if distortion.any() else np.zeros(0),
            is_fisheye=is_fisheye,
        )

    def resized(self, size: tuple[int, int]) -> "CameraModel":
        """Of the same view at another resolution."""
        scale = np.array(size) / self.size
        return replace(self, focal=self.focal * scale, middle=self.middle * scale, size=size)

    def equals(self, other: "CameraModel") -> bool:
        """Whether both say the same of every pixel."""
        return (
            self.size == other.size
            and self.is_fisheye == other.is_fisheye
            and np.allclose(self.focal, other.focal)
            and np.allclose(self.middle, other.middle)
            and len(self.distortion) == len(other.distortion)
            and np.allclose(self.distortion, other.distortion)
        )

    def rays(self, pixels: ArrayLike) -> Array:
        """Where the rays through pixels (..., 2) meet the plane z = 1 of the optical frame, (..., 2)."""
        pixels = np.asarray(pixels, np.float64)
        flat = (pixels - self.middle) / self.focal
        if not len(self.distortion):
            return np.asarray(flat)
        undistort = cv2.fisheye.undistortPoints if self.is_fisheye else cv2.undistortPoints
        return np.asarray(undistort(flat.reshape(-1, 1, 2), np.eye(3), self.distortion)).reshape(pixels.shape)

    def project(self, rays: ArrayLike) -> Array:
        """The pixels (..., 2) of rays (..., 2) as `rays` gives them; they may lie outside the image."""
        rays = np.asarray(rays, np.float64)
        if not len(self.distortion):
            return np.asarray(rays * self.focal + self.middle)
        if self.is_fisheye:
            flat = cv2.fisheye.distortPoints(rays.reshape(-1, 1, 2), np.eye(3), self.distortion)
        else:
            points = np.concatenate([rays.reshape(-1, 2), np.ones((rays.size // 2, 1))], axis=1)
            flat, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), np.eye(3), self.distortion)
        return np.asarray(flat.reshape(rays.shape) * self.focal + self.middle)


def camera_model(info: Any, *, is_rectified: bool = False) -> CameraModel:
    """The model of a sensor_msgs/CameraInfo of rclpy or rosbags. Raises as `CameraModel.from_info`."""
    return CameraModel.from_info(
        size=(info.width, info.height),
        k=info.k,
        d=info.d,
        p=info.p,
        model=info.distortion_model,
        binning=(info.binning_x, info.binning_y),
        roi=(info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height),
        is_rectified=is_rectified,
    )


def info_topic(topic: str) -> str:
    """The camera_info of an image topic, where image_transport has it: beside the raw topic."""
    return f"{topic.removesuffix('/compressed').rpartition('/')[0]}/camera_info"
