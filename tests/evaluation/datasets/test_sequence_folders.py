"""Sequences on disk: what is read, and what is refused with a sentence that helps."""

import re

import numpy as np
import pytest

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import load_sequence, load_sequences
from vitron_ros.images.codec import encode_jpeg, encode_png


def write_sequence(folder, lines, frames=3):
    (folder / "frames").mkdir(parents=True)
    for index in range(frames):
        (folder / "frames" / f"{index:06d}.jpg").write_bytes(
            encode_jpeg(np.full((24, 32, 3), (250, 40 * index, 10), np.uint8))
        )
    (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    return folder


GOOD = ["1,2,10,20", "1.5,2,10,20", "2,2,10,20"]


def test_frames_and_boxes_come_in_order(tmp_path):
    sequence = load_sequence(write_sequence(tmp_path / "cup", GOOD))
    assert sequence.name == "cup"
    assert len(sequence) == 3
    assert sequence.boxes_xyxy.tolist() == [[1, 2, 11, 22], [1.5, 2, 11.5, 22], [2, 2, 12, 22]]
    frames = list(sequence.frames())
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [round(float(frame.rgb[..., 1].mean()), -1) for frame in frames] == [0, 40, 80]
    assert frames[0].rgb[..., 0].mean() > 240  # red first: RGB, not OpenCV's BGR


def test_a_data_set_is_read_by_name_and_other_folders_are_left_alone(tmp_path):
    write_sequence(tmp_path / "b", GOOD)
    write_sequence(tmp_path / "a", GOOD)
    (tmp_path / "notes").mkdir()
    assert [sequence.name for sequence in load_sequences(tmp_path)] == ["a", "b"]
    assert [sequence.name for sequence in load_sequences(tmp_path / "b")] == ["b"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "line 2"),
        ("1,2,3", "line 2"),
        ("1,2,3,4,5", "line 2"),
        ("1 2 3", "line 2"),
        ("1,,3,4", "line 2"),
        ("1,2,x,4", "line 2"),
        ("nan,2,3,4", "line 2"),
        ("1,2,inf,4", "line 2"),
        ("1,2,0,4", "above 0"),
        ("1,2,3,-4", "above 0"),
    ],
)
def test_a_line_that_is_no_box_is_named(tmp_path, line, words):
    folder = write_sequence(tmp_path / "cup", ["1,2,10,20", line, "2,2,10,20"])
    with pytest.raises(SourceError, match=words):
        load_sequence(folder)


