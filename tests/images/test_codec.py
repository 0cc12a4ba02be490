"""Encoding: what comes out decodes to what went in."""

import cv2
import numpy as np
import pytest

from vitron_ros.errors import ImageError
from vitron_ros.images.codec import encode_jpeg, encode_png

RED = np.full((16, 24, 3), (250, 10, 20), np.uint8)


def decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_png_keeps_every_pixel():
    rgb = np.random.default_rng(1).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    assert np.array_equal(decoded(encode_png(rgb)), rgb)


def test_jpeg_keeps_colours_in_their_order():
    assert np.abs(decoded(encode_jpeg(RED)).astype(int) - RED).max() < 8


def test_jpeg_quality_changes_the_size():
    rgb = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(encode_jpeg(rgb, 30)) < len(encode_jpeg(rgb, 95)) / 2


@pytest.mark.parametrize("encode", [encode_jpeg, encode_png])
def test_an_image_without_pixels_is_an_image_error(encode):
    with pytest.raises(ImageError, match="shape"):
        encode(RED[:0])


def test_an_image_too_wide_for_jpeg_is_an_image_error():
    with pytest.raises(ImageError, match="jpg"):
        encode_jpeg(np.zeros((1, 70_000, 3), np.uint8))
