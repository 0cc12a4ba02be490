"""What a word on the command line opens, and what it says when it opens nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest

from vitron_ros import recordings
from vitron_ros.cli.exit_code import USAGE
from vitron_ros.cli.main import main
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError, UsageError
from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_jpeg, encode_png
from vitron_ros.lfs import START
from vitron_ros.offline.annotated_video import AnnotatedVideo
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.sources import open_source
from vitron_ros.recordings.video_writer import VideoWriter


def grey(value: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 20, (64, 48)) as film:
        for index in range(12):
            film.write(grey(20 * index), SECOND_NS + index * 50_000_000)
    return path


def test_a_video_gives_its_frames_in_order_with_its_own_times(video):
    source = open_source(str(video))
    assert (source.width, source.height, source.fps, source.count) == (64, 48, 20, 12)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.stamp_ns for frame in frames] == [SECOND_NS + 50_000_000 * index for index in range(12)]
    assert all(abs(int(frame.rgb.mean()) - 20 * frame.index) <= 4 for frame in frames)


def test_a_source_can_be_read_twice(video):
    source = open_source(str(video))
    assert [frame.rgb.tobytes() for frame in source] == [frame.rgb.tobytes() for frame in source]


def test_the_rate_of_a_video_can_be_overruled(video):
    source = open_source(str(video), fps=10)
    assert source.fps == 10
    assert np.diff([frame.stamp_ns for frame in source]).tolist() == [100_000_000] * 11


@pytest.mark.parametrize("subfolder", ["", "frames"])
def test_a_folder_is_played_in_the_order_of_its_names(tmp_path, subfolder):
    place = tmp_path / "images" / subfolder
    place.mkdir(parents=True)
    for index in (2, 0, 1):
        (place / f"{index:06d}.png").write_bytes(encode_png(grey(50 * index)))
    (place / "notes.txt").write_text("no image")
    source = open_source(str(tmp_path / "images"))
    assert (source.width, source.height, source.fps, source.count) == (64, 48, 25, 3)
    assert [path.name for path in source.paths] == ["000000.png", "000001.png", "000002.png"]
    assert [(frame.stamp_ns, int(frame.rgb[0, 0, 0])) for frame in source] == [
        (SECOND_NS, 0),
        (SECOND_NS + 40_000_000, 50),
        (SECOND_NS + 80_000_000, 100),
    ]


def test_stamps_do_not_drift_at_a_rate_that_is_no_whole_number_of_nanoseconds(tmp_path):
    for index in range(7):
        (tmp_path / f"{index}.jpg").write_bytes(encode_jpeg(grey(index)))
    stamps = [frame.stamp_ns for frame in open_source(str(tmp_path), fps=24)]
    assert stamps[6] == SECOND_NS + 250_000_000


def test_a_broken_image_of_a_folder_keeps_its_place(tmp_path):
    for index in range(3):
        (tmp_path / f"{index}.jpg").write_bytes(encode_jpeg(grey(0)) if index != 1 else b"\xff\xd8\xff")
    bad: dict[int, Exception] = {}
    source = open_source(str(tmp_path), on_bad=bad.__setitem__)
    assert [frame.index for frame in source] == [0, 2]
    assert "1.jpg" in str(bad[1])
    assert source.count == 3


def test_a_bag_is_opened_with_its_own_rate_and_stamps(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for index in range(4):
            bag.write(
                "/image", bag_messages.image(Frame(rgb=grey(index), stamp_ns=SECOND_NS * 7 + index * 62_500_000)), 5
            )
    source = open_source(str(tmp_path / "bag"))
    assert (source.width, source.height, source.fps, source.count) == (64, 48, 16, 4)
    assert next(iter(source)).stamp_ns == 7 * SECOND_NS


def test_a_topic_is_found_without_its_slash(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        for topic in ("/left/image", "/right/image"):
            bag.write(topic, bag_messages.image(Frame(rgb=grey(7), stamp_ns=SECOND_NS)), 5)
    assert len(list(open_source(str(tmp_path / "bag"), topic="right/image"))) == 1


def test_numbers_in_names_count_as_numbers(tmp_path):
    for index in (0, 1, 2, 9, 10, 11):
        (tmp_path / f"frame_{index}.png").write_bytes(encode_png(grey(20 * index)))
    assert [int(frame.rgb[0, 0, 0]) for frame in open_source(str(tmp_path))] == [0, 20, 40, 180, 200, 220]


def test_time_begins_with_the_first_image_and_notes_of_the_system_are_none(tmp_path):
    for index in range(3):
        (tmp_path / f"._{index}.jpg").write_bytes(b"\0\5\x16\7" + bytes(100))
        (tmp_path / f"{index}.jpg").write_bytes(encode_jpeg(grey(0)) if index else b"cut")
    bad: dict[int, Exception] = {}
    source = open_source(str(tmp_path), on_bad=bad.__setitem__)
    assert source.count == 3
    assert [(frame.index, frame.stamp_ns) for frame in source] == [(1, SECOND_NS), (2, SECOND_NS + 40_000_000)]
    assert list(bad) == [0]


def test_images_of_a_kind_that_is_not_read_are_named(tmp_path):
    (tmp_path / "0.png").write_bytes(encode_png(grey(0)))
    (tmp_path / "1.bmp").write_bytes(b"BM" + bytes(60))
    bad: dict[int, Exception] = {}
    assert len(list(open_source(str(tmp_path), on_bad=bad.__setitem__))) == 1
    assert "1.bmp: the image is not a JPEG, PNG or TIFF" in str(bad[1])


def test_an_image_file_is_a_source_of_one_frame(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(encode_jpeg(grey(90)))
    (frame,) = open_source(str(tmp_path / "photo.jpg"))
    assert (frame.width, frame.height, frame.stamp_ns) == (64, 48, SECOND_NS)


@pytest.mark.parametrize("text", ["rtsp://camera/stream", "https://example.org/a.mp4", "file:///tmp/a.mp4"])
def test_urls_are_not_taken(text):
    with pytest.raises(SourceError, match="is a URL"):
        open_source(text)


def test_without_pyav_bags_and_folders_play_on_and_a_video_says_what_to_install(tmp_path, video, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for part in ("video_reader", "video_writer"):
        monkeypatch.delitem(sys.modules, f"vitron_ros.recordings.{part}", raising=False)
        monkeypatch.delattr(recordings, part, raising=False)
    with pytest.raises(SourceError, match="pip install 'av>=14'"):
        open_source(str(video))
    video = AnnotatedVideo(tmp_path / "film.mp4", 25, (64, 48))
    assert "pip install 'av>=14'" in video.problem


def folder_of_nothing(path):
    path.mkdir()


def folder_of_broken_images(path):
    path.mkdir()
    (path / "a.jpg").write_bytes(b"nothing")


def text_as_video(path):
    path.write_text("no video")


def bag_of_broken_images(path):
    with BagWriter(path) as bag:
        bag.write("/image/compressed", bag_messages.compressed_image(b"nothing", 1), 1)


BAD_SOURCES = {
    "missing": ("missing.mp4", lambda path: None, "does not exist"),
    "empty folder": ("folder", folder_of_nothing, "has no images"),
    "folder of broken images": (
        "folder",
        folder_of_broken_images,
        "of .* can be read; a.jpg: the image is not a JPEG",
    ),
    "text": ("clip.mp4", text_as_video, "not a readable video"),
    "bag of broken images": ("bag", bag_of_broken_images, "no image on /image/compressed"),
}


@pytest.mark.parametrize(("name", "make", "says"), BAD_SOURCES.values(), ids=BAD_SOURCES.keys())
def test_a_source_that_cannot_be_read_says_why(tmp_path, name, make, says):
    make(tmp_path / name)
    with pytest.raises(SourceError, match=says):
        open_source(str(tmp_path / name))


@pytest.mark.parametrize("fps", [0, -5, 1e-9, 1e9, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(tmp_path, fps):
    with pytest.raises(SourceError, match="not a frame rate"):
        open_source(str(tmp_path), fps=fps)


def test_a_webcam_that_is_not_there_says_so():
    with pytest.raises(SourceError, match="webcam 97 cannot be opened"):
        open_source("97")


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("bags/sample", {"fps": 10.0}, "is a bag, whose images have their own times; leave the frame rate out"),
        ("clip.mp4", {"topic": "/camera/image"}, "is not a bag, and has no topics; leave the topic /camera/image out"),
        ("3", {"topic": "/camera/image"}, "webcam 3 has no topics"),
    ],
)
def test_an_option_of_another_kind_of_source_is_not_dropped(tmp_path, capsys, name, options, sentence):
    (tmp_path / "clip.mp4").touch()
    root = Path(__file__).parents[2] if name.startswith("bags") else tmp_path
    source = name if name.isdigit() else str(root / name)
    with pytest.raises(UsageError, match=sentence):
        open_source(source, **options)
    words = [f"--{option}={value}" for option, value in options.items()]
    assert main(["track", source, "--box", "1,1,9,9", *words]) == USAGE
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("name", ["clip.mp4", "run.mcap", "run.bag", "photo.png", "bag/metadata.yaml bag/run.mcap"])
def test_a_recording_that_was_never_pulled_is_named_so(tmp_path, name):
    for file in name.split():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(START + b"v1\noid sha256:0\nsize 3\n")
    source = tmp_path / name.split("/")[0]
    with pytest.raises(SourceError, match=r"is a pointer of Git LFS, not the file itself; fetch it: git lfs pull"):
        open_source(str(source))
