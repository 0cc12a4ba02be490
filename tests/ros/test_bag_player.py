"""The player as a camera: times, camera_info, JPEGs, /clock, and shared memory that is large enough."""

from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from rclpy.qos import qos_profile_sensor_data
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_srvs.srv import Trigger

from tests.ros.rig import WAIT_S
from tests.ros.test_processes import segments_of
from vitron_ros.frame import Frame
from vitron_ros.geometry.depth_image import depth_image
from vitron_ros.images.compressed import decode_compressed
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag
from vitron_ros.ros.bag_camera import recorded_info
from vitron_ros.ros.bag_player import Timeline, parser
from vitron_ros.ros.conversions import ns_from_time
from vitron_ros.ros_tools.pattern_camera import pictures
from vitron_ros.ros_tools.probe import node_process

SECOND = 10**9
FIRST_NS, PERIOD_NS, COUNT = 1_600_000_000 * SECOND, SECOND // 20, 8


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Eight images at 20 Hz, with the calibration of a camera."""
    path = tmp_path_factory.mktemp("bag") / "recorded"
    shown = pictures(1, 64, 48)
    with BagWriter(path) as made:
        for index in range(COUNT):
            stamp_ns = FIRST_NS + index * PERIOD_NS
            info = bag_messages.camera_info(64, 48, stamp_ns, "lens")
            info.k[:] = [100, 0, 32, 0, 100, 24, 0, 0, 1]
            image = bag_messages.image(Frame(rgb=shown[index], stamp_ns=stamp_ns, frame_id="lens"))
            made.write("/cam/image", image, stamp_ns)
            made.write("/cam/camera_info", info, stamp_ns)
    return path


def timeline(rate=1.0, is_simulated=False):
    stamp_ns = 5 if is_simulated else 1000
    return Timeline(first_ns=5, begin_ns=1000, stamp_ns=stamp_ns, rate=rate, is_simulated=is_simulated)


def test_fresh_stamps_are_the_times_at_which_images_are_due():
    assert [timeline(rate=2.0).stamp_of(recorded) for recorded in (5, 105)] == [1000, 1050]
    assert timeline(rate=2.0).due_ns(105) == 1050


def test_with_a_clock_stamps_are_as_recorded_and_the_clock_runs_faster():
    line = timeline(rate=2.0, is_simulated=True)
    assert [line.stamp_of(recorded) for recorded in (5, 105)] == [5, 105]
    assert line.simulated_ns(line.due_ns(105)) == 105
    assert line.simulated_ns(0) == 0, "no time before the first"


@pytest.mark.parametrize("words", [["--rate", "0"], ["--rate", "nan"], ["--loop", "0"], ["--clock", "-1"]])
def test_numbers_that_play_nothing_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["bag", *words])
    assert "above 0" in capsys.readouterr().err


def test_the_calibration_is_the_one_that_was_recorded_beside_the_images(bag):
    assert list(recorded_info(Bag(bag), "/cam/image").k) == [100, 0, 32, 0, 100, 24, 0, 0, 1]
    assert recorded_info(Bag(bag), "/cam/image/compressed").k[0] == 100
    assert recorded_info(Bag(bag), "/other/image") is None


@pytest.mark.ros
def test_a_recording_is_played_as_a_simulated_camera(probe, bag, monkeypatch):
    """As `ros2 run` starts it: nothing sets Fast DDS's profile for it."""
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    images, infos, clocks = [], [], []
    probe.create_subscription(CompressedImage, "/front/image/compressed", images.append, 10)
    probe.create_subscription(CameraInfo, "/front/camera_info", infos.append, 10)
    probe.create_subscription(Clock, "/clock", clocks.append, qos_profile_sensor_data)
    words = [str(bag), "--clock", "--compressed", "--reliable", "--loop", "2", "--wait"]
    recorded = [FIRST_NS + index * PERIOD_NS for index in range(COUNT)]

    def play():
        """The stamps of the images that came; a busy machine may lose some, or all of one turn."""
        for heard in (images, infos, clocks):
            heard.clear()
        with node_process("ros.bag_player", *words, "--ros-args", "-r", "image:=/front/image") as player:
            probe.settle("bag_player")
            assert max(segment.stat().st_size for segment in segments_of(player)) >= 64 * 2**20
            probe.call(Trigger, "bag_player/start", Trigger.Request())
            probe.spin_until(lambda: player.poll() is not None, WAIT_S, "the end")
            assert player.returncode == 0
        return [ns_from_time(image.header.stamp) for image in images]

    plays = (play() for _ in range(5))
    stamps = next(stamps for stamps in plays if set(recorded) & set(stamps) and stamps[-1] > recorded[-1] and clocks)
    assert all(before < after for before, after in pairwise(stamps)), "time goes on in the second turn"
    assert {str(info.header) for info in infos} & {str(image.header) for image in images}
    assert infos[0].k[0] == 100
    assert decode_compressed(images[0].format, images[0].data).shape == (48, 64, 3)
    times = [ns_from_time(clock.clock) for clock in clocks]
    assert times == sorted(times)
    assert times[0] < stamps[-1] < times[-1] + SECOND


@pytest.mark.ros
def test_depth_is_played_with_the_stamps_of_its_images(probe, tmp_path):
    with BagWriter(tmp_path / "bag") as made:
        for index in range(COUNT):
            stamp_ns = FIRST_NS + index * PERIOD_NS
            image = bag_messages.image(Frame(rgb=pictures(1, 64, 48)[index], stamp_ns=stamp_ns, frame_id="lens"))
            depth = bag_messages.image_of(np.full((48, 64), 1000 + index, np.uint16), stamp_ns, "lens")
            made.write("/cam/image", image, stamp_ns)
            made.write("/cam/depth", depth, stamp_ns)
    images, depths = [], []
    probe.create_subscription(Image, "/image", images.append, qos_profile_sensor_data)
    probe.create_subscription(Image, "/depth", depths.append, qos_profile_sensor_data)

    def have_both_come():
        return len(depths) > 2 and images and depths[-1].header.stamp == images[-1].header.stamp

    with node_process("ros.bag_player", str(tmp_path / "bag"), "--depth", "cam/depth", "--loop", "1000"):
        probe.spin_until(have_both_come, WAIT_S, "depth")
    shared = {str(image.header) for image in images} & {str(depth.header) for depth in depths}
    assert shared
    values = depth_image(depths[-1])
    assert values.size == (64, 48)
    assert 1000 <= values.values[0, 0] < 1000 + COUNT
