import json

import cv2
import numpy as np
import pytest

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import load_sequence
from vitron_ros.evaluation.stream_clips import (
    StreamTarget,
    StreamTruth,
    clip_of_sequence,
    load_clip,
    load_clips,
    write_truth,
)

TARGET = StreamTarget(phrase="the red ring", object=1, kind="attribute", lasts=True)


def truth(**changes):
    boxes = np.array([[[1.0, 2, 5, 6], [7, 8, 9.126, 10]], [[1, 2, 5, 6], [np.nan] * 4]])
    values = {
        "fps": 30.0,
        "width": 16,
        "height": 12,
        "labels": ("blue car", "red ring"),
        "boxes_xyxy": boxes,
        "full_boxes_xyxy": np.nan_to_num(boxes),
        "visible": np.array([[1.0, 0.5], [1.0, 0.0]]),
        "targets": (TARGET,),
    }
    return StreamTruth(**{**values, **changes})


def write_frames(folder, count):
    (folder / "frames").mkdir(parents=True)
    for index in range(count):
        cv2.imwrite(str(folder / "frames" / f"{index:06d}.jpg"), np.full((12, 16, 3), 40 * index, np.uint8))


@pytest.fixture
def folder(tmp_path):
    write_frames(tmp_path / "a", 2)
    write_truth(tmp_path / "a", truth(), seed=3)
    return tmp_path


def test_what_is_written_is_read(folder):
    (clip,) = load_clips(folder)
    assert clip.name == "a"
    assert clip.truth.targets == (TARGET,)
    assert clip.truth.labels == ("blue car", "red ring")
    assert clip.truth.boxes_xyxy[0, 1].tolist() == [7, 8, 9.13, 10]
    assert np.isnan(clip.truth.boxes_xyxy[1, 1]).all()
    assert clip.truth.full_boxes_xyxy[1, 1].tolist() == [0, 0, 0, 0]
    assert clip.truth.visible.tolist() == [[1, 0.5], [1, 0]]
    assert json.loads((folder / "a" / "truth.json").read_text())["seed"] == 3


def test_frames_have_stamps_at_the_rate_of_the_clip(folder):
    clip = load_clip(folder / "a")
    frames = list(clip.frames())
    assert [frame.stamp_ns for frame in frames] == clip.stamps_ns.tolist() == [1_000_000_000, 1_033_333_333]
    assert [frame.index for frame in frames] == [0, 1]
    assert frames[1].rgb.shape == (12, 16, 3)


def test_one_clip_is_a_suite(folder):
    assert [clip.name for clip in load_clips(folder / "a")] == ["a"]


def test_a_folder_without_clips_says_how_to_make_one(tmp_path):
    with pytest.raises(SourceError, match="suite streaming"):
        load_clips(tmp_path)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "", "not the truth"),
        (lambda text: "[1]", "not the truth"),
        (lambda text: text.replace('"fps":30.0', '"fps":0'), "not a frame rate"),
        (lambda text: text.replace('"object":1', '"object":7'), "not there"),
        (lambda text: text.replace('"visible":[1.0,1.0]', '"visible":[1.0]'), "not the truth"),
        (lambda text: text.replace("[7.0,8.0,9.13,10.0]", "[7.0]"), "not the truth"),
        (lambda text: text.replace('"targets":[', '"targets":[],"other":['), "a target"),
    ],
)
def test_damaged_truth_is_refused(folder, damage, words):
    path = folder / "a" / "truth.json"
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.raises(SourceError, match=words):
        load_clip(folder / "a")


def test_a_missing_frame_is_noticed(folder):
    (folder / "a" / "frames" / "000001.jpg").unlink()
    with pytest.raises(SourceError, match="1 frames"):
        load_clip(folder / "a")


def test_a_broken_image_is_named(folder):
    (folder / "a" / "frames" / "000001.jpg").write_bytes(b"no image")
    with pytest.raises(SourceError, match=r"000001\.jpg"):
        list(load_clip(folder / "a").frames())


def test_two_targets_with_the_same_words_cannot_be_told_apart():
    with pytest.raises(SourceError, match="same phrase"):
        truth(targets=(TARGET, StreamTarget(phrase="the red ring", object=0, kind="attribute", lasts=True)))


def test_a_sequence_of_boxes_is_a_clip_whose_only_object_is_always_seen(tmp_path):
    write_frames(tmp_path / "s", 2)
    (tmp_path / "s" / "groundtruth.txt").write_text("1,2,4,4\n2,2,4,4\n")
    clip = clip_of_sequence(load_sequence(tmp_path / "s"), 25.0)
    assert clip.truth.boxes_xyxy.tolist() == [[[1, 2, 5, 6]], [[2, 2, 6, 6]]]
    assert (clip.truth.visible == 1).all()
    assert (clip.truth.width, clip.truth.height) == (16, 12)
    assert clip.stamps_ns[1] - clip.stamps_ns[0] == 40_000_000
