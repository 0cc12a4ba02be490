"""Benchmarks of single-object tracking in their official layouts: the traps of each, and what is refused by name."""

import numpy as np
import pytest

from tests.evaluation.datasets import miniature
from tests.evaluation.datasets.miniature import BOXES, BOXES_XYXY, write_images, write_json_lines, write_text
from vitron_ros.cli.main import main
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.datasets import MASKS, TRACKING, load_sequences
from vitron_ros.evaluation.datasets.lasot import TEST
from vitron_ros.evaluation.datasets.otb import SPLITS
from vitron_ros.evaluation.datasets.uav123 import PARTS


def read(name, root, split=None):
    return TRACKING[name].read(root, split)


def test_an_unknown_split_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"LaSOT has no split 'val'; it has test, train, all"):
        read("lasot", tmp_path, "val")


@pytest.mark.parametrize("name", TRACKING)
def test_a_data_set_that_is_missing_says_how_to_get_it(tmp_path, name):
    with pytest.raises(SourceError, match=r"(missing|lacks|not a folder).*(;|give)"):
        read(name, tmp_path / "nowhere")


def test_lasot_is_absent_where_either_flag_says_so(tmp_path):
    rows = [BOXES[0], "0,0,0,0", BOXES[1], "5,5,0,0", BOXES[2]]
    miniature.write_lasot(tmp_path / "LaSOTBenchmark", rows=rows, full_occlusion="0,0,1,0,0", out_of_view="0,1,0,1,0")
    write_text(tmp_path / "LaSOTBenchmark/att/cup-2.txt", "1,0,0,0,0,0,0,0,0,0,1,0,0,0")
    (sequence,) = read("lasot", tmp_path, "all")
    assert (sequence.name, sequence.category, sequence.language) == ("cup-2", "cup", "red cup")
    assert sequence.attributes == ("IV", "FM")
    assert sequence.is_visible.tolist() == [True, False, False, False, True]
    annotated = np.isfinite(sequence.annotated_xyxy).all(axis=1)
    assert annotated.tolist() == [True, False, True, False, True]
    assert sequence.annotated_xyxy[2].tolist() == BOXES_XYXY[1]


def test_a_sentence_of_lasot_may_be_missing(tmp_path):
    miniature.write_lasot(tmp_path, sentence=None)
    assert read("lasot", tmp_path, "train")[0].language == ""


def test_the_test_split_of_lasot_is_its_280_videos(tmp_path):
    assert len(set(TEST)) == 280
    miniature.write_lasot(tmp_path, name="cup-1")
    with pytest.raises(SourceError, match=r"lacks 279 of 280 sequences, e\.g\. airplane-1; LaSOT's download"):
        read("lasot", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"full_occlusion": "0,0"}, "flags of absence differ in number: full_occlusion.txt 2, out_of_view.txt 3"),
        ({"full_occlusion": "0,0", "out_of_view": "0,0"}, "3 boxes but 2 flags"),
        ({"full_occlusion": "0,2,0"}, "should hold 0 and 1"),
        ({"out_of_view": "0,x,0"}, "should hold whole numbers"),
        ({"rows": [*BOXES[:2], "nan,2,10,20"]}, "line 3"),
        ({"rows": [BOXES[0], "5,5,0,0", BOXES[2]]}, "line 2"),
    ],
)
def test_what_is_wrong_with_a_sequence_of_lasot_is_named(tmp_path, change, words):
    miniature.write_lasot(tmp_path, **change)
    with pytest.raises(SourceError, match=words):
        read("lasot", tmp_path, "all")


def test_a_missing_flag_file_of_lasot_is_named(tmp_path):
    (miniature.write_lasot(tmp_path) / "out_of_view.txt").unlink()
    with pytest.raises(SourceError, match=r"out_of_view\.txt is missing; LaSOT's download"):
        read("lasot", tmp_path, "all")


def test_got10k_has_cover_and_may_be_hidden_in_the_middle(tmp_path):
    miniature.write_got10k(tmp_path)
    (sequence,) = read("got10k", tmp_path)
    assert sequence.cover.tolist() == [8, 0, 3]
    assert sequence.is_visible.tolist() == [True, False, True]
    assert sequence.annotated_xyxy[1].tolist() == BOXES_XYXY[0]
    assert sequence.boxes_xyxy[2].tolist() == [28, 2, 38, 22]  # leaves the image; the reader does not clip
    assert sequence.category == "anaconda"


