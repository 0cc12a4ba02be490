"""Recordings that we read: real and written, whole, damaged, empty and ambiguous."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_png
from vitron_ros.interfaces import bag_types
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag, read_images

FIDUCIALS = Path(__file__).parents[3] / "shared" / "data" / "bag-fiducials"
PERIOD_NS = 40_000_000
TOPIC = "/camera/image_raw"


def frame(index: int, stamp_ns: int | None = None, size: tuple[int, int] = (24, 32)) -> Frame:
    rgb = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(
        rgb=rgb, stamp_ns=(index + 1) * PERIOD_NS if stamp_ns is None else stamp_ns, frame_id="cam", index=index
    )


def write_bag(path: Path, frames: list[Frame], topic: str = TOPIC) -> Path:
    with BagWriter(path) as bag:
        for log_ns, each in enumerate(frames, 1):
            bag.write(topic, bag_messages.image(each), log_ns)
    return path


def assert_same(read: list[Frame], frames: list[Frame]) -> None:
    assert [(each.index, each.stamp_ns, each.frame_id) for each in read] == [
        (each.index, each.stamp_ns, each.frame_id) for each in frames
    ]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(read, frames, strict=True))


@pytest.mark.data
@pytest.mark.skipif(not FIDUCIALS.exists(), reason="the development footage is not beside the checkout")
@pytest.mark.parametrize("name", ["ros2_mcap", "ros2_mcap/ros2_mcap.mcap", "aruco_images.bag"])
def test_a_real_recording_of_a_raspberry_pi_reads(name):
    (read,) = read_images(FIDUCIALS / name)
    assert (read.width, read.height, read.frame_id) == (1280, 960, "raspicam")
    assert read.stamp_ns == 1491682360314066469
    assert 30 < read.rgb.mean() < 220


def test_a_directory_and_its_file_give_the_frames_that_were_written(tmp_path):
    frames = [frame(index) for index in range(5)]
    path = write_bag(tmp_path / "bag", frames)
    assert_same(list(read_images(path)), frames)
    assert_same(list(read_images(path / "bag.mcap")), frames)


def test_sqlite3_reads(tmp_path):
    frames = [frame(index) for index in range(3)]
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection(TOPIC, "sensor_msgs/msg/Image", typestore=bag_types())
        for log_ns, each in enumerate(frames):
            message = bag_messages.image(each)
            writer.write(connection, log_ns, bag_types().serialize_cdr(message, message.__msgtype__))
    assert_same(list(read_images(tmp_path / "bag")), frames)
    assert_same(list(read_images(next((tmp_path / "bag").glob("*.db3")))), frames)


def test_a_directory_without_metadata_reads_all_its_files_in_order(tmp_path):
    first = write_bag(tmp_path / "first", [frame(0), frame(1)])
    second = write_bag(tmp_path / "second", [frame(2)])
    split = tmp_path / "split"
    split.mkdir()
    shutil.copy(first / "first.mcap", split / "split_0.mcap")
    shutil.copy(second / "second.mcap", split / "split_1.mcap")
    assert_same(list(read_images(split)), [frame(0), frame(1), frame(2)])


def test_an_image_that_cannot_be_decoded_is_counted_and_the_rest_goes_on(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for index in range(4):
            data = encode_png(frame(index).rgb)
            whole = index != 2
            message = bag_messages.compressed_image(data if whole else data[:50], (index + 1) * PERIOD_NS, format="png")
            bag.write("/image/compressed", message, index)
        bag.write_raw("/image/compressed", "sensor_msgs/msg/CompressedImage", b"\x00\x01\x00\x00\x05", 4)
    bad: dict[int, ImageError] = {}
    read = list(read_images(tmp_path / "bag", on_bad=bad.__setitem__))
    assert [each.index for each in read] == [0, 1, 3]
    assert sorted(bad) == [2, 4]
    assert "cut off" in str(bad[2])
    assert "cannot be read" in str(bad[4])


def test_by_default_a_bad_image_is_logged(tmp_path, caplog):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/image/compressed", bag_messages.compressed_image(b"no picture", 1), 1)
    assert list(read_images(tmp_path / "bag")) == []
    assert "image 0 left out" in caplog.text


def test_missing_stamps_become_the_time_of_recording_and_are_told_once(tmp_path, caplog):
    path = write_bag(tmp_path / "bag", [frame(index, stamp_ns=0) for index in range(3)])
    with caplog.at_level(logging.WARNING):
        assert [each.stamp_ns for each in read_images(path)] == [1, 2, 3]
    assert caplog.text.count("have no stamp") == 1


def test_several_image_topics_must_be_chosen_from(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for topic in ("/left", "/right"):
            bag.write(topic, bag_messages.image(frame(0)), 1)
    with pytest.raises(SourceError, match="choose one of /left, /right"):
        read_images(tmp_path / "bag")
    with pytest.raises(SourceError, match="no image topic /up; choose one of /left, /right"):
        read_images(tmp_path / "bag", "/up")
    assert len(list(read_images(tmp_path / "bag", "/right"))) == 1


def test_a_bag_without_images_says_what_it_has(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/info", bag_messages.camera_info(4, 4, 1), 1)
    with pytest.raises(SourceError, match="no topic with images, only /info"):
        read_images(tmp_path / "bag")


def test_an_empty_bag_says_so(tmp_path):
    with BagWriter(tmp_path / "bag"):
        pass
    with pytest.raises(SourceError, match="only nothing"):
        read_images(tmp_path / "bag")


def empty_file(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def text_file(path: Path) -> Path:
    path.write_text("this is not a recording " * 50)
    return path


def empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


def folder_with_bad_metadata(path: Path) -> Path:
    path.mkdir()
    (path / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    return path


NO_BAGS = {
    "missing": (lambda path: path, "nowhere", "does not exist"),
    "empty mcap": (empty_file, "x.mcap", "it is not an MCAP file"),
    "empty db3": (empty_file, "x.db3", "cannot be opened"),
    "empty ros 1 bag": (empty_file, "x.bag", "no ROS 1 bag"),
    "text as mcap": (text_file, "x.mcap", "it is not an MCAP file"),
    "text as db3": (text_file, "x.db3", "cannot be opened"),
    "text as ros 1 bag": (text_file, "x.bag", "no ROS 1 bag"),
    "other suffix": (text_file, "x.txt", "ends in .mcap, .db3, .bag"),
    "empty folder": (empty_folder, "x", "not a bag"),
    "bad metadata": (folder_with_bad_metadata, "x", "not a bag"),
}


@pytest.mark.parametrize(("make", "name", "says"), NO_BAGS.values(), ids=NO_BAGS.keys())
def test_what_is_no_bag_is_refused_with_its_name(tmp_path, make, name, says):
    with pytest.raises(SourceError, match=says) as caught:
        read_images(make(tmp_path / name))
    assert name in str(caught.value)


NO_TIMES = [(1_700_000_000, 1_000_000_000), (5, 2**32 - 1), (-1, 0), (-(2**31), 999_999_999)]


@pytest.mark.parametrize(("sec", "nanosec"), NO_TIMES)
def test_an_image_whose_stamp_is_no_time_is_a_bad_image(tmp_path, sec, nanosec):
    with BagWriter(tmp_path / "bag") as bag:
        for index in range(3):
            message = bag_messages.image(frame(index))
            if index == 1:
                message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
            bag.write(TOPIC, message, index + 1)
    bad: dict[int, ImageError] = {}
    assert [each.index for each in read_images(tmp_path / "bag", on_bad=bad.__setitem__)] == [0, 2]
    assert f"its stamp, {sec} s and {nanosec} ns, is not a valid time" in str(bad[1])


def test_a_time_of_recording_that_is_no_time_does_not_stand_in(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write(TOPIC, bag_messages.image(frame(0, stamp_ns=0)), 2**31 * 10**9)
    bad: dict[int, ImageError] = {}
    assert list(read_images(tmp_path / "bag", on_bad=bad.__setitem__)) == []
    assert "is not a valid time" in str(bad[0])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_bag_that_breaks_off_gives_what_was_readable_and_then_says_so(tmp_path, share):
    frames = [frame(index, size=(240, 320)) for index in range(40)]
    file = write_bag(tmp_path / "bag", frames) / "bag.mcap"
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])
    read = []
    with pytest.raises(SourceError, match="breaks off after"):
        for each in read_images(tmp_path / "bag"):
            read.append(each)
    assert len(read) >= (share - 0.2) * len(frames)
    assert_same(read, frames[: len(read)])


def test_damage_inside_a_bag_gives_what_came_before(tmp_path):
    frames = [frame(index, size=(240, 320)) for index in range(40)]
    file = write_bag(tmp_path / "bag", frames) / "bag.mcap"
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 1_500_000] = bytes(1_500_000)  # more than one chunk
    file.write_bytes(data)
    read = []
    with pytest.raises(SourceError, match="breaks off"):
        for each in read_images(tmp_path / "bag"):
            read.append(each)
    assert_same(read, frames[: len(read)])
    assert read


def test_values_of_12_bits_are_told_of_once_and_shown_alike_in_every_image(tmp_path):
    background = np.linspace(300, 3000, 24 * 32).astype("<u2").reshape(24, 32)
    with BagWriter(tmp_path / "bag") as bag:
        for index in range(4):
            message = bag_messages.image(frame(index))
            words = background.copy()
            words[:8, :8] = 1000 * index
            message.encoding, message.step, message.data = "mono16", 64, words.reshape(-1).view(np.uint8)
            bag.write(TOPIC, message, index)
    told: list[str] = []
    images = [each.rgb for each in Bag(tmp_path / "bag").images(warn=told.append)]
    assert len(told) == 1 and f"{TOPIC}: 16-bit values" in told[0]
    for index, rgb in enumerate(images):
        assert np.array_equal(rgb[8:, :, 0], background[8:] >> 4)
        assert (rgb[:8, :8] == 1000 * index >> 4).all()


def test_topics_are_counted(tmp_path):
    bag = Bag(write_bag(tmp_path / "bag", [frame(0), frame(1)]))
    assert {name: (topic.type, topic.count) for name, topic in bag.topics.items()} == {
        TOPIC: ("sensor_msgs/msg/Image", 2)
    }
