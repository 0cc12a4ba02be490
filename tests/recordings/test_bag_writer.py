"""Recordings that we write: complete ones, and what a full disk leaves behind."""

import errno
import io
import resource
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.interfaces import message_texts
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag, read_images
from vitron_ros.tracking.track import TrackSnapshot, TrackState

PERIOD_NS = 33_000_000


def noise_frame(index: int, size: tuple[int, int] = (48, 64)) -> Frame:
    rgb = np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Frame(rgb=rgb, stamp_ns=(index + 1) * PERIOD_NS, frame_id="camera", index=index)


def snapshot() -> TrackSnapshot:
    return TrackSnapshot(
        id=3,
        phrase="the red mug",
        label="mug",
        state=TrackState.PREDICTED,
        box_xyxy=np.array([1.5, 2, 30, 40]),
        score=0.75,
        velocity=np.array([-4.0, 8.0]),
        grounded_ns=1_500_000_000,
        age_ns=2_250_000_000,
    )


def test_every_message_reads_back_with_an_independent_reader(tmp_path):
    """mcap-ros2-support takes the types from the file itself, so wrong definitions in it would show."""
    frame, info = noise_frame(0), bag_messages.camera_info(64, 48, PERIOD_NS, "camera")
    jpeg = encode_jpeg(frame.rgb)
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/image", bag_messages.image(frame), PERIOD_NS)
        bag.write("/image/compressed", bag_messages.compressed_image(jpeg, PERIOD_NS, "camera"), PERIOD_NS)
        bag.write("/camera_info", info, PERIOD_NS)
        bag.write("/tracks", bag_messages.track_array([snapshot()], PERIOD_NS, (64, 48), skipped=2), PERIOD_NS)
        bag.write("/diagnostics", bag_messages.diagnostics("vitron", 1, "slow", {"rate_hz": 12.5}, 5), PERIOD_NS)
    with (tmp_path / "bag" / "bag.mcap").open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        assert reader.get_header().profile == "ros2"
        read = {channel.topic: message for _, channel, _, message in reader.iter_decoded_messages()}
    assert read["/image"].encoding == "rgb8"
    assert bytes(read["/image"].data) == frame.rgb.tobytes()
    assert bytes(read["/image/compressed"].data) == jpeg
    assert (read["/camera_info"].width, read["/camera_info"].height) == (64, 48)
    tracks = read["/tracks"]
    assert (tracks.width, tracks.height, tracks.skipped, tracks.header.stamp.nanosec) == (64, 48, 2, PERIOD_NS)
    track = tracks.tracks[0]
    assert (track.id, track.phrase, track.label, track.state) == (3, "the red mug", "mug", 2)
    assert list(track.box) == [1.5, 2, 30, 40]
    assert list(track.velocity) == [-4, 8]
    assert (track.age.sec, track.age.nanosec) == (2, 250_000_000)
    assert read["/diagnostics"].status[0].values[0].value == "12.5"


def test_the_metadata_is_what_rosbag2_expects(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for index in range(4):
            bag.write("/image", bag_messages.image(noise_frame(index)), index * PERIOD_NS)
    information = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert information["storage_identifier"] == "mcap"
    assert information["relative_file_paths"] == ["bag.mcap"]
    assert information["message_count"] == 4
    assert information["duration"] == {"nanoseconds": 3 * PERIOD_NS}
    topic = information["topics_with_message_count"][0]["topic_metadata"]
    assert (topic["name"], topic["type"], topic["serialization_format"]) == ("/image", "sensor_msgs/msg/Image", "cdr")
    # The hash that ROS 2 itself gives sensor_msgs/msg/Image.
    assert topic["type_description_hash"].startswith(
        "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"
    )


def test_the_types_of_every_interface_are_known(tmp_path):
    assert "vitron_msgs/msg/TrackArray" in message_texts()
    with BagWriter(tmp_path / "bag") as bag:
        for name in message_texts():
            bag.write_raw(f"/{name}", name, b"\x00\x01\x00\x00", 1)
    assert {topic.type for topic in Bag(tmp_path / "bag").topics.values()} == set(message_texts())


def test_an_existing_path_is_not_overwritten(tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(SourceError, match="exists already"):
        BagWriter(tmp_path / "bag")


def test_an_error_of_the_caller_leaves_a_complete_bag(tmp_path):
    with pytest.raises(ZeroDivisionError), BagWriter(tmp_path / "bag") as bag:
        bag.write("/image", bag_messages.image(noise_frame(0)), PERIOD_NS)
        1 / 0  # noqa: B018
    assert len(list(read_images(tmp_path / "bag"))) == 1


def written_until_it_fails(path: Path) -> int:
    count = 0
    with pytest.raises(SourceError, match="cannot be written") as caught, BagWriter(path) as bag:
        for count in range(200):
            bag.write("/image", bag_messages.image(noise_frame(count, (240, 320))), (count + 1) * PERIOD_NS)
    assert str(path) in str(caught.value)
    return count


def check_what_is_left(path: Path, count: int) -> None:
    frames = []
    with pytest.raises(SourceError, match="breaks off"):
        for frame in read_images(path):
            frames.append(frame)
    assert 0 < len(frames) <= count
    assert np.array_equal(frames[-1].rgb, noise_frame(len(frames) - 1, (240, 320)).rgb)


def test_a_file_that_may_not_grow_keeps_what_was_written(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000_000, hard))
    try:
        count = written_until_it_fails(tmp_path / "bag")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert count < 40
    check_what_is_left(tmp_path / "bag", count)


class FullDisk(io.FileIO):
    """A file on a disk with room for 5 MB."""

    def write(self, data):
        if self.tell() + len(data) > 5_000_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


def test_a_full_disk_keeps_what_was_written(tmp_path, monkeypatch):
    path_open = Path.open

    def open_on_full_disk(self, mode="r", *arguments, **options):
        if self.suffix == ".mcap" and "x" in mode:
            return io.BufferedWriter(FullDisk(self, "xb"))
        return path_open(self, mode, *arguments, **options)

    monkeypatch.setattr(Path, "open", open_on_full_disk)
    count = written_until_it_fails(tmp_path / "bag")
    check_what_is_left(tmp_path / "bag", count)