BOXES = [[1, 2, 11, 22], [1.5, 2, 11.5, 22], [2, 2, 12, 22]]
TEXTS = {
    "tabs": "1\t2\t10\t20\n1.5\t2\t10\t20\n2\t2\t10\t20\n",
    "spaces": "  1 2  10 20\n1.5 2 10 20\n2 2 10 20",
    "comma and space": "1, 2, 10, 20\n1.5, 2, 10, 20\n2, 2, 10, 20\n",
    "from Windows": "\ufeff1,2,10,20\r\n1.5,2,10,20\r\n2,2,10,20\r\n\r\n",
    "empty lines at the end": "1,2,10,20\n1.5,2,10,20\n2,2,10,20\n\n \n",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_boxes_are_read_as_people_write_them(tmp_path, text):
    folder = write_sequence(tmp_path / "cup", [])
    (folder / "groundtruth.txt").write_bytes(text.encode())
    assert load_sequence(folder).boxes_xyxy.tolist() == BOXES


@pytest.mark.parametrize("line", ["NaN,NaN,NaN,NaN", "nan\tnan\tnan\tnan", "0,0,0,0"])
def test_a_frame_without_the_target_has_no_box(tmp_path, line):
    sequence = load_sequence(write_sequence(tmp_path / "cup", [GOOD[0], line, GOOD[2]]))
    assert sequence.is_visible.tolist() == [True, False, True]
    assert np.isnan(sequence.boxes_xyxy[1]).all()


def test_a_sequence_to_track_begins_with_its_target(tmp_path):
    folder = write_sequence(tmp_path / "cup", ["nan,nan,nan,nan", *GOOD[1:]])
    with pytest.raises(SourceError, match="the first frame has no box"):
        load_sequences(folder)


def test_the_layout_of_otb_is_read_and_its_first_pixel_is_one(tmp_path):
    folder = write_sequence(tmp_path / "cup", [])
    (folder / "groundtruth.txt").unlink()
    (folder / "frames").rename(folder / "img")
    (folder / "groundtruth_rect.txt").write_text("2\t3\t10\t20\n2.5\t3\t10\t20\n3\t3\t10\t20\n")
    (sequence,) = load_sequences(tmp_path)
    assert sequence.boxes_xyxy.tolist() == BOXES


def test_several_targets_in_one_folder_are_named(tmp_path):
    folder = write_sequence(tmp_path / "cup", [])
    (folder / "groundtruth.txt").unlink()
    for target in (1, 2):
        (folder / f"groundtruth_rect.{target}.txt").write_text("\n".join(GOOD))
    with pytest.raises(SourceError, match=r"one file a target \(groundtruth_rect\.1\.txt, groundtruth_rect\.2\.txt"):
        load_sequence(folder)


def test_frames_of_either_kind_and_in_the_order_of_their_numbers(tmp_path):
    folder = write_sequence(tmp_path / "cup", GOOD, frames=0)
    for index in (9, 10, 11):
        (folder / "frames" / f"{index}.png").write_bytes(encode_png(np.full((24, 32, 3), 10 * index, np.uint8)))
    assert [int(frame.rgb[0, 0, 0]) for frame in load_sequence(folder).frames()] == [90, 100, 110]


def test_counts_must_match(tmp_path):
    with pytest.raises(SourceError, match="3 frames but 2 boxes"):
        load_sequence(write_sequence(tmp_path / "cup", GOOD[:2]))


def test_an_empty_box_file_is_a_count_too(tmp_path):
    folder = write_sequence(tmp_path / "cup", GOOD)
    (folder / "groundtruth.txt").write_text("")
    with pytest.raises(SourceError, match="3 frames but 0 boxes"):
        load_sequence(folder)


def test_binary_boxes_are_refused(tmp_path):
    folder = write_sequence(tmp_path / "cup", GOOD)
    (folder / "groundtruth.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SourceError, match="not UTF-8"):
        load_sequence(folder)


def test_missing_parts_are_named(tmp_path):
    folder = write_sequence(tmp_path / "cup", GOOD)
    (folder / "groundtruth.txt").unlink()
    with pytest.raises(SourceError, match=r"has no groundtruth\.txt"):
        load_sequence(folder)
    with pytest.raises(SourceError, match="holds no sequence"):
        load_sequences(tmp_path)
    with pytest.raises(SourceError, match="is not a folder"):
        load_sequences(tmp_path / "nowhere")
    with pytest.raises(SourceError, match="holds no images"):
        load_sequence(tmp_path)


def test_a_damaged_frame_is_named_when_it_is_reached(tmp_path):
    folder = write_sequence(tmp_path / "cup", GOOD)
    (folder / "frames" / "000001.jpg").write_bytes(b"not a picture")
    frames = load_sequence(folder).frames()
    next(frames)
    with pytest.raises(SourceError, match=r"000001\.jpg: the image is not a JPEG, PNG or TIFF"):
        next(frames)


ROW = re.compile(r"\| ([a-z0-9-]+) \| (\d+)(?: \([^|]*\))? \|")  # name and count of frames, perhaps with a range


def test_the_development_footage_is_whole(footage):
    counts = {name: int(count) for name, count in ROW.findall((footage / "MANIFEST.md").read_text("utf-8"))}
    sequences = load_sequences(footage)
    assert {sequence.name: len(sequence) for sequence in sequences} == {
        name: count for name, count in counts.items() if (footage / name).is_dir()
    }
    assert len(sequences) > 10
    absent = {sequence.name: sequence for sequence in load_sequences(footage / "absent")}
    assert {name: len(sequence) for name, sequence in absent.items()} == {name: counts[name] for name in absent}
    assert all(0 < sequence.is_visible.sum() < len(sequence) for sequence in absent.values())
