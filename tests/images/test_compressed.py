"""Compressed images against what image_transport writes and reads, and every way in which a file can be broken."""

import struct
import zlib
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.images.pictures import smooth_rgb
from vitron_ros.errors import ImageError
from vitron_ros.images.codec import encode_jpeg, encode_png
from vitron_ros.images.compressed import decode_compressed, decode_file


@pytest.mark.parametrize("format", ["jpeg", "jpg", "", "rgb8; jpeg compressed bgr8", "mono8; jpeg compressed "])
def test_decodes_jpeg_whatever_the_format_string(format):
    rgb = smooth_rgb()
    assert np.abs(decode_compressed(format, encode_jpeg(rgb, 95)).astype(int) - rgb).max() <= 12


def test_decodes_png_without_loss(rgb):
    assert np.array_equal(decode_compressed("bgr8; png compressed bgr8", array("B", encode_png(rgb))), rgb)


def as_published(mat: np.ndarray, ending: str) -> bytes:
    """What image_transport's publisher sends of a matrix in the order that OpenCV calls bgr."""
    return cv2.imencode(ending, mat)[1].tobytes()


def mosaic(rgb):
    """Of a sensor whose filter is rggb."""
    out = rgb[..., 1].copy()
    out[0::2, 0::2], out[1::2, 1::2] = rgb[0::2, 0::2, 0], rgb[1::2, 1::2, 2]
    return out


RGB = smooth_rgb()
BGR = RGB[..., ::-1]
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
GREY_RGB = np.repeat(GREY[..., None], 3, axis=-1)
MOSAIC = mosaic(RGB)
HIGH = 256  # 8 bits as the high byte of 16

AS_PUBLISHED = {
    "rgb8 as png": ("rgb8; png compressed bgr8", as_published(BGR, ".png"), RGB),
    "bgr8 as png": ("bgr8; png compressed bgr8", as_published(BGR, ".png"), RGB),
    "rgba8 as png": ("rgba8; png compressed bgr8", as_published(BGR, ".png"), RGB),
    "rgb16 as png": ("rgb16; png compressed bgr16", as_published(BGR.astype(np.uint16) * HIGH, ".png"), RGB),
    "no separator": ("png", as_published(BGR, ".png"), RGB),
    "capitals": ("RGB8; PNG compressed BGR8", as_published(BGR, ".png"), RGB),
    "old publisher, rgb8": ("rgb8; png compressed ", as_published(RGB, ".png"), RGB),
    "old publisher, bgr8": ("bgr8; png compressed rgb8", as_published(RGB, ".png"), RGB),
    "old publisher, bgra16": ("bgra16; png compressed ", as_published(RGB.astype(np.uint16) * HIGH, ".png"), RGB),
    "8UC3 as png": ("8UC3; png compressed ", as_published(BGR, ".png"), RGB),
    "mono8 as png": ("mono8; png compressed ", as_published(GREY, ".png"), GREY_RGB),
    "mono16 as png": ("mono16; png compressed ", as_published(GREY.astype(np.uint16) * HIGH, ".png"), GREY_RGB),
    "mono16 of 12 bits": ("mono16; png compressed ", as_published(GREY.astype(np.uint16) * 16, ".png"), GREY_RGB),
    "16UC1 as png": ("16UC1; png compressed ", as_published(GREY.astype(np.uint16) * HIGH, ".png"), GREY_RGB),
    "mono8 as tiff": ("mono8; tiff compressed ", as_published(GREY, ".tiff"), GREY_RGB),
    "mono16 as tiff": ("mono16; tiff compressed ", as_published(GREY.astype(np.uint16) * HIGH, ".tiff"), GREY_RGB),
    "rgb8 as tiff": ("rgb8; tiff compressed ", as_published(RGB, ".tiff"), RGB),
    "bgr8 as tiff": ("bgr8; tiff compressed ", as_published(BGR, ".tiff"), RGB),
    "bgr16 as tiff": ("bgr16; tiff compressed ", as_published(BGR.astype(np.uint16) * HIGH, ".tiff"), RGB),
}


@pytest.mark.parametrize(("format", "data", "expected"), AS_PUBLISHED.values(), ids=AS_PUBLISHED.keys())
def test_what_image_transport_publishes_has_its_colours(format, data, expected):
    assert np.array_equal(decode_compressed(format, data), expected)


@pytest.mark.parametrize("format", ["bayer_rggb8; png compressed ", "bayer_rggb8; tiff compressed "])
@pytest.mark.parametrize("factor", [1, 16, HIGH])
def test_a_coded_mosaic_is_demosaiced(format, factor):
    words = MOSAIC if factor == 1 else MOSAIC.astype(np.uint16) * factor
    ending = ".png" if "png" in format else ".tiff"
    decoded = decode_compressed(format.replace("8;", "8;" if factor == 1 else "16;"), as_published(words, ending))
    inside = (slice(2, -2), slice(2, -2))  # at the border, neighbours are missing
    assert np.abs(decoded[inside].astype(int) - RGB[inside]).max() <= 2


@pytest.mark.parametrize("stored", ["mono8", "bgr8"])
def test_the_coded_picture_of_a_bayer_topic_is_left_as_it_is(stored):
    picture = GREY if stored == "mono8" else BGR
    decoded = decode_compressed(f"bayer_rggb8; png compressed {stored}", as_published(picture, ".png"))
    assert np.array_equal(decoded, GREY_RGB if stored == "mono8" else RGB)


