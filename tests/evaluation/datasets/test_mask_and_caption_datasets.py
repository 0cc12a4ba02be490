"""YouTube-VOS, COCO captions, MSR-VTT, UCF101 and MagicBrush in their official layouts."""

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_image, write_json, write_text, write_youtube_vos
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import CAPTIONS, EDITING, MASKS


def test_youtube_vos_has_gaps_in_ids_late_objects_and_unseen_categories(tmp_path):
    (video,) = MASKS["youtube-vos"].read(write_youtube_vos(tmp_path))
    assert {number: (one.first, one.category, one.is_seen) for number, one in video.objects.items()} == {
        1: (0, "fox", True),
        3: (2, "okapi", False),
    }
    assert video.labels(1) is None
    assert np.unique(video.labels(2)).tolist() == [0, 3]
    assert not video.has_truth
    (tmp_path / "train/meta.json").unlink()
    assert MASKS["youtube-vos"].read(tmp_path)[0].objects[1].is_seen is None


@pytest.mark.parametrize("frame", ["00007", "00005"])
def test_an_object_of_youtube_vos_that_begins_nowhere_is_named(tmp_path, frame):
    with pytest.raises(SourceError, match=f"object 3 begins in frame .'{frame}'., which has no image or no labels"):
        MASKS["youtube-vos"].read(write_youtube_vos(tmp_path, (frame,)))


def test_labels_of_a_frame_that_is_missing_are_named(tmp_path):
    write_youtube_vos(tmp_path)
    (tmp_path / "valid/JPEGImages/0062f687f1/00010.jpg").unlink()
    with pytest.raises(SourceError, match="has labels of frame 00010, which is missing"):
        MASKS["youtube-vos"].read(tmp_path)


def test_coco_has_several_captions_an_image(tmp_path):
    images = [{"id": 4, "file_name": "COCO_val2014_000000000004.jpg"}, {"id": 5, "file_name": "none.jpg"}]
    captions = [{"image_id": 4, "id": 1, "caption": "a cup"}, {"image_id": 4, "id": 2, "caption": "one red cup"}]
    write_json(tmp_path / "annotations/captions_val2014.json", {"images": images, "annotations": captions})
    write_image(tmp_path / "val2014/COCO_val2014_000000000004.jpg")
    (image,) = CAPTIONS["coco-captions"].read(tmp_path)
    assert (image.name, image.captions) == ("4", ("a cup", "one red cup"))
    captions.append({"image_id": 9, "id": 3, "caption": "a dog"})
    write_json(tmp_path / "annotations/captions_val2014.json", {"images": images, "annotations": captions})
    with pytest.raises(SourceError, match="a caption is of image_id"):
        CAPTIONS["coco-captions"].read(tmp_path)


def test_msrvtt_has_its_splits_in_the_entries(tmp_path):
    videos = [
        {"video_id": f"video{number}", "split": split, "category": 3}
        for number, split in ((1, "train"), (2, "validate"))
    ]
    sentences = [{"video_id": "video2", "sen_id": 1, "caption": "a man sings"}]
    write_json(tmp_path / "train_val_videodatainfo.json", {"videos": videos, "sentences": sentences})
    with pytest.raises(SourceError, match="holds no video"):
        CAPTIONS["msrvtt"].read(tmp_path, "train")
    write_text(tmp_path / "TrainValVideo/video2.mp4", "")
    (video,) = CAPTIONS["msrvtt"].read(tmp_path, "validate")
    assert (video.media.name, video.captions, video.category) == ("video2.mp4", ("a man sings",), "3")


def test_ucf101_has_its_class_in_the_folder(tmp_path):
    write_text(tmp_path / "ucfTrainTestlist/classInd.txt", ["1 Archery", "2 Biking"])
    write_text(tmp_path / "ucfTrainTestlist/testlist01.txt", ["Archery/v_Archery_g01_c01.avi"])
    write_text(tmp_path / "ucfTrainTestlist/trainlist01.txt", ["Biking/v_Biking_g08_c01.avi 2"])
    write_text(tmp_path / "ucfTrainTestlist/testlist02.txt", ["../secret.avi"])
    write_text(tmp_path / "UCF-101/Archery/v_Archery_g01_c01.avi", "")
    for split in ("testlist01", "all"):
        (clip,) = CAPTIONS["ucf101"].read(tmp_path, split)
        assert (clip.name, clip.category) == ("v_Archery_g01_c01", "Archery")
    with pytest.raises(SourceError, match=r"v_Biking_g08_c01\.avi is missing; UCF101"):
        CAPTIONS["ucf101"].read(tmp_path, "trainlist01")
    with pytest.raises(SourceError, match=r"secret\.avi is of no class"):
        CAPTIONS["ucf101"].read(tmp_path, "testlist02")


def write_magicbrush(root, **change):
    turns = [
        {"input": "84031-input.png", "mask": "84031-mask1.png", "output": "84031-output1.png", "instruction": "red"},
        {"input": "84031-output1.png", "mask": "84031-mask2.png", "output": "84031-output2.png", "instruction": "blue"},
    ]
    for name in ("input", "mask1", "output1", "mask2", "output2"):
        write_image(root / f"test/images/84031/84031-{name}.png")
    write_json(root / "test/edit_sessions.json", {"84031": [turns[0], turns[1] | change]})
    write_json(root / "test/local_descriptions.json", {"84031": {"84031-output2.png": "a blue cup"}})
    return root


def test_magicbrush_has_turns(tmp_path):
    first, last = EDITING["magicbrush"].read(write_magicbrush(tmp_path))
    assert (first.name, first.is_last, last.name, last.is_last) == ("84031-1", False, "84031-2", True)
    assert first.target == last.image
    assert (last.instruction, last.caption, first.caption) == ("blue", "a blue cup", "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"output": "84031-output3.png"}, r"84031-output3\.png is missing; MagicBrush's archive"),
        ({"output": "../../secret.png"}, "is not the name of a file"),
        ({"mask": None}, "turn 2: mask should be a text"),
    ],
)
def test_what_is_wrong_with_a_turn_is_named(tmp_path, change, words):
    with pytest.raises(SourceError, match=words):
        EDITING["magicbrush"].read(write_magicbrush(tmp_path, **change))


@pytest.mark.parametrize(("name", "table"), [*((name, CAPTIONS) for name in CAPTIONS), ("youtube-vos", MASKS)])
def test_what_is_missing_is_named_with_how_to_get_it(tmp_path, name, table):
    with pytest.raises(SourceError, match=r"is missing; .* at "):
        table[name].read(tmp_path)
