"""Pixels to rays and back, against OpenCV's own projection of points in space."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.errors import CalibrationError
from vitron_ros.geometry.camera_model import CameraModel

K = [600.0, 0, 319.5, 0, 590.0, 239.5, 0, 0, 1]
P = [500.0, 0, 310.0, 0, 0, 500.0, 230.0, 0, 0, 0, 1, 0]
PLUMB_BOB = [-0.21, 0.06, 0.001, -0.0005, 0.0]
RATIONAL = [0.1, -0.05, 0.0002, 0.0001, 0.01, 0.2, -0.04, 0.003]
FISHEYE = [0.02, -0.004, 0.001, -0.0002]
POINTS = np.array([[0.0, 0.0, 1.0], [0.4, -0.2, 1.3], [-1.0, 0.6, 3.0], [0.1, 0.9, 2.5]])


def camera(d=(), model="plumb_bob", **changes):
    fields = {"size": (640, 480), "k": K, "d": d, "p": P, "model": model} | changes
    return CameraModel.from_info(**fields)


@pytest.mark.parametrize(
    ("model", "d"), [("plumb_bob", []), ("plumb_bob", PLUMB_BOB), ("rational_polynomial", RATIONAL)]
)
def test_a_ray_goes_through_the_point_that_opencv_projects(model, d):
    pixels, _ = cv2.projectPoints(POINTS, np.zeros(3), np.zeros(3), np.reshape(K, (3, 3)), np.array(d))
    made = camera(d, model)
    rays = made.rays(pixels.reshape(-1, 2) + 0.5)  # OpenCV's (0, 0) is the middle of a pixel
    np.testing.assert_allclose(rays, POINTS[:, :2] / POINTS[:, 2:], atol=1e-5)
    np.testing.assert_allclose(made.project(rays), pixels.reshape(-1, 2) + 0.5, atol=1e-2)


def test_a_fisheye_ray_goes_through_the_point_that_opencv_projects():
    pixels, _ = cv2.fisheye.projectPoints(
        POINTS[:, None], np.zeros(3), np.zeros(3), np.reshape(K, (3, 3)), np.array(FISHEYE)
    )
    made = camera(FISHEYE, "equidistant")
    rays = made.rays(pixels.reshape(-1, 2) + 0.5)
    np.testing.assert_allclose(rays, POINTS[:, :2] / POINTS[:, 2:], atol=1e-5)
    np.testing.assert_allclose(made.project(rays), pixels.reshape(-1, 2) + 0.5, atol=1e-3)


def test_rectified_images_go_by_p_alone():
    made = camera(PLUMB_BOB, is_rectified=True)
    np.testing.assert_allclose(made.rays([310.5, 230.5]), [0, 0])
    np.testing.assert_allclose(made.rays([810.5, 230.5]), [1, 0])


def test_binning_and_region_of_interest_are_taken_as_image_geometry_does():
    """A pixel of the cut and binned image is in the direction of those of the sensor that it was made of."""
    part = camera(binning=(2, 2), roi=(100, 60, 320, 240))
    assert part.size == (160, 120)
    np.testing.assert_allclose(part.rays([80.5, 60.5]), camera().rays([100 + 160 + 0.5, 60 + 120 + 0.5]))


@given(st.tuples(st.floats(0, 640), st.floats(0, 480)), st.sampled_from([(320, 240), (1280, 960), (640, 240)]))
def test_another_resolution_of_the_view_has_the_same_rays(pixel, size):
    scaled = np.array(pixel) * np.array(size) / (640, 480)
    np.testing.assert_allclose(camera().resized(size).rays(scaled), camera().rays(pixel), atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": [0.0] * 9}, "not calibrated"),
        ({"p": [0.0] * 12, "is_rectified": True}, "P of its camera_info is zero"),
        ({"k": [float("nan"), *K[1:]]}, "no positive number"),
        ({"k": [-600.0, *K[1:]]}, "no positive number"),
        ({"d": [0.1] * 5, "model": "my_lens"}, "'my_lens' is unknown"),
        ({"d": [0.1] * 3}, "3 numbers in D"),
        ({"d": [0.1] * 5, "model": "equidistant"}, "5 numbers in D"),
    ],
)
def test_a_camera_info_that_cannot_be_is_refused(changes, said):
    with pytest.raises(CalibrationError, match=said):
        camera(**changes)


def test_a_lens_of_an_unknown_model_without_distortion_is_a_pinhole():
    np.testing.assert_allclose(camera([0.0] * 5, "my_lens").rays([320.0, 240.0]), [0, 0])
