"""`vitron convert`: what goes into a folder or video comes out of the bag."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitron_ros.cli.convert import convert
from vitron_ros.cli.main import main
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.images.codec import encode_jpeg, encode_png
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag, read_images
from vitron_ros.recordings.ground_truth import read_ground_truth
from vitron_ros.recordings.video_writer import VideoWriter

COWS = Path(__file__).parents[3] / "shared" / "data" / "davis-cows"
IMAGE_TOPIC = "/camera/image_raw/compressed"


def picture(index: int, width: int = 64, height: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x + 5 * index, y + 3 * index, x + y], axis=-1).astype(np.uint8)


@pytest.fixture
def sequence(tmp_path):
    frames = tmp_path / "sequence" / "frames"
    frames.mkdir(parents=True)
    for index in range(5):
        (frames / f"{index:06d}.jpg").write_bytes(encode_jpeg(picture(index)))
    (tmp_path / "sequence" / "groundtruth.txt").write_text("".join(f"{i},2,10,20\n" for i in range(5)))
    return tmp_path / "sequence"


def test_jpeg_files_go_in_byte_for_byte_with_their_boxes(sequence, tmp_path, capsys):
    bag = tmp_path / "bag"
    assert main(["convert", str(sequence), str(bag), "--fps", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "bag": str(bag),
        "frames": 5,
        "left_out": 0,
        "bad_frames": [],
        "fps": 20.0,
        "damage": "",
    }
    messages = list(Bag(bag).messages([IMAGE_TOPIC]))
    files = sorted((sequence / "frames").iterdir())
    assert [bytes(message.value.data) for message in messages] == [file.read_bytes() for file in files]
    frames = list(read_images(bag))
    assert np.diff([frame.stamp_ns for frame in frames]).tolist() == [50_000_000] * 4
    truth = read_ground_truth(bag)
    assert [truth[frame.stamp_ns][0].box_xyxy.tolist() for frame in frames] == [[i, 2, i + 10, 22] for i in range(5)]
    info = next(Bag(bag).messages(["/camera/camera_info"])).value
    assert (info.width, info.height, info.header.frame_id) == (64, 48, frames[0].frame_id)


def test_a_folder_without_boxes_has_no_true_boxes(sequence, tmp_path):
    (sequence / "groundtruth.txt").unlink()
    convert(str(sequence), tmp_path / "bag")
    assert set(Bag(tmp_path / "bag").topics) == {IMAGE_TOPIC, "/camera/camera_info"}


def test_a_video_and_a_bag_can_be_converted(tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 30, (64, 48)) as film:
        for index in range(6):
            film.write(picture(index), index * 33_333_333)
    result = convert(str(tmp_path / "clip.mp4"), tmp_path / "bag")
    assert (result.frames, result.fps) == (6, 30)
    assert convert(str(tmp_path / "bag"), tmp_path / "again").frames == 6
    first, again = (list(read_images(tmp_path / name)) for name in ("bag", "again"))
    assert [frame.stamp_ns for frame in first] == [frame.stamp_ns for frame in again]
    assert np.abs(first[3].rgb.astype(int) - picture(3)).mean() < 6


def test_a_broken_image_is_left_out_and_counted(sequence, tmp_path, capsys):
    (sequence / "frames" / "000002.jpg").write_bytes(b"\xff\xd8 broken")
    assert main(["convert", str(sequence), str(tmp_path / "bag"), "--json"]) == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert (result["frames"], result["left_out"]) == (4, 1)
    (bad,) = result["bad_frames"]
    assert bad["index"] == 2
    assert bad["reason"].startswith("000002.jpg: the jpeg")
    assert bad["reason"] in printed.err
    boxes = [tracks[0].box_xyxy[0] for tracks in read_ground_truth(tmp_path / "bag").values()]
    assert boxes == [0, 1, 3, 4]  # each image keeps its own box


@pytest.mark.parametrize("leap_s", [-36_000, 36_000])
def test_a_clock_that_is_set_does_not_change_the_rate(tmp_path, leap_s):
    with BagWriter(tmp_path / "leaps") as writer:
        for index in range(8):
            stamp_ns = (50_000 + leap_s * (index > 3)) * SECOND_NS + index * SECOND_NS // 10
            image = bag_messages.compressed_image(encode_jpeg(picture(index)), stamp_ns, "cam", "jpeg")
            writer.write(IMAGE_TOPIC, image, stamp_ns)
    assert convert(str(tmp_path / "leaps"), tmp_path / "bag").fps == 10


def with_exif(jpeg: bytes, orientation: int) -> bytes:
    """As a phone writes it: big-endian TIFF data with one entry, the orientation."""
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


@pytest.mark.parametrize(("orientation", "quarters"), [(1, 0), (3, 2), (6, 1), (8, 3)])
def test_pictures_of_a_phone_stand_upright_in_the_bag(tmp_path, orientation, quarters):
    (tmp_path / "images").mkdir()
    file = with_exif(encode_jpeg(np.rot90(picture(3), quarters), 95), orientation)
    (tmp_path / "images" / "0.jpg").write_bytes(file)
    convert(str(tmp_path / "images"), tmp_path / "bag")
    message = next(Bag(tmp_path / "bag").messages([IMAGE_TOPIC])).value
    coded = cv2.imdecode(np.array(message.data), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    info = next(Bag(tmp_path / "bag").messages(["/camera/camera_info"])).value
    assert coded.shape == (info.height, info.width, 3) == (48, 64, 3)
    assert np.abs(coded.astype(int) - picture(3)).mean() < 6
    assert (bytes(message.data) == file) == (orientation == 1)


def test_a_frame_without_the_target_has_no_true_track(sequence, tmp_path):
    boxes = sequence / "groundtruth.txt"
    boxes.write_text(boxes.read_text().replace("2,2,10,20", "nan,nan,nan,nan"))
    convert(str(sequence), tmp_path / "bag")
    assert [len(tracks) for tracks in read_ground_truth(tmp_path / "bag").values()] == [1, 1, 0, 1, 1]


def test_a_png_folder_is_coded_as_jpeg(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encode_png(picture(0)))
    convert(str(tmp_path / "images"), tmp_path / "bag")
    message = next(Bag(tmp_path / "bag").messages([IMAGE_TOPIC])).value
    assert message.format == "jpeg"
    assert bytes(message.data[:2]) == b"\xff\xd8"


def test_a_bag_that_breaks_off_is_converted_as_far_as_it_goes(tmp_path, capsys):
    noise = np.random.default_rng(1).integers(0, 256, (30, 240, 320, 3), dtype=np.uint8)
    (tmp_path / "images").mkdir()
    for index, rgb in enumerate(noise):
        (tmp_path / "images" / f"{index:02d}.png").write_bytes(encode_png(rgb))
    convert(str(tmp_path / "images"), tmp_path / "whole", quality=98)
    file = tmp_path / "whole" / "whole.mcap"
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])
    assert main(["convert", str(tmp_path / "whole"), str(tmp_path / "bag"), "--json"]) == 1
    printed = capsys.readouterr()
    assert "breaks off" in printed.err
    assert 5 < json.loads(printed.out)["frames"] < 30
    assert len(list(read_images(tmp_path / "bag"))) == json.loads(printed.out)["frames"]


def test_what_cannot_work_is_refused(sequence, tmp_path):
    with pytest.raises(ConfigError, match="quality is 0"):
        convert(str(sequence), tmp_path / "bag", quality=0)
    (tmp_path / "there").mkdir()
    with pytest.raises(SourceError, match="exists already"):
        convert(str(sequence), tmp_path / "there")
    (sequence / "groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(SourceError, match="5 frames but 1 boxes"):
        convert(str(sequence), tmp_path / "bag")
    assert not (tmp_path / "bag").exists()


@pytest.mark.data
@pytest.mark.skipif(not COWS.exists(), reason="the development footage is not beside the checkout")
def test_real_footage_keeps_every_frame_and_box(tmp_path):
    assert convert(str(COWS), tmp_path / "bag", fps=24).frames == 104
    assert len(read_ground_truth(tmp_path / "bag")) == 104