def test_the_test_split_of_got10k_has_its_first_box_only(tmp_path):
    folder = miniature.write_got10k(tmp_path, "test", rows=["1.0000,2.0000,10.0000,20.0000"])
    (sequence,) = read("got10k", tmp_path, "test")
    assert not sequence.has_truth
    assert sequence.boxes_xyxy[0].tolist() == BOXES_XYXY[0]
    assert sequence.is_visible.tolist() == [True, False, False]
    with pytest.raises(SourceError, match=r"3 frames but 1 boxes; .*a server keeps"):
        load_sequences(folder)


def test_a_sequence_that_the_list_names_and_is_not_there_is_named(tmp_path):
    miniature.write_got10k(tmp_path)
    write_text(tmp_path / "val/list.txt", ["GOT-10k_Val_000001", "GOT-10k_Val_000002"])
    with pytest.raises(SourceError, match=r"GOT-10k_Val_000002 is missing; GOT-10k is at"):
        read("got10k", tmp_path)


def test_trackingnet_is_sorted_by_number_and_its_test_split_has_one_line(tmp_path):
    write_images(tmp_path / "TRAIN_3/frames/abc_0", (0, 1, 2, 10), digits=1)
    write_text(tmp_path / "TRAIN_3/anno/abc_0.txt", [*BOXES, "3,2,10,20"])
    write_images(tmp_path / "TEST/frames/xyz_0", (0, 1), digits=1)
    write_text(tmp_path / "TEST/anno/xyz_0.txt", BOXES[0])  # without a line feed
    (train,) = read("trackingnet", tmp_path, "train-3")
    assert [path.stem for path in train.paths] == ["0", "1", "2", "10"]
    (test,) = read("trackingnet", tmp_path)
    assert (test.has_truth, len(test), test.boxes_xyxy[0].tolist()) == (False, 2, BOXES_XYXY[0])
    with pytest.raises(SourceError, match="a server keeps the truth"):
        load_sequences(tmp_path)
    with pytest.raises(SourceError, match="TRAIN_0/anno is missing"):
        read("trackingnet", tmp_path, "train")


def test_uav123_cuts_one_folder_into_names_and_marks_absence_with_nan(tmp_path):
    miniature.write_uav123(tmp_path)
    bike, bird = read("uav123", tmp_path)
    assert bike.is_visible.tolist() == [True, False, True]
    assert (bird.name, len(bird), bird.paths[-1].name) == ("bird1_1", 253, "000253.jpg")
    assert len(PARTS) == 51
    write_text(tmp_path / "anno/UAV123/bird1_2.txt", [BOXES[0]] * 3)
    assert len(read("uav123", tmp_path)[2]) == 3
    write_text(tmp_path / "anno/UAV123/bird1_2.txt", [BOXES[0]] * 703)
    with pytest.raises(SourceError, match=r"bird1_2\.txt has 3 frames but 703 boxes"):
        read("uav123", tmp_path)


OTB_ROWS = ["2,3,10,20", "2.5,3,10,20", "3,3,10,20"]


@pytest.mark.parametrize("separator", [",", "\t", "  "])
def test_otb_is_one_based_and_has_any_separator(tmp_path, separator):
    miniature.write_otb(tmp_path, "Cup", [row.replace(",", separator) for row in OTB_ROWS])
    (sequence,) = read("otb", tmp_path, "all")
    assert sequence.boxes_xyxy.tolist() == BOXES_XYXY


def test_otb_has_two_targets_in_a_folder_and_an_empty_file(tmp_path):
    for name in ("Human4", "Jogging"):
        miniature.write_otb(tmp_path, name, OTB_ROWS, file="groundtruth_rect.2.txt")
    write_text(tmp_path / "Jogging/groundtruth_rect.1.txt", OTB_ROWS[::-1])
    write_text(tmp_path / "Human4/groundtruth_rect.1.txt", "")
    sequences = {sequence.name: sequence for sequence in read("otb", tmp_path, "all")}
    assert list(sequences) == ["Human4-2", "Jogging-1", "Jogging-2"]
    assert sequences["Jogging-1"].boxes_xyxy[0].tolist() == BOXES_XYXY[2]


