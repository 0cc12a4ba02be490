"""Official layouts as sources of records: what each gives, what cannot be used, and what is missing."""

from pathlib import Path

import numpy as np
import pytest
from miniature_data import LAYOUTS

from tests.evaluation.datasets.miniature import (
    BOXES,
    FLICKR_XML,
    HEIGHT,
    INSTANCES,
    MOT_ROWS,
    WIDTH,
    ref,
    write_flickr30k,
    write_image,
    write_json,
    write_lasot,
    write_mot_sequence,
    write_refcoco,
)
from training.annotations import Captions, Questions, Regions, Tracks
from training.config import READER_TASKS, RecordsConfig
from training.errors import RecordError
from training.media import read_frames
from training.records import draw_record
from training.sources import layouts, open_source
from vitron_ros.errors import ConfigError, SourceError


def config_of(folder: Path, reader: str, **changes) -> RecordsConfig:
    values = {"tasks": READER_TASKS[reader], "min_frames": 2, "max_frames": 4, "max_interval": 3}
    return RecordsConfig(**{"reader": reader, "path": str(folder), **values, **changes})


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_every_layout_has_tasks_and_a_miniature():
    assert set(layouts.LAYOUTS) == set(LAYOUTS) == set(READER_TASKS) - {
        "conversations", "captions", "regions", "tracks", "shards",
    }  # fmt: skip


@pytest.mark.parametrize("reader", LAYOUTS)
def test_every_record_of_every_layout_can_be_shown(tmp_path, reader):
    LAYOUTS[reader](tmp_path)
    config = config_of(tmp_path, reader)
    source = open_source(config)
    tasks = set()
    for index in range(len(source)):
        for seed in range(20):
            record = draw_record(source[index], config, rng(seed))
            tasks |= {turn.task for turn in record.turns}
        images = read_frames(record.media, record.frames)
        assert len(images) == record.frames
    assert tasks == set(READER_TASKS[reader])


@pytest.mark.parametrize("reader", LAYOUTS)
def test_what_is_missing_is_said_with_where_to_get_it(tmp_path, reader):
    with pytest.raises(SourceError, match=r"nowhere.* is missing; .*(at|in) \S+"):
        open_source(config_of(tmp_path / "nowhere", reader))
    with pytest.raises(ConfigError, match=r"split is 'test'; .* is trained on train"):
        open_source(config_of(tmp_path, reader, split="test"))


def annotations(folder: Path, reader: str) -> list:
    source = open_source(config_of(folder, reader))
    return [source[index].annotation for index in range(len(source))]


def test_refcoco_has_the_references_of_an_image_together(tmp_path):
    LAYOUTS["refcoco"](tmp_path)
    [regions] = annotations(tmp_path, "refcoco")
    left = (4.5 / WIDTH, 4 / HEIGHT, 12.5 / WIDTH, 12 / HEIGHT)
    assert [(phrase.text, phrase.boxes) for phrase in regions.phrases] == [
        ("red cup", (left,)),
        ("the left cup", (left,)),
        ("right cup", ((20 / WIDTH, 4 / HEIGHT, 24 / WIDTH, 12 / HEIGHT),)),
    ]
    assert isinstance(regions, Regions) and not regions.sentences


def test_visual_genome_has_the_regions_of_an_image_together(tmp_path):
    LAYOUTS["visual-genome"](tmp_path)
    [regions] = annotations(tmp_path, "visual-genome")
    assert [(phrase.text, phrase.boxes) for phrase in regions.phrases] == [
        ("a red cup", ((4 / WIDTH, 6 / HEIGHT, 12 / WIDTH, 18 / HEIGHT),)),
        ("the table", ((0, 0.5, 1, 1),)),
    ]


def test_flickr30k_has_sentences_with_their_phrases(tmp_path):
    LAYOUTS["flickr30k"](tmp_path)
    [regions] = annotations(tmp_path, "flickr30k")
    [sentence] = regions.sentences
    assert sentence.text == "Two men in a red coat at the beach ."
    assert [(phrase.text, len(phrase.boxes)) for phrase in sentence.phrases] == [("Two men", 2), ("a red coat", 1)]
    assert sentence.phrases[0].hull == (0, 1 / HEIGHT, 0.5, 20 / HEIGHT)


def test_lasot_is_one_object_that_may_be_hidden(tmp_path):
    LAYOUTS["lasot"](tmp_path)
    [tracks] = annotations(tmp_path, "lasot")
    [one] = tracks.objects
    assert one.text == "red cup"
    assert np.isnan(one.boxes).all(axis=1).tolist() == [False] * 3 + [True] + [False] * 2
    assert one.boxes[0].tolist() == [1 / WIDTH, 2 / HEIGHT, 11 / WIDTH, 22 / HEIGHT]


