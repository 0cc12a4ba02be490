"""What is a time, for every image that comes in."""

import pytest

from vitron_ros.errors import ImageError
from vitron_ros.frame import ns_from_stamp


@pytest.mark.parametrize(("sec", "nanosec"), [(0, 0), (0, 1), (12, 999_999_999), (2**31 - 1, 999_999_999)])
def test_a_stamp_is_its_nanoseconds(sec, nanosec):
    assert ns_from_stamp(sec, nanosec) == sec * 1_000_000_000 + nanosec


@pytest.mark.parametrize(("sec", "nanosec"), [(-1, 0), (0, -1), (0, 10**9), (5, 2**32 - 1), (2**31, 0), (-(2**31), 5)])
def test_what_is_no_time_is_refused(sec, nanosec):
    with pytest.raises(ImageError, match=f"{sec} s and {nanosec} ns, is not a valid time"):
        ns_from_stamp(sec, nanosec)
