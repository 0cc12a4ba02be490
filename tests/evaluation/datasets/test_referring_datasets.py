"""RefCOCO, RefCOCO+, RefCOCOg, gRefCOCO and Flickr30k Entities in their official layouts."""

import os
import pickle

import pytest

from tests.evaluation.datasets import miniature
from tests.evaluation.datasets.miniature import REFS, ref, write_json, write_refcoco
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import REFERRING


@pytest.mark.parametrize(("name", "by"), [("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd")])
@pytest.mark.parametrize("protocol", [0, 2])
def test_a_sample_is_a_sentence_and_its_image_is_found_by_number(tmp_path, name, by, protocol):
    (write_refcoco(tmp_path, name) / f"refs({by}).p").write_bytes(pickle.dumps(REFS, protocol))
    first, second = REFERRING[name].read(tmp_path, "val")
    assert [first.text, second.text] == ["red cup", "the left cup"]
    assert first.target == second.target
    assert first.boxes_xyxy.tolist() == [[4.5, 4, 12.5, 12]]
    assert first.frame().rgb.shape == (24, 32, 3)


def test_the_pickles_of_python_2_are_read(tmp_path):
    pickled = (
        b"(lp0\n(dp1\nS'split'\nS'val'\nsS'ref_id'\nI1\nsS'ann_id'\nI70\nsS'image_id'\nI9\ns"
        b"S'sentences'\n(lp2\n(dp3\nS'sent_id'\nI5\nsS'sent'\nS'caf\\xc3\\xa9'\nsasa."
    )
    (write_refcoco(tmp_path) / "refs(unc).p").write_bytes(pickled)
    (expression,) = REFERRING["refcoco"].read(tmp_path, "val")
    assert (expression.name, expression.text) == ("5", "café")


def test_a_test_split_is_every_one_with_its_letter(tmp_path):
    write_json(write_refcoco(tmp_path) / "refs(unc).json", REFS)
    write_json(tmp_path / "refcoco/refs(google).json", REFS)
    assert [one.text for one in REFERRING["refcoco"].read(tmp_path, "testA")] == ["right cup"]
    assert [one.text for one in REFERRING["refcoco"].read(tmp_path, "testB")] == ["right cup", "cup"]
    assert [one.text for one in REFERRING["refcoco-google"].read(tmp_path, "test")] == ["right cup", "cup"]


def test_masks_are_polygons_or_runs(tmp_path):
    pytest.importorskip("pycocotools")
    write_json(write_refcoco(tmp_path) / "refs(unc).json", REFS)
    polygon, runs = REFERRING["refcoco"].read(tmp_path, "val")[0], REFERRING["refcoco"].read(tmp_path, "testA")[0]
    assert (polygon.mask().shape, polygon.mask().sum(), polygon.mask()[4:12, 4:12].all()) == ((24, 32), 64, True)
    assert (runs.mask().sum(), runs.mask()[:, 20:24].all()) == (96, True)


def test_grefcoco_has_no_target_or_several(tmp_path):
    pytest.importorskip("pycocotools")
    refs = [ref(1, "val", ["both"], [70, 71]), ref(2, "val", ["a dog"], [-1]), ref(3, "val", ["one"], [71])]
    write_json(write_refcoco(tmp_path, "grefcoco", "images/train2014") / "grefs(unc).json", refs)
    both, none, one = REFERRING["grefcoco"].read(tmp_path)
    assert [len(expression.boxes_xyxy) for expression in (both, none, one)] == [2, 0, 1]
    assert [expression.mask().sum() for expression in (both, none, one)] == [160, 0, 96]


class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickle.dumps([*REFS, Hostile()], 0), r"refs\(unc\)\.p names \w+\.system; such a pickle"),
        (pickle.dumps([*REFS, Hostile()]), r"names \w+\.system"),
        (pickle.dumps({1, 2}, 2), r"names (__builtin__|builtins)\.set"),
        (b"Pelsewhere\n.", "refers to an object outside"),
        (pickle.dumps(REFS)[:-40], "not a readable pickle"),
        (b"", "not a readable pickle"),
        (pickle.dumps({"refs": REFS}), "should hold a list"),
        (pickle.dumps([3]), "ref 0: split should be a text"),
        (pickle.dumps([ref(1, "val", ["cup"], 5)]), "which instances.json lacks"),
        (pickle.dumps([ref(1, "train", ["cup"])]), "no sentence of the split val"),
    ],
)
def test_a_hostile_or_damaged_pickle_is_refused_by_name(tmp_path, data, words):
    (write_refcoco(tmp_path) / "refs(unc).p").write_bytes(data)
    with pytest.raises(SourceError, match=words):
        REFERRING["refcoco"].read(tmp_path, "val")


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("refcoco/refs(unc).json", r"refs\(unc\)\.p is missing; links"),
        ("refcoco/instances.json", r"instances\.json is missing; links"),
        ("images/mscoco/images/train2014/COCO_train2014_000000000009.jpg", r"000000000009\.jpg is missing; the images"),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(tmp_path, file, words):
    write_json(write_refcoco(tmp_path) / "refs(unc).json", REFS)
    (tmp_path / file).unlink()
    with pytest.raises(SourceError, match=words):
        REFERRING["refcoco"].read(tmp_path, "val")


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 0, 4], [1, 2, float("nan"), 4], "box"])
def test_an_annotation_without_a_box_is_refused(tmp_path, box):
    write_json(write_refcoco(tmp_path) / "refs(unc).json", REFS)
    instances = miniature.INSTANCES | {"annotations": [{"id": 70, "bbox": box}]}
    write_json(tmp_path / "refcoco/instances.json", instances)
    with pytest.raises(SourceError, match="ref 0: bbox of an annotation"):
        REFERRING["refcoco"].read(tmp_path, "val")


def test_flickr30k_has_phrases_with_one_box_or_more(tmp_path):
    men, coat = REFERRING["flickr30k"].read(miniature.write_flickr30k(tmp_path))
    assert (men.text, coat.text) == ("Two men", "a red coat")
    assert men.sentence == coat.sentence == "Two men in a red coat at the beach ."
    assert men.boxes_xyxy.tolist() == [[0, 1, 10, 20], [11, 1, 16, 20]]
    assert coat.boxes_xyxy.tolist() == [[11, 1, 16, 20]]
    with pytest.raises(SourceError, match="boxes only"):
        men.mask()


@pytest.mark.parametrize(
    "change", [("</annotation>", ""), ("<xmin>1<", "<xmin>0<"), ("<xmax>10<", "<xmax>nan<"), ("<ymin>2<", "<ymin><")]
)
def test_a_damaged_file_of_flickr30k_is_named(tmp_path, change):
    miniature.write_flickr30k(tmp_path, miniature.FLICKR_XML.replace(*change))
    with pytest.raises(SourceError, match=r"36979\.xml is damaged"):
        REFERRING["flickr30k"].read(tmp_path)
