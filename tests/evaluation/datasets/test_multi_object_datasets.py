"""MOT16, MOT17 and DanceTrack in their official layouts."""

import pytest

from tests.evaluation.datasets.miniature import MOT_ROWS, write_mot_sequence, write_text
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import MULTI_OBJECT
from vitron_ros.evaluation.metrics.multi_object import mot16_objects


def test_mot16_counts_from_one_and_may_have_frames_without_rows(tmp_path):
    write_mot_sequence(tmp_path / "train/MOT16-02")
    (sequence,) = MULTI_OBJECT["mot16"].read(tmp_path)
    assert (sequence.name, len(sequence), sequence.fps, sequence.size) == ("MOT16-02", 4, 30, (32, 24))
    first, second, third, fourth = sequence.truth
    assert first.objects.ids.tolist() == [1, 7]
    assert first.objects.boxes_xyxy[0].tolist() == [10, 10, 50, 90]
    assert (first.classes.tolist(), first.counts.tolist()) == ([1, 8], [True, False])
    assert third.counts.tolist() == [True, False]
    assert [len(frame.objects.ids) for frame in (second, fourth)] == [0, 0]
    assert sequence.frame(2).rgb.shape == (24, 32, 3)
    scored, _ = mot16_objects(first.objects, first.classes, first.counts, second.objects)
    assert scored.ids.tolist() == [1]


def test_mot17_has_each_video_once(tmp_path):
    for detector in ("DPM", "FRCNN", "SDP"):
        write_mot_sequence(tmp_path / f"train/MOT17-02-{detector}")
    assert [sequence.name for sequence in MULTI_OBJECT["mot17"].read(tmp_path)] == ["MOT17-02-FRCNN"]


def test_dancetrack_has_a_list_and_names_of_eight_digits(tmp_path):
    for name in ("dancetrack0005", "dancetrack0004"):
        write_mot_sequence(tmp_path / "val" / name, ["2,1,11,11,40,80,1,1,1"], digits=8)
    write_mot_sequence(tmp_path / "test/dancetrack0003", rows=None, digits=8)
    write_text(tmp_path / "val_seqmap.txt", ["name", "dancetrack0005", "dancetrack0004"])
    write_text(tmp_path / "test_seqmap.txt", ["name", "dancetrack0003"])
    assert [one.name for one in MULTI_OBJECT["dancetrack"].read(tmp_path)] == ["dancetrack0005", "dancetrack0004"]
    assert MULTI_OBJECT["dancetrack"].read(tmp_path, "test")[0].truth is None
    write_text(tmp_path / "val_seqmap.txt", ["name", "dancetrack0007"])
    with pytest.raises(SourceError, match="dancetrack0007 is missing; DanceTrack's links"):
        MULTI_OBJECT["dancetrack"].read(tmp_path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([*MOT_ROWS, "5,1,11,11,40,80,1,1,1"], "line 5: frame 5 is not one of the 4"),
        ([*MOT_ROWS, "0,1,11,11,40,80,1,1,1"], "line 5: frame 0 is not"),
        ([*MOT_ROWS, "3,1,11,11,40,80,1,1,1"], "line 5: frame 3 has id 1 twice"),
        ([*MOT_ROWS, "4,1,11,11,0,80,1,1,1"], "line 5: a box has no area"),
        ([*MOT_ROWS, "4,1,11,11,nan,80,1,1,1"], r"line 5: .* is not the nine numbers"),
        ([*MOT_ROWS, "4,1,11,11,40,80,1,1"], r"line 5: .* is not the nine numbers"),
        (["", *MOT_ROWS], "line 1: '' is not the nine"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path, rows, words):
    write_mot_sequence(tmp_path / "train/MOT16-02", rows)
    with pytest.raises(SourceError, match=words):
        MULTI_OBJECT["mot16"].read(tmp_path)


def test_frames_and_seqinfo_must_fit(tmp_path):
    folder = write_mot_sequence(tmp_path / "train/MOT16-02", length=5)
    with pytest.raises(SourceError, match=r"img1 has 4 images but seqinfo\.ini says 5"):
        MULTI_OBJECT["mot16"].read(tmp_path)
    write_text(folder / "seqinfo.ini", "[Sequence]\nseqLength=four\n")
    with pytest.raises(SourceError, match=r"seqinfo\.ini is damaged"):
        MULTI_OBJECT["mot16"].read(tmp_path)
    (folder / "seqinfo.ini").unlink()
    with pytest.raises(SourceError, match=r"seqinfo\.ini is missing; MOT16 and MOT17 are at"):
        MULTI_OBJECT["mot16"].read(tmp_path)
