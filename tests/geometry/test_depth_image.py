"""Depth messages: units, byte order, padding, holes, and what is refused."""

import numpy as np
import pytest

from vitron_ros.errors import ImageError
from vitron_ros.geometry.depth_image import Unit, decode_depth

METRES = np.array([[0.5, 1.25, 4.0], [2.0, 0.0, 9.999]])


def decoded(values, encoding, *, pad=0, is_bigendian=False, cut=0):
    kind = np.dtype("f4" if encoding == "32FC1" else "u2").newbyteorder(">" if is_bigendian else "<")
    rows = np.asarray(values).astype(kind)
    row_bytes = rows.shape[1] * kind.itemsize
    data = b"".join(row.tobytes() + b"\xff" * pad for row in rows)
    data = data[: len(data) - pad - cut]
    return decode_depth(encoding, rows.shape[1], rows.shape[0], row_bytes + pad, is_bigendian, data, stamp_ns=1)


def metres(depth):
    rows, columns = np.indices(depth.values.shape)
    return depth.metres(columns.ravel(), rows.ravel()).reshape(depth.values.shape)


@pytest.mark.parametrize("pad", [0, 3, 8])
@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize(("encoding", "unit"), [("16UC1", 0.001), ("mono16", 0.001), ("32FC1", 1.0)])
def test_depth_is_read_in_metres(encoding, unit, is_bigendian, pad):
    depth = decoded(METRES / unit, encoding, pad=pad, is_bigendian=is_bigendian)
    expected = np.where(METRES > 0, METRES, np.nan)
    np.testing.assert_allclose(metres(depth), expected, rtol=1e-6)


def test_zero_nan_infinity_and_negative_numbers_are_holes():
    depth = decoded([[0.0, np.nan, np.inf, -np.inf, -1.0, 1.0]], "32FC1")
    np.testing.assert_array_equal(metres(depth), [[np.nan] * 5 + [1.0]])


@pytest.mark.parametrize(
    ("encoding", "changes", "said"),
    [
        ("rgb8", {}, "is no depth"),
        ("", {}, "is no depth"),
        ("16UC1", {"width": 0}, "no pixels"),
        ("16UC1", {"step": 5}, "with step 5"),
        ("32FC1", {"step": 12, "cut": 1}, "has 24 bytes, this has 23"),
        ("16UC1", {"width": 10**6, "height": 10**6, "step": 2 * 10**6}, "damaged or hostile"),
    ],
)
def test_a_message_that_is_no_depth_image_is_refused(encoding, changes, said):
    step = changes.get("step", 6)
    data = bytes(2 * step - changes.get("cut", 0))
    with pytest.raises(ImageError, match=said):
        decode_depth(encoding, changes.get("width", 3), changes.get("height", 2), step, False, data, stamp_ns=1)


@pytest.mark.parametrize(
    ("values", "encoding", "unit"),
    [
        (np.full((60, 80), 1.5), "32FC1", Unit.PLAUSIBLE),
        (np.full((60, 80), 1500.0), "32FC1", Unit.MILLIMETRES),
        (np.full((60, 80), 1500), "16UC1", Unit.PLAUSIBLE),
        (np.full((60, 80), 3), "16UC1", Unit.METRES),
        (np.zeros((60, 80)), "16UC1", Unit.PLAUSIBLE),  # nothing can be said of holes
        (np.full((60, 80), np.nan), "32FC1", Unit.PLAUSIBLE),
        (np.where(np.arange(80) < 20, np.inf, 80.0)[None].repeat(60, axis=0), "32FC1", Unit.PLAUSIBLE),
    ],
)
def test_a_wrong_unit_is_told_by_its_values(values, encoding, unit):
    assert decoded(values, encoding).unit() is unit
