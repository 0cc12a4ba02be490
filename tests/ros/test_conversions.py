"""Messages that come in: what of them is taken, and what is refused with which words."""

from array import array

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from builtin_interfaces.msg import Duration, Time
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vitron_msgs.action import Converse, RunModule, TrackObject

from vitron_ros.errors import ConfigError, ImageError, RegionError
from vitron_ros.geometry.depth_image import depth_image
from vitron_ros.images.codec import encode_png
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.ros import conversions
from vitron_ros.ros.conversions import (
    duration_from_ns,
    frame_from_message,
    image_message,
    outcome_name,
    request_from_goal,
)
from vitron_ros.streaming.goals import Outcome

pytestmark = pytest.mark.ros

RGB = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
NO_TIMES = [Time(sec=-1), Time(nanosec=10**9), Time(sec=5, nanosec=2**32 - 1)]


def image(encoding="rgb8", step=48, rgb=RGB, **header) -> Image:
    data = array("B", rgb.tobytes())
    return Image(header=Header(**header), height=12, width=16, encoding=encoding, step=step, data=data)


@pytest.mark.parametrize("stamp", NO_TIMES)
def test_a_stamp_that_is_no_time_is_refused_on_an_image_and_in_a_goal(stamp):
    with pytest.raises(ImageError, match="is not a valid time; mend the camera's clock"):
        frame_from_message(image(stamp=stamp), "", IntensityWindow())
    with pytest.raises(RegionError, match=r"the region's image: its stamp, .* is not a valid time"):
        request_from_goal(TrackObject.Goal(prompt="the mug", region_stamp=stamp))


def test_durations_of_a_goal_are_seconds_and_zero_is_the_setting_of_the_node():
    goal = TrackObject.Goal(prompt="the mug", timeout=Duration(sec=1, nanosec=250_000_000))
    request = request_from_goal(goal)
    assert (request.timeout, request.lost_timeout, request.duration) == (1.25, None, None)
    for name in ("timeout", "lost_timeout", "duration"):
        with pytest.raises(ConfigError, match=rf"{name} is -0.5; it must be a finite number that is not negative"):
            request_from_goal(TrackObject.Goal(prompt="the mug", **{name: Duration(sec=-1, nanosec=500_000_000)}))
        with pytest.raises(ConfigError, match=rf"{name} has 1000000000 ns beside its seconds; these go"):
            request_from_goal(TrackObject.Goal(prompt="the mug", **{name: Duration(nanosec=10**9)}))


@pytest.mark.parametrize("nanoseconds", [0, 1, 10**9, -1, -(10**9)])
def test_a_duration_may_be_negative(nanoseconds):
    duration = duration_from_ns(nanoseconds)
    assert duration.sec * 10**9 + duration.nanosec == nanoseconds
    assert 0 <= duration.nanosec < 10**9


@pytest.mark.parametrize("action", [TrackObject, Converse, RunModule])
def test_every_error_code_has_a_name_of_its_own(action):
    result = action.Result
    codes = {name: getattr(result, name) for name in dir(result) if name.isupper()}
    assert {"NONE", "CANCELED", "SHUTDOWN", "INTERNAL_ERROR"} <= codes.keys()
    names = {outcome_name(result(error_code=code)) for code in codes.values()}
    assert names == codes.keys() - {"NONE"} | {"OK"}


def test_the_codes_of_track_are_those_of_the_pipeline():
    for outcome in Outcome:
        assert outcome_name(TrackObject.Result(error_code=int(outcome))) == outcome.name


def test_a_compressed_image_has_the_colours_that_its_format_says():
    swapped = encode_png(RGB[..., ::-1])
    for format, data in {"png": encode_png(RGB), "rgb8; png compressed ": swapped}.items():
        message = CompressedImage(format=format, data=array("B", data))
        assert np.array_equal(frame_from_message(message, "", IntensityWindow()).rgb, RGB)


def test_16_bit_images_of_a_camera_share_its_window():
    window = IntensityWindow()
    words = np.linspace(0, 4000, 12 * 16).astype("<u2").reshape(12, 16)
    bright = frame_from_message(image("mono16", 32, words), "", window).rgb
    dark = frame_from_message(image("mono16", 32, words // 16), "", window).rgb
    assert np.array_equal(bright[..., 0], words >> 4)
    assert np.array_equal(dark[..., 0], words // 16 >> 4)


@pytest.mark.parametrize(("kind", "encoding"), [(np.uint16, "16UC1"), (np.float32, "32FC1")])
def test_depth_is_published_as_it_is_read(kind, encoding):
    depth = np.arange(12, dtype=kind).reshape(3, 4)
    message = image_message(depth, Header(frame_id="lens"))
    assert message.encoding == encoding
    assert np.array_equal(depth_image(message).values, depth)


class Bridge:
    """cv_bridge, where an apt ROS has it."""

    def imgmsg_to_cv2(self, message, encoding):
        if message.encoding == "32FC3":
            return RGB
        raise RuntimeError("Unrecognized image encoding")


def test_cv_bridge_is_asked_only_for_encodings_that_are_not_ours(monkeypatch):
    monkeypatch.setattr(conversions, "CvBridge", Bridge)
    assert np.array_equal(frame_from_message(image("32FC3"), "", IntensityWindow()).rgb, RGB)
    with pytest.raises(ImageError, match=r"encoding 'nv24' is unknown.* \(cv_bridge, asked next: Unrecognized"):
        frame_from_message(image("nv24"), "", IntensityWindow())
    with pytest.raises(ImageError, match=r"^step is 0, but a row of 16 pixels in rgb8 has 48 bytes$"):
        frame_from_message(image(step=0), "", IntensityWindow())