def test_got10k_is_named_by_its_class(tmp_path):
    LAYOUTS["got10k"](tmp_path)
    [tracks] = annotations(tmp_path, "got10k")
    assert tracks.objects[0].text == "anaconda"
    assert np.isnan(tracks.objects[0].boxes).any(axis=1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize("reader", ["mot16", "dancetrack"])
def test_multi_object_sequences_have_the_objects_that_count_cut_at_the_border(tmp_path, reader):
    LAYOUTS[reader](tmp_path)
    [tracks] = annotations(tmp_path, reader)
    [one] = tracks.objects
    assert np.isnan(one.boxes).all(axis=1).tolist() == [False, True, False, True]
    assert one.boxes[0].tolist() == [10 / WIDTH, 10 / HEIGHT, 1, 1]


def test_questions_about_one_image_are_together_with_the_usual_answer(tmp_path):
    LAYOUTS["vqa-v2"](tmp_path)
    assert annotations(tmp_path, "vqa-v2") == [Questions((("How many?", "2"), ("Which?", "blue.")))]
    config = config_of(tmp_path, "vqa-v2", max_questions=5)
    asked = {draw_record(open_source(config)[0], config, rng(seed)).turns for seed in range(20)}
    assert {len(turns) for turns in asked} == {2} and len(asked) == 2, "in either order"


def test_captions_and_video_questions_are_as_the_sets_have_them(tmp_path):
    for reader in ("coco-captions", "msrvtt-qa"):
        LAYOUTS[reader](tmp_path)
    assert annotations(tmp_path, "coco-captions") == [Captions(("cup 0", "cup 1"))]
    assert annotations(tmp_path, "msrvtt-qa") == [
        Questions((("who runs?", "man"),)),
        Questions((("what?", "ball"),)),
    ]


def lasot_without_a_frame(root: Path) -> None:
    (write_lasot(root) / "img/00000002.jpg").unlink()


def lasot_without_flags(root: Path) -> None:
    (write_lasot(root) / "out_of_view.txt").unlink()


def refcoco(root: Path, *, sentence: str = "cup", image_id: int = 9, bbox: tuple[float, ...] = (4, 4, 8, 8)) -> None:
    box = {"id": 70, "image_id": 9, "category_id": 1, "bbox": bbox, "segmentation": []}
    folder = write_refcoco(root)
    write_json(folder / "instances.json", {**INSTANCES, "annotations": [box]})
    bad = {**ref(1, "train", [sentence]), "image_id": image_id}
    write_json(folder / "refs(unc).json", [bad])


def visual_genome(root: Path, **changes) -> None:
    region = {"image_id": 3, "phrase": "a cup", "x": 4, "y": 6, "width": 8, "height": 12, **changes}
    write_json(root / "region_descriptions.json", [{"id": 3, "regions": [region]}])
    write_image(root / "VG_100K/3.jpg")


TRAPS = {
    "a region outside": ("visual-genome", lambda root: visual_genome(root, x=99), "the box of 'a cup', .* is outside"),
    "a region without words": ("visual-genome", lambda root: visual_genome(root, phrase=""), "its phrase is ''"),
    "a region without a side": ("visual-genome", lambda root: visual_genome(root, width=None), "width should be"),
    "an image that is absent": ("visual-genome", lambda root: visual_genome(root, image_id=4), "4.jpg is missing"),
    "a frame that is absent": ("lasot", lasot_without_a_frame, "2 frames but 3 boxes"),
    "no flags of absence": ("lasot", lasot_without_flags, "is missing; LaSOT"),
    "a line that is no box": (
        "lasot", lambda root: write_lasot(root, rows=[*BOXES[:2], "1,2"]), r"line 3: '1,2' is not a box",
    ),
    "an empty caption": ("refcoco", lambda root: refcoco(root, sentence=" "), "its phrase is ' '; it must be text"),
    "a box outside": ("refcoco", lambda root: refcoco(root, bbox=(40, 4, 8, 8)), "a box of 'cup' is outside the image"),
    "a box without area": ("refcoco", lambda root: refcoco(root, bbox=(4, 4, 0, 8)), "bbox of an annotation is"),
    "an unknown image": ("refcoco", lambda root: refcoco(root, image_id=8), "refers to image 8"),
    "a row of a frame that does not exist": (
        "mot16",
        lambda root: write_mot_sequence(root / "train/MOT16-02", [*MOT_ROWS, "5,1,11,11,40,80,1,1,1"]),
        "line 5: frame 5 is not one of the 4",
    ),
    "a box of an annotation before the image": (
        "flickr30k",
        lambda root: write_flickr30k(root, FLICKR_XML.replace("<xmin>1</xmin>", "<xmin>0</xmin>"), "train"),
        "36979.xml is damaged",
    ),
}  # fmt: skip


@pytest.mark.parametrize("trap", TRAPS)
def test_a_record_that_cannot_be_used_is_an_error_of_its_own(tmp_path, trap):
    reader, write, sentence = TRAPS[trap]
    write(tmp_path)
    source = open_source(config_of(tmp_path, reader))
    assert len(source) == 1
    with pytest.raises(RecordError, match=sentence):
        source[0]


@pytest.mark.parametrize("reader", ["lasot", "refcoco", "msvd-qa"])
def test_media_that_are_missing_or_cut_are_found_when_they_are_shown(tmp_path, reader):
    LAYOUTS[reader](tmp_path)
    config = config_of(tmp_path, reader)
    record = draw_record(open_source(config)[0], config, rng())
    whole = record.media[-1].read_bytes()
    record.media[-1].write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match=f"{record.media[-1].name} cannot be read"):
        read_frames(record.media, record.frames)
    record.media[-1].unlink()
    with pytest.raises(RecordError, match=f"{record.media[-1].name} is missing"):
        read_frames(record.media, record.frames)


def test_a_sequence_of_a_broken_set_does_not_stop_the_others(tmp_path):
    write_lasot(tmp_path, "cup-2")
    (write_lasot(tmp_path, "cup-3") / "groundtruth.txt").write_text("")
    source = open_source(config_of(tmp_path, "lasot"))
    assert len(source) == 2 and isinstance(source[0].annotation, Tracks)
    with pytest.raises(RecordError, match="has 0 boxes but 3 flags"):
        source[1]