def lying_on_its_side(rgb) -> bytes:
    """A JPEG whose EXIF data says that it is to be turned by a quarter."""
    jpeg = encode_jpeg(rgb, 95)
    tags = b"MM\x00*\x00\x00\x00\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\x00\x00" + tags
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


def test_a_file_is_turned_upright_and_a_message_is_not():
    data = lying_on_its_side(RGB)
    assert decode_file(data).shape == (48, 32, 3)
    assert decode_compressed("jpeg", data).shape == (32, 48, 3)
    assert np.array_equal(decode_compressed("jpeg", data), decode_compressed("jpeg", encode_jpeg(RGB, 95)))


def test_floating_point_is_no_picture():
    data = as_published(GREY.astype(np.float32), ".tiff")
    for read in (decode_file, lambda data: decode_compressed("", data)):
        with pytest.raises(ImageError, match="float32, which are not a picture"):
            read(data)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tiff_says_its_size_in_either_byte_order(order):
    strip = GREY.tobytes()
    tags = [(256, 3, 48), (257, 3, 32), (258, 3, 8), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 3, 32)]
    tags.append((279, 4, len(strip)))
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, 1) + struct.pack(f"{order}{'H2x' if kind == 3 else 'I'}", value)
        for tag, kind, value in tags
    )
    start = b"II*\x00" if order == "<" else b"MM\x00*"
    data = start + struct.pack(f"{order}I", 8 + len(strip)) + strip
    data += struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    assert np.array_equal(decode_file(data), GREY_RGB)
    bomb = data.replace(struct.pack(f"{order}HHIH", 256, 3, 1, 48), struct.pack(f"{order}HHIH", 256, 3, 1, 65535))
    bomb = bomb.replace(struct.pack(f"{order}HHIH", 257, 3, 1, 32), struct.pack(f"{order}HHIH", 257, 3, 1, 65535))
    with pytest.raises(ImageError, match="beyond"):
        decode_file(bomb)


def test_bytes_after_a_jpeg_are_padding():
    rgb = smooth_rgb()
    assert decode_compressed("jpeg", encode_jpeg(rgb) + bytes(512)).shape == rgb.shape


@pytest.mark.parametrize("format", ["jpeg", "png", "tiff"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.9, 0.99])
def test_a_cut_off_image_is_an_error_and_not_a_grey_picture(rgb, format, share):
    data = as_published(rgb, f".{format}")
    with pytest.raises(ImageError):
        decode_compressed(format, data[: int(share * len(data))])


def test_a_cut_off_jpeg_with_a_thumbnail_is_an_error():
    thumbnail, picture = encode_jpeg(smooth_rgb(8, 8)), encode_jpeg(smooth_rgb())
    exif = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = picture[:2] + exif + picture[2:]
    assert decode_compressed("jpeg", whole).shape == (32, 48, 3)
    with pytest.raises(ImageError, match="cut off"):
        decode_compressed("jpeg", whole[:-40])


BAD_FILES = {
    "nothing": ("jpeg", b"", "no data"),
    "text": ("jpeg", b"<html>404</html>", "not a JPEG, PNG or TIFF"),
    "depth as png": ("16UC1; compressedDepth png", b"\x89PNG", "depth image"),
    "depth as rvl": ("16UC1; compressedDepth rvl", bytes(40), "depth image"),
    "depth as tiff": ("32FC1; tiff compressed ", b"II*\x00" + bytes(40), "'32FC1; tiff compressed ' is a depth image"),
    "video": ("h264", b"\x00\x00\x00\x01\x67" + bytes(50), "'h264' is video"),
    "another codec": ("zstd", b"\x28\xb5\x2f\xfd" + bytes(50), "starts with 28 b5 2f fd"),
    "tiff without a directory": ("tiff", b"II*\x00" + bytes(40), "tiff of 44 bytes is cut off or damaged"),
    "tiff whose directory is outside": ("tiff", b"II*\x00\xff\xff\xff\xff", "cut off or damaged"),
    "jpeg of noise": ("jpeg", b"\xff\xd8" + bytes(range(256)) * 4, "before its size"),
    "jpeg without a scan": ("jpeg", encode_jpeg(smooth_rgb()).split(b"\xff\xda")[0] + b"\xff\xd9", "cut off"),
}


@pytest.mark.parametrize(("format", "data", "says"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_broken_file_says_what_is_wrong(format, data, says):
    with pytest.raises(ImageError, match=says):
        decode_compressed(format, data)


def test_a_flipped_bit_in_a_png_is_found(rgb):
    data = bytearray(encode_png(rgb))
    data[len(data) // 2] ^= 4
    with pytest.raises(ImageError, match="checksum"):
        decode_compressed("png", data)


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_decompression_bomb_is_refused_before_it_is_decoded(rgb, kind):
    if kind == "jpeg":
        data = bytearray(encode_jpeg(rgb))
        frame = data.index(b"\xff\xc0")
        data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    else:
        data = bytearray(encode_png(rgb))
        data[16:24] = (2**20).to_bytes(4, "big") * 2
        data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(ImageError, match="beyond"):
        decode_compressed(kind, data)


@settings(max_examples=200)
@given(
    damage=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
    is_jpeg=st.booleans(),
)
def test_damaged_bytes_give_an_image_or_an_image_error(damage, is_jpeg):
    data = bytearray(encode_jpeg(smooth_rgb()) if is_jpeg else encode_png(smooth_rgb()))
    for place, value in damage:
        data[place % len(data)] = value
    try:
        decoded = decode_compressed("", data)
    except ImageError:
        return
    assert decoded.ndim == 3 and decoded.dtype == np.uint8
