"""Every camera encoding against an oracle in plain NumPy, and every way in which an image can be broken."""

from array import array

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.images.pictures import smooth_rgb
from vitron_ros.errors import ImageError
from vitron_ros.images.decode import ENCODINGS, decode_image

CHANNEL_OF_LETTER = {"r": 0, "g": 1, "b": 2}


def padded(rows: np.ndarray, padding: int) -> tuple[bytes, int]:
    rows = rows.reshape(len(rows), -1)
    return np.pad(rows, ((0, 0), (0, padding)), constant_values=171).tobytes(), rows.shape[1] + padding


def yuv_from_rgb(rgb):
    """BT.601, video range. (H, W) each, float."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    return y, u, v


def mosaic(rgb, pattern):
    """What a sensor with this colour filter sees: `pattern` names its first two rows, left to right."""
    out = np.zeros(rgb.shape[:2], rgb.dtype)
    for place, letter in enumerate(pattern):
        rows, columns = slice(place // 2, None, 2), slice(place % 2, None, 2)
        out[rows, columns] = rgb[rows, columns, CHANNEL_OF_LETTER[letter]]
    return out


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [("rgb8", "rgb"), ("bgr8", "bgr"), ("rgba8", "rgba"), ("bgra8", "bgra"), ("8UC3", "bgr"), ("8UC4", "bgra")],
)
def test_decodes_8_bit_colour_with_and_without_padding(rgb, encoding, order, padding):
    planes = {"r": rgb[..., 0], "g": rgb[..., 1], "b": rgb[..., 2], "a": np.full(rgb.shape[:2], 9, np.uint8)}
    data, step = padded(np.stack([planes[letter] for letter in order], axis=-1), padding)
    assert np.array_equal(decode_image(encoding, 16, 12, step, False, data), rgb)


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize(
    ("encoding", "order"), [("rgb16", "rgb"), ("bgr16", "bgr"), ("rgba16", "rgba"), ("bgra16", "bgra")]
)
def test_decodes_16_bit_colour_in_both_byte_orders(rgb, encoding, order, is_bigendian):
    wide = rgb.astype(np.uint16) * 256 + 255  # the low byte must not leak
    planes = {"r": wide[..., 0], "g": wide[..., 1], "b": wide[..., 2], "a": wide[..., 0]}
    pixels = np.stack([planes[letter] for letter in order], axis=-1).astype(">u2" if is_bigendian else "<u2")
    data, step = padded(pixels.view(np.uint8), 6)
    assert np.array_equal(decode_image(encoding, 16, 12, step, is_bigendian, data), rgb)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_decodes_grey(rgb, encoding):
    data, step = padded(rgb[..., 0], 3)
    decoded = decode_image(encoding, 16, 12, step, False, data)
    assert np.array_equal(decoded, np.repeat(rgb[..., :1], 3, axis=-1))


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
def test_16_bit_grey_keeps_the_high_byte(encoding, is_bigendian):
    values = np.random.default_rng(3).integers(0, 65536, (12, 16)).astype(">u2" if is_bigendian else "<u2")
    data, step = padded(values.view(np.uint8), 2)
    decoded = decode_image(encoding, 16, 12, step, is_bigendian, data)
    assert np.array_equal(decoded[..., 1], values.astype(int) >> 8)


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
def test_decodes_yuv422(encoding, order, padding):
    rgb = smooth_rgb()
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in yuv_from_rgb(rgb))
    pairs = {"y": iter((y[:, 0::2], y[:, 1::2])), "u": iter((u[:, 0::2],)), "v": iter((v[:, 0::2],))}
    data, step = padded(np.stack([next(pairs[letter]) for letter in order], axis=-1), padding)
    decoded = decode_image(encoding, 48, 32, step, False, data)
    assert np.abs(decoded.astype(int) - rgb).max() <= 8  # chroma is shared by two pixels


@pytest.mark.parametrize("padding", [0, 8])
@pytest.mark.parametrize(("encoding", "order"), [("nv12", "uv"), ("nv21", "vu")])
def test_decodes_nv12_and_nv21(encoding, order, padding):
    rgb = smooth_rgb()
    y, u, v = (np.rint(plane).astype(np.uint8) for plane in yuv_from_rgb(rgb))
    chroma = {"u": u[::2, ::2], "v": v[::2, ::2]}
    interleaved = np.stack([chroma[letter] for letter in order], axis=-1).reshape(16, 48)
    data, step = padded(np.concatenate([y, interleaved]), padding)
    decoded = decode_image(encoding, 48, 32, step, False, data)
    assert decoded.shape == (32, 48, 3)
    assert np.abs(decoded.astype(int) - rgb).max() <= 12


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_demosaics_each_bayer_pattern_to_the_right_colours(pattern, bits):
    rgb = smooth_rgb()
    sensor = mosaic(rgb, pattern)
    if bits == 16:
        sensor = (sensor.astype("<u2") << 8).view(np.uint8)
    data, step = padded(sensor, 4)
    decoded = decode_image(f"bayer_{pattern}{bits}", 48, 32, step, False, data)
    inside = (slice(2, -2), slice(2, -2))  # at the border, neighbours are missing
    assert np.abs(decoded[inside].astype(int) - rgb[inside]).max() <= 2


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize(
    "make", [bytes, bytearray, memoryview, lambda data: array("B", data), lambda data: np.frombuffer(data, np.uint8)]
)
def test_rgb8_is_a_read_only_view_of_any_buffer(rgb, make, padding):
    data, step = padded(rgb, padding)
    buffer = make(data)
    decoded = decode_image("rgb8", 16, 12, step, False, buffer)
    assert np.array_equal(decoded, rgb)
    assert np.shares_memory(decoded, np.frombuffer(buffer, np.uint8))
    assert not decoded.flags.writeable


def test_the_padding_of_the_last_row_may_be_missing(rgb):
    data, step = padded(rgb, 7)
    assert np.array_equal(decode_image("rgb8", 16, 12, step, False, data[:-7]), rgb)


BAD_IMAGES = {
    "unknown encoding": (("RGB8", 4, 4, 12, False, bytes(48)), "rgb8, bgr8"),
    "depth in metres": (("32FC1", 4, 4, 16, False, bytes(64)), "'32FC1' is a depth image"),
    "signed numbers": (("16SC2", 4, 4, 16, False, bytes(64)), "'16SC2' is a depth image"),
    "empty encoding": (("", 4, 4, 12, False, bytes(48)), "unknown"),
    "zero width": (("rgb8", 0, 4, 0, False, b""), "no pixels"),
    "zero height": (("rgb8", 4, 0, 12, False, b""), "no pixels"),
    "no data": (("rgb8", 4, 4, 12, False, b""), "has 48 bytes, this has 0"),
    "step zero": (("rgb8", 4, 4, 0, False, bytes(48)), "step is 0"),
    "step below a row": (("rgb8", 4, 4, 11, False, bytes(48)), "row of 4 pixels in rgb8 has 12"),
    "step of 8 bit for 16 bit": (("mono16", 4, 4, 4, False, bytes(64)), "has 8 bytes"),
    "one byte short": (("rgb8", 4, 4, 12, False, bytes(47)), "this has 47"),
    "nv12 without chroma": (("nv12", 4, 4, 4, False, bytes(16)), "has 24 bytes"),
    "odd yuv422": (("yuv422", 5, 4, 10, False, bytes(40)), "multiple of 2"),
    "odd nv12": (("nv12", 4, 5, 4, False, bytes(64)), "multiple of 2"),
    "bayer without neighbours": (("bayer_rggb8", 2, 2, 2, False, bytes(4)), "below 4"),
    "absurd size": (("mono8", 2**31, 2**31, 2**31, False, bytes(8)), "beyond"),
}


@pytest.mark.parametrize(("arguments", "says"), BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_a_broken_image_says_what_is_wrong(arguments, says):
    with pytest.raises(ImageError, match=says):
        decode_image(*arguments)


@settings(max_examples=300)
@given(
    encoding=st.sampled_from(ENCODINGS),
    width=st.integers(0, 20),
    height=st.integers(0, 20),
    step=st.integers(0, 200),
    is_bigendian=st.booleans(),
    size=st.integers(0, 4000),
)
def test_any_header_gives_an_image_of_its_size_or_an_image_error(encoding, width, height, step, is_bigendian, size):
    try:
        decoded = decode_image(encoding, width, height, step, is_bigendian, bytes(size))
    except ImageError:
        return
    assert decoded.shape == (height, width, 3)
    assert decoded.dtype == np.uint8
