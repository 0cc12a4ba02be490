"""VidSTG with VidOR, and HC-STVG, in their official layouts."""

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_json, write_text
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import VIDEO_REFERRING

FRAMES = 6
ENTRY = {
    "vid": "2401",
    "fps": 29.97,
    "frame_count": FRAMES,
    "width": 640,
    "height": 360,
    "subject/objects": [{"tid": 0, "category": "child"}, {"tid": 1, "category": "dog"}],
    "used_segment": {"begin_fid": 0, "end_fid": FRAMES - 1},
    "used_relation": {"subject_tid": 0, "object_tid": 1, "predicate": "hold"},
    "temporal_gt": {"begin_fid": 2, "end_fid": FRAMES},
    "captions": [{"description": "a child holds a dog", "type": 1, "target_id": 0}],
    "questions": [{"description": "what is held?", "type": 1, "target_id": 1}],
}


def box(tid, x):
    return {"tid": tid, "bbox": {"xmin": x, "ymin": 2, "xmax": x + 10, "ymax": 22}, "generated": 0, "tracker": "none"}


def write_vidstg(root, entry=ENTRY, frames=FRAMES):
    write_json(root / "test_annotations.json", [entry])
    trajectories = [[box(0, index), *([box(1, 100)] if index != 3 else [])] for index in range(frames)]
    write_json(root / "validation/0001/2401.json", {"trajectories": trajectories, "frame_count": frames})
    return root


def test_vidstg_ends_with_the_last_frame_and_a_trajectory_may_have_a_gap(tmp_path):
    caption, question = VIDEO_REFERRING["vidstg"].read(write_vidstg(tmp_path))
    assert (caption.text, caption.kind, question.kind) == ("a child holds a dog", "declarative", "interrogative")
    assert (caption.span, caption.frames, caption.size, caption.fps) == ((2, 6), 6, (640, 360), 29.97)
    assert caption.video == tmp_path / "video/0001/2401.mp4"
    seen = np.isfinite(caption.boxes_xyxy).all(axis=1), np.isfinite(question.boxes_xyxy).all(axis=1)
    assert seen[0].tolist() == [False, False, True, True, True, True]
    assert seen[1].tolist() == [False, False, True, False, True, True]
    assert caption.boxes_xyxy[5].tolist() == [5, 2, 15, 22]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temporal_gt": {"begin_fid": 2, "end_fid": 7}}, "temporal_gt 2 to 7 does not fit the 6 frames"),
        ({"temporal_gt": {"begin_fid": 2, "end_fid": 2}}, "temporal_gt 2 to 2 does not fit"),
        ({"temporal_gt": None}, "temporal_gt should be a table"),
        ({"vid": "9"}, r"VidOR's 9\.json is missing; VidOR is at"),
        ({"fps": 0}, "fps should be a number above 0"),
        ({"captions": [{"description": "a"}]}, "target_id should be a whole number"),
    ],
)
def test_what_is_wrong_with_an_entry_of_vidstg_is_named(tmp_path, change, words):
    with pytest.raises(SourceError, match=words):
        VIDEO_REFERRING["vidstg"].read(write_vidstg(tmp_path, ENTRY | change))


def test_boxes_of_vidor_that_do_not_fit_are_refused_when_they_are_read(tmp_path):
    (short, _) = VIDEO_REFERRING["vidstg"].read(write_vidstg(tmp_path / "short", frames=5))
    with pytest.raises(SourceError, match=r"2401\.json has boxes of 5 frames, VidSTG says 6"):
        _ = short.boxes_xyxy
    entry = ENTRY | {"captions": [{"description": "a cat", "target_id": 5}]}
    (other, _) = VIDEO_REFERRING["vidstg"].read(write_vidstg(tmp_path / "other", entry))
    with pytest.raises(SourceError, match="no box of target 5"):
        _ = other.boxes_xyxy


V1 = {"bbox": [[1, 2, 10, 20]] * 3, "st_time": 0, "ed_time": 10, "st_frame": 1, "img_num": 6, "caption": "he stands",
      "width": 640, "height": 360}  # fmt: skip
V2 = {"bbox": [[1, 2, 10, 20]] * 2, "st_frame": 5, "img_num": 6, "English": "she walks", "img_size": [360, 640]}


def write_hc_stvg(root, file="val_v2.json", entry=V2):
    write_json(root / file, {"1_abc.mp4": entry})
    write_text(root / "video/1/1_abc.mp4", "")
    return root


@pytest.mark.parametrize(
    ("file", "split", "entry", "span", "text"),
    [
        ("test.json", "test_v1", V1, (0, 3), "he stands"),
        ("val_v2.json", "val_v2", V2, (4, 6), "she walks"),
        ("trainv2.json", "train_v2", V2, (4, 6), "she walks"),
    ],
)
def test_hc_stvg_counts_from_one_in_both_versions(tmp_path, file, split, entry, span, text):
    (expression,) = VIDEO_REFERRING["hc-stvg"].read(write_hc_stvg(tmp_path, file, entry), split)
    assert (expression.span, expression.text, expression.size, expression.fps) == (span, text, (640, 360), 0.3)
    assert np.isfinite(expression.boxes_xyxy).all(axis=1).nonzero()[0].tolist() == list(range(*span))
    assert expression.boxes_xyxy[span[0]].tolist() == [1, 2, 11, 22]
    assert expression.video.is_file()


def test_the_queries_of_hc_stvg_have_no_truth(tmp_path):
    (query,) = VIDEO_REFERRING["hc-stvg"].read(write_hc_stvg(tmp_path, "query_v2.json", {"English": "hi"}), "query_v2")
    assert (query.span, query.text) == (None, "hi")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bbox": [[1, 2, 10, 20]] * 3}, "3 boxes from frame 5 on do not fit the 6 frames"),
        ({"st_frame": 0}, "2 boxes from frame 0 on do not fit"),
        ({"bbox": []}, "0 boxes from frame 5"),
        ({"bbox": [[1, 2, float("nan"), 20]] * 2}, "bbox should be boxes"),
        ({"bbox": [[1, 2, 10]] * 2}, "bbox should be boxes"),
        ({"img_size": [360]}, "img_size should be"),
        ({"English": None}, "neither caption nor English"),
    ],
)
def test_what_is_wrong_with_an_entry_of_hc_stvg_is_named(tmp_path, change, words):
    with pytest.raises(SourceError, match=words):
        VIDEO_REFERRING["hc-stvg"].read(write_hc_stvg(tmp_path, entry=V2 | change))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"val_v2\.json is missing; HC-STVG"):
        VIDEO_REFERRING["hc-stvg"].read(tmp_path)
    with pytest.raises(SourceError, match=r"test_annotations\.json is missing; VidSTG"):
        VIDEO_REFERRING["vidstg"].read(tmp_path)
    write_json(tmp_path / "val_v2.json", {})
    with pytest.raises(SourceError, match="holds no video; HC-STVG"):
        VIDEO_REFERRING["hc-stvg"].read(tmp_path)