def test_otb_boxes_that_begin_late_or_end_early_belong_to_their_images(tmp_path):
    miniature.write_otb(tmp_path, "David", OTB_ROWS * 157, numbers=range(1, 772))
    miniature.write_otb(tmp_path, "Football1", OTB_ROWS * 24 + OTB_ROWS[:2], numbers=range(1, 80))
    miniature.write_otb(tmp_path, "Tiger1", [*OTB_ROWS, *OTB_ROWS], numbers=range(1, 7))
    david, football, tiger = read("otb", tmp_path, "all")
    assert (david.paths[0].stem, david.paths[-1].stem, len(david)) == ("0300", "0770", 471)
    assert football.paths[-1].stem == "0074"
    assert ([path.stem for path in tiger.paths], tiger.boxes_xyxy.tolist()) == (["0006"], BOXES_XYXY[2:])


def test_otb_names_a_video_that_is_missing(tmp_path):
    miniature.write_otb(tmp_path, "Basketball", OTB_ROWS)
    assert {split: len(names) for split, names in SPLITS.items()} == {"2015": 98, "2013": 50}
    with pytest.raises(SourceError, match="Biker is missing; OTB's videos"):
        read("otb", tmp_path)


def test_vot_has_boxes_corners_masks_and_tags(tmp_path):
    for name, rows in (
        ("bag", ["1,2,11,2,11,22,1,22", "6,2,12,12,6,22,0,12", "nan,nan,nan,nan"]),
        ("ball", ["m1,2,10,20,0,200", "m0,0,0,0,0", "1,2,10,20"]),
    ):
        write_images(tmp_path / name / "color", range(1, 4))
        write_text(tmp_path / name / "groundtruth.txt", rows)
    write_text(tmp_path / "bag/occlusion.tag", ["0", "1"])
    write_text(tmp_path / "bag/motion_change.tag", ["0"])
    write_text(tmp_path / "list.txt", ["ball", "bag"])
    ball, bag = read("vot", tmp_path)
    assert bag.attributes == ("occlusion",)
    assert bag.boxes_xyxy[:2].tolist() == [BOXES_XYXY[0], [0, 2, 12, 22]]
    assert bag.is_visible.tolist() == [True, True, False]
    assert ball.is_visible.tolist() == [True, False, True]
    assert ball.boxes_xyxy[0].tolist() == BOXES_XYXY[0]


ELYSIUM = {
    "source": "webvid",
    "id": 7,
    "vid": "clip",
    "metadata": {},
    "frames": [f"frames/clip/{index:06d}.jpg" for index in range(3)],
    "object_class": "cup",
    "box": [[0.25, 0.5, 0.5, 0.75]] * 3,
    "object_description": "the red cup",
    "frame_size": [32, 24],
}


def test_elysium_track_has_fractions_of_the_frame(tmp_path):
    write_images(tmp_path / "frames/clip", range(3), digits=6)
    write_json_lines(tmp_path / "ElysiumTrack-val500.json", [ELYSIUM])
    (sequence,) = read("elysium-track", tmp_path)
    assert (sequence.name, sequence.language, sequence.category) == ("clip-7", "the red cup", "cup")
    assert sequence.boxes_xyxy[0].tolist() == [8, 12, 16, 18]
    assert next(sequence.frames()).rgb.shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"box": [[0.25, 0.5, 0.5, 0.75]] * 2}, "3 frames but 2 boxes"),
        ({"box": [[0.5, 0.5, 0.25, 0.75]] * 3}, "line 1: a box should be"),
        ({"box": [[0.25, 0.5, float("nan"), 0.75]] * 3}, "line 1: a box should be"),
        ({"box": [[0.25, 0.5, 0.75]] * 3}, "line 1: a box should be"),
        ({"frames": ["../../secret.jpg"] * 3}, "should be paths inside"),
        ({"frames": ["/secret.jpg"] * 3}, "should be paths inside"),
        ({"frames": [f"frames/clip/{index}.jpg" for index in range(3)]}, r"0\.jpg is missing; ElysiumTrack-val500 is"),
        ({"frame_size": None}, "frame_size should be a list"),
        ({"object_description": 3}, "object_description should be a text"),
    ],
)
def test_what_is_wrong_with_a_line_of_elysium_track_is_named(tmp_path, change, words):
    write_images(tmp_path / "frames/clip", range(3), digits=6)
    write_json_lines(tmp_path / "ElysiumTrack-val500.json", [ELYSIUM | change])
    with pytest.raises(SourceError, match=words):
        read("elysium-track", tmp_path)


