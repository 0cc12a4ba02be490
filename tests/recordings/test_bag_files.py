"""Recordings as the field leaves them: compressed, without summary or metadata, half written, of other recorders."""

import bz2
import json
import resource
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import yaml
from mcap.writer import CompressionType, IndexType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_png
from vitron_ros.interfaces import bag_types, ros1_types
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_files import is_bag
from vitron_ros.recordings.bags import Bag

COMPRESSED = "sensor_msgs/msg/CompressedImage"
TOPIC = "/camera/image_raw/compressed"
PERIOD_NS = 40_000_000
COUNT = 12
STAMPS = [1_700_000_000_000_000_000 + PERIOD_NS * index for index in range(COUNT)]


def picture(index: int, size: tuple[int, int] = (24, 32)) -> bytes:
    return encode_png(np.random.default_rng(index).integers(0, 256, (*size, 3), dtype=np.uint8))


def cdr(index: int, size: tuple[int, int] = (24, 32)) -> bytes:
    message = bag_messages.compressed_image(picture(index, size), STAMPS[index], "cam", "png")
    return bytes(bag_types().serialize_cdr(message, COMPRESSED))


def ros1(index: int) -> bytes:
    types = ros1_types()
    stamp = types.types["builtin_interfaces/msg/Time"](*divmod(STAMPS[index], 10**9))
    header = types.types["std_msgs/msg/Header"](seq=index, stamp=stamp, frame_id="cam")
    data = np.frombuffer(picture(index), np.uint8)
    message = types.types[COMPRESSED](header=header, format="png", data=data)
    return bytes(types.serialize_ros1(message, COMPRESSED))


def write_mcap(
    path: Path,
    *,
    type_name: str = COMPRESSED,
    schema: str = "ros2msg",
    encoding: str = "cdr",
    profile: str = "ros2",
    body=cdr,
    topic: str = TOPIC,
    indices=range(COUNT),
    **options,
) -> Path:
    with path.open("wb") as stream:
        writer = McapWriter(stream, **{"chunk_size": 4000, **options})
        writer.start(profile)
        text = bag_types().generate_msgdef(COMPRESSED, ros_version=2)[0].encode()
        channel = writer.register_channel(topic, encoding, writer.register_schema(type_name, schema, text))
        for index in indices:
            writer.add_message(channel, STAMPS[index], body(index), STAMPS[index])
        writer.finish()
    return path


def write_bag(
    path: Path, plugin: StoragePlugin, mode: CompressionMode | None = None, size: tuple[int, int] = (24, 32)
) -> Path:
    writer = Writer(path, version=9, storage_plugin=plugin)
    if mode is not None:
        writer.set_compression(mode, CompressionFormat.ZSTD)
    with writer:
        connection = writer.add_connection(TOPIC, COMPRESSED, typestore=bag_types())
        for index in range(COUNT):
            writer.write(connection, STAMPS[index], cdr(index, size))
    return path


def write_ros1(path: Path, compression=None) -> Path:
    writer = Ros1Writer(path)
    if compression is not None:
        writer.set_compression(compression)
    writer.chunk_threshold = 4000
    with writer:
        connection = writer.add_connection(TOPIC, COMPRESSED, typestore=ros1_types())
        for index in range(COUNT):
            writer.write(connection, STAMPS[index], ros1(index))
    return path


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    return path


def read(path: Path) -> tuple[list[Frame], str]:
    """The images, and what is said of the damage."""
    frames: list[Frame] = []
    try:
        for frame in Bag(path).images():
            frames.append(frame)
    except SourceError as error:
        return frames, str(error)
    return frames, ""


def assert_whole(path: Path) -> None:
    frames, damage = read(path)
    assert damage == ""
    assert [frame.stamp_ns for frame in frames] == STAMPS
    assert Bag(path).topics[TOPIC].count == COUNT