@pytest.mark.parametrize("palette", [True, False])
def test_davis_has_objects_that_vanish_and_void(tmp_path, palette):
    (video,) = MASKS["davis"].read(miniature.write_davis(tmp_path, palette=palette))
    assert (video.name, len(video), list(video.objects), video.has_truth) == ("bike", 3, [1, 2], True)
    assert set(np.unique(video.labels(1)).tolist()) == {0, 1, 255}
    assert video.frame(1).rgb.shape == (24, 32, 3)
    first, second = read("davis-sot", tmp_path)
    assert (first.name, second.name) == ("bike-1", "bike-2")
    assert first.boxes_xyxy.tolist() == [[4, 4, 8, 12]] * 3
    assert second.is_visible.tolist() == [True, False, True]


def test_the_test_splits_of_davis_have_first_labels_only(tmp_path):
    miniature.write_davis(tmp_path, "test-dev", labels=((1, 2),))
    (video,) = MASKS["davis"].read(tmp_path, "test-dev")
    assert not video.has_truth
    assert video.labels(2) is None


def test_davis_2016_has_one_object(tmp_path):
    miniature.write_davis(tmp_path, labels=((255,),) * 3, void=None)
    (tmp_path / "ImageSets/2017").rename(tmp_path / "ImageSets/2016")
    (sequence,) = read("davis-sot", tmp_path)
    assert (sequence.name, len(sequence)) == ("bike", 3)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (((1, 2), (1, 2)), "3 frames but 2 label images"),
        (((1, 3), (1, 3), (1, 3)), r"objects \[1, 3\]; ids begin with 1"),
        (((1,), (1, 2), (1,)), r"labels \[2\], but the video has the objects \[1\]"),
        (((), (1,), (1,)), r"objects \[\]; ids"),
    ],
)
def test_what_is_wrong_with_the_labels_of_davis_is_named(tmp_path, labels, words):
    miniature.write_davis(tmp_path, labels=labels)
    with pytest.raises(SourceError, match=words):
        read("davis-sot", tmp_path)


def test_a_label_image_that_is_damaged_or_in_colour_is_named(tmp_path):
    file = miniature.write_davis(tmp_path) / "Annotations/480p/bike/00001.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(SourceError, match=r"00001\.png cannot be read as a label image"):
        read("davis-sot", tmp_path)
    miniature.write_image(file)
    with pytest.raises(SourceError, match=r"00001\.png is a picture in mode RGB"):
        read("davis-sot", tmp_path)


def test_one_pass_evaluation_reads_every_layout_as_it_is(tmp_path, capsys):
    """The folder is given as it comes, and the layout is found by what is in it."""
    miniature.write_lasot(tmp_path / "lasot")
    miniature.write_got10k(tmp_path / "got10k")
    miniature.write_otb(tmp_path / "otb", "Cup", OTB_ROWS)
    write_images(tmp_path / "vot/bag/color", range(1, 4))
    write_text(tmp_path / "vot/bag/groundtruth.txt", ["1,2,11,2,11,22,1,22"] * 3)
    miniature.write_davis(tmp_path / "davis")
    miniature.write_uav123(tmp_path / "uav123")
    for root, names in {
        "lasot": ["cup-2"],
        "got10k/val": ["GOT-10k_Val_000001"],
        "otb": ["Cup"],
        "vot": ["bag"],
        "davis": ["bike-1", "bike-2"],
        "uav123": ["bike1", "bird1_1"],
    }.items():
        assert [sequence.name for sequence in load_sequences(tmp_path / root)] == names
    assert main(["eval", "ope", str(tmp_path / "vot"), "--tracker", "kcf"]) == 0
    assert "bag" in capsys.readouterr().out


def test_sequences_of_one_name_are_refused(tmp_path):
    for split in ("one", "two"):
        miniature.write_lasot(tmp_path / split)
    with pytest.raises(SourceError, match="two sequences cup-2"):
        load_sequences(tmp_path)