SUMMARIES = {
    "whole": {},
    "channels not repeated": {"repeat_channels": False},
    "types not repeated": {"repeat_schemas": False},
    "neither repeated": {"repeat_channels": False, "repeat_schemas": False},
    "no statistics": {"use_statistics": False},
    "no offsets": {"use_summary_offsets": False},
    "no indices": {"index_types": IndexType.NONE},
    "no index of messages": {"index_types": IndexType.CHUNK},
    "no index of chunks": {"index_types": IndexType.MESSAGE},
    "nothing at all": {
        "index_types": IndexType.NONE,
        "use_statistics": False,
        "repeat_channels": False,
        "repeat_schemas": False,
        "use_summary_offsets": False,
    },
    "no chunks": {"use_chunking": False},
    "no chunks, nothing repeated": {"use_chunking": False, "repeat_channels": False, "repeat_schemas": False},
    "lz4": {"compression": CompressionType.LZ4},
    "not compressed": {"compression": CompressionType.NONE},
    "no profile": {"profile": ""},
    "type as ROS 1 writes it": {"type_name": "sensor_msgs/CompressedImage"},
    "ROS 1": {"body": ros1, "encoding": "ros1", "schema": "ros1msg", "profile": "ros1"},
    "type of DDS": {"type_name": "sensor_msgs::msg::CompressedImage", "schema": "omgidl"},
}


@pytest.mark.parametrize("options", SUMMARIES.values(), ids=SUMMARIES.keys())
def test_an_mcap_is_read_whatever_its_summary_leaves_out(tmp_path, options):
    assert_whole(write_mcap(tmp_path / "x.mcap", **options))


def test_an_mcap_whose_summary_alone_is_cut_off_is_whole(tmp_path):
    path = write_mcap(tmp_path / "x.mcap")
    path.write_bytes(path.read_bytes()[:-60])
    assert_whole(path)


@pytest.mark.parametrize("place", [60, 150, 250])
def test_an_mcap_whose_summary_is_damaged_is_whole(tmp_path, place):
    path = write_mcap(tmp_path / "x.mcap")
    data = bytearray(path.read_bytes())
    data[-place] ^= 255
    path.write_bytes(data)
    assert_whole(path)


def test_a_whole_mcap_is_not_read_to_learn_what_it_holds(tmp_path):
    path = write_mcap(tmp_path / "x.mcap")
    data = bytearray(path.read_bytes())
    data[300:-3000] = bytes(len(data) - 3300)  # the chunks; what opens must not have looked at them
    path.write_bytes(data)
    assert Bag(path).topics[TOPIC].count == COUNT


MODES = {"by file": CompressionMode.FILE, "by message": CompressionMode.MESSAGE, "not": None}


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
@pytest.mark.parametrize("plugin", [StoragePlugin.SQLITE3, StoragePlugin.MCAP], ids=["db3", "mcap"])
def test_a_bag_compressed_in_any_way_is_read_with_its_metadata_without_and_file_by_file(tmp_path, plugin, mode):
    path = write_bag(tmp_path / "bag", plugin, mode)
    assert is_bag(path)
    assert_whole(path)
    (path / "metadata.yaml").unlink()
    assert is_bag(path)
    assert_whole(path)
    (file,) = path.iterdir()
    assert is_bag(file)
    assert_whole(file)


def test_a_file_beside_its_compressed_copy_is_read_once(tmp_path):
    """`ros2 bag play` leaves the decompressed file there."""
    path = write_bag(tmp_path / "bag", StoragePlugin.SQLITE3, CompressionMode.FILE)
    shutil.copy(write_bag(tmp_path / "plain", StoragePlugin.SQLITE3) / "plain.db3", path / "bag.db3")
    assert_whole(path)
    (path / "metadata.yaml").unlink()
    assert_whole(path)


def test_a_compressed_file_that_is_cut_off_gives_what_is_there(tmp_path, caplog):
    path = write_bag(tmp_path / "bag", StoragePlugin.SQLITE3, CompressionMode.FILE, (240, 320))
    (file,) = path.glob("*.zstd")
    frames, damage = read(cut(file, 0.6))
    assert 0 < len(frames) < COUNT
    assert [frame.stamp_ns for frame in frames] == STAMPS[: len(frames)]
    assert f"{file} breaks off after {len(frames)} messages" in damage
    assert f"{file} is damaged" in caplog.text


def test_no_file_is_left_behind_by_a_compressed_recording(tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    bag = Bag(write_bag(tmp_path / "bag", StoragePlugin.SQLITE3, CompressionMode.FILE))
    assert len(list(bag.images())) == COUNT
    del bag
    assert list(place.iterdir()) == []


def test_a_message_whose_compression_is_damaged_is_one_bad_image(tmp_path):
    path = write_mcap(
        tmp_path / "x.mcap", body=lambda index: b"\x28\xb5\x2f\xfd" + bytes(9) if index == 3 else cdr(index)
    )
    bad: dict[int, Exception] = {}
    frames = list(Bag(path).images(on_bad=bad.__setitem__))
    assert [frame.index for frame in frames] == [0, 1, 2, *range(4, COUNT)]
    assert list(bad) == [3]


@pytest.mark.parametrize("compression", [None, Ros1Writer.CompressionFormat.BZ2, Ros1Writer.CompressionFormat.LZ4])
def test_a_ros_1_bag_that_was_not_closed_gives_what_is_there(tmp_path, compression):
    path = write_ros1(tmp_path / "x.bag", compression)
    assert_whole(path)
    data = path.read_bytes()
    # As a recorder that died leaves it: the header still says that there is no index.
    place = data.index(b"index_pos=") + len(b"index_pos=")
    (index,) = struct.unpack_from("<Q", data, place)
    unfinished = tmp_path / "x.bag.active"
    unfinished.write_bytes(data[:place] + bytes(8) + data[place + 8 : index])
    assert is_bag(unfinished)
    assert_whole(unfinished)
    frames, damage = read(cut(path, 0.6))
    assert 0 < len(frames) < COUNT
    assert [frame.stamp_ns for frame in frames] == STAMPS[: len(frames)]
    assert f"breaks off after {len(frames)} messages" in damage


def test_a_db3_that_was_cut_off_gives_what_is_there(tmp_path):
    path = next(write_bag(tmp_path / "bag", StoragePlugin.SQLITE3).glob("*.db3"))
    frames, damage = read(cut(path, 0.7))
    assert 0 < len(frames) < COUNT
    assert [frame.stamp_ns for frame in frames] == STAMPS[: len(frames)]
    assert "breaks off" in damage


def test_a_db3_with_odd_characters_in_its_path_is_read(tmp_path):
    folder = tmp_path / "50% of #1?"
    folder.mkdir()
    path = shutil.copy(next(write_bag(tmp_path / "bag", StoragePlugin.SQLITE3).glob("*.db3")), folder / "a b.db3")
    assert_whole(Path(path))


def change_metadata(path: Path, **values) -> None:
    file = path / "metadata.yaml"
    metadata = yaml.safe_load(file.read_text())
    metadata["rosbag2_bagfile_information"].update(values)
    file.write_text(yaml.safe_dump(metadata))


METADATA = {
    "no storage": {"storage_identifier": ""},
    "another storage": {"storage_identifier": "sqlite3"},
    "a later version": {"version": 99},
    "no topics": {"topics_with_message_count": []},
    "no files": {"relative_file_paths": []},
    "no list of files": {"relative_file_paths": None},
    "a path from elsewhere": {"relative_file_paths": ["/home/somebody/bag/bag.mcap"]},
    "a file twice": {"relative_file_paths": ["bag.mcap", "bag.mcap"]},
    "a renamed file": {"relative_file_paths": ["monday.mcap"]},
    "nothing of duration": {"duration": None, "starting_time": None},
}


@pytest.mark.parametrize("values", METADATA.values(), ids=METADATA.keys())
def test_what_the_metadata_says_wrongly_does_no_harm(tmp_path, values):
    path = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    change_metadata(path, **values)
    assert_whole(path)


@pytest.mark.parametrize("text", ["", "[", "a: 1", "rosbag2_bagfile_information: 3", "rosbag2_bagfile_information: ["])
def test_metadata_that_is_none_does_no_harm(tmp_path, text):
    path = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    (path / "metadata.yaml").write_text(text)
    assert_whole(path)


def test_another_compression_is_named(tmp_path):
    path = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    change_metadata(path, compression_format="lz4", compression_mode="MESSAGE")
    with pytest.raises(SourceError, match=r"compressed with lz4, only zstd is read; .*ros2 bag convert"):
        Bag(path)


def split_bag(tmp_path: Path) -> Path:
    """Twelve files, one for each image."""
    path = tmp_path / "split"
    path.mkdir()
    for index in range(COUNT):
        write_mcap(path / f"split_{index}.mcap", indices=[index])
    names = [f"split_{index}.mcap" for index in range(COUNT)]
    text = yaml.safe_dump({"rosbag2_bagfile_information": {"relative_file_paths": names}})
    (path / "metadata.yaml").write_text(text)
    return path


def test_the_parts_of_a_recording_are_read_in_the_order_of_their_numbers(tmp_path):
    path = split_bag(tmp_path)
    assert_whole(path)
    (path / "metadata.yaml").unlink()
    assert_whole(path)


def test_what_a_system_notes_beside_a_file_is_no_part_of_it(tmp_path):
    path = split_bag(tmp_path)
    (path / "metadata.yaml").unlink()
    (path / "._split_0.mcap").write_bytes(b"\x00\x05\x16\x07")
    assert_whole(path)


def test_a_part_that_is_missing_is_told_and_one_that_is_damaged_keeps_the_others(tmp_path, caplog):
    path = split_bag(tmp_path)
    (path / "split_4.mcap").unlink()
    (path / "split_6.mcap").write_bytes(b"")
    frames, damage = read(path)
    assert [frame.stamp_ns for frame in frames] == [*STAMPS[:4], STAMPS[5], *STAMPS[7:]]
    assert "lists split_4.mcap, which is not there" in caplog.text
    assert "split_6.mcap" in damage


def proto(index: int) -> bytes:
    return b"\x0a\x04\x08\x01\x10\x02" + bytes([index])


def as_json(index: int) -> bytes:
    return json.dumps({"format": "jpeg", "data": "AAAA"}).encode()


FOREIGN = {
    "protobuf": ("foxglove.CompressedImage", "protobuf", proto, "foxglove.CompressedImage in protobuf"),
    "json": ("foxglove.RawImage", "json", as_json, "foxglove.RawImage in json"),
    "video of Foxglove": ("foxglove.CompressedVideo", "protobuf", proto, "CompressedVideo in protobuf"),
    "an image of ROS in json": ("sensor_msgs/msg/CompressedImage", "json", as_json, "CompressedImage in json"),
    "video in ROS 2": ("foxglove_msgs/msg/CompressedVideo", "cdr", proto, "republish foxglove raw"),
    "packets of FFmpeg": ("ffmpeg_image_transport_msgs/msg/FFMPEGPacket", "cdr", proto, "republish ffmpeg raw"),
    "Theora": ("theora_image_transport/msg/Packet", "cdr", proto, "republish theora raw"),
}


@pytest.mark.parametrize(("type_name", "encoding", "body", "says"), FOREIGN.values(), ids=FOREIGN.keys())
@pytest.mark.parametrize("chosen", [None, TOPIC], ids=["alone", "by name"])
def test_images_in_another_form_are_named_with_what_to_do(tmp_path, type_name, encoding, body, says, chosen):
    path = write_mcap(tmp_path / "x.mcap", type_name=type_name, schema="", encoding=encoding, body=body)
    with pytest.raises(SourceError, match=says) as caught:
        Bag(path).images(chosen)
    assert f"{TOPIC} is {type_name} in {encoding}" in str(caught.value)
    assert "record that" in str(caught.value)


def test_a_depth_topic_beside_a_camera_is_not_asked_about(tmp_path):
    path = tmp_path / "bag"
    path.mkdir()
    write_mcap(path / "a.mcap")
    write_mcap(path / "b.mcap", topic="/camera/depth/compressedDepth")
    assert Bag(path).image_topic().name == TOPIC
    assert Bag(path).image_topic("/camera/depth/compressedDepth").count == COUNT


def test_a_topic_is_found_without_its_slash(tmp_path):
    assert Bag(write_mcap(tmp_path / "x.mcap")).image_topic(TOPIC[1:]).name == TOPIC


@pytest.mark.parametrize("name", ["x.bag.bz2", "x.mcap.gz", "x.db3.lz4"])
def test_a_file_that_is_compressed_otherwise_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bz2.compress(b"recording"))
    assert is_bag(path)
    with pytest.raises(SourceError, match="unpack it, or compress it with zstd"):
        Bag(path)


def test_a_disk_too_full_to_decompress_is_an_error(tmp_path):
    path = write_bag(tmp_path / "bag", StoragePlugin.SQLITE3, CompressionMode.FILE, (240, 320))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SourceError, match="set TMPDIR to a place with room"):
            Bag(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_metadata_of_files_that_are_elsewhere_is_no_bag(tmp_path):
    path = write_bag(tmp_path / "bag", StoragePlugin.MCAP)
    (path / "bag.mcap").unlink()
    with pytest.raises(SourceError, match="no file of it is there"):
        Bag(path)
