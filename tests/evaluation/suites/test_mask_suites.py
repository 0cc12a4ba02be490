"""Suites of masks: RES on RefCOCO and gRefCOCO, semi-supervised video segmentation on DAVIS and YouTube-VOS."""

import io
import zipfile

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import (
    HEIGHT,
    REFS,
    WIDTH,
    ref,
    write_davis,
    write_images,
    write_json,
    write_labels,
    write_refcoco,
    write_youtube_vos,
)
from tests.evaluation.suites.suite_run import report, run
from tests.evaluation.suites.test_found_boxes import RIGHT, boxes
from tests.fakes import said
from tests.grounding.families.tiny_sam2 import sam2_video
from vitron_ros.cli.main import main
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation import run_settings
from vitron_ros.evaluation.predictions import FILE, read_run
from vitron_ros.evaluation.report import write_report
from vitron_ros.grounding.request import ReplyStatus
from vitron_ros.modules.module import ModuleResult

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")


class Filling:
    """A segmenter that fills the box of what is marked, and moves it right by so many columns a frame."""

    def __init__(self, speed=0):
        self.speed = speed
        self.jobs = []

    def run(self, job, progress):
        self.jobs.append(job)
        frame = job.frames[0]
        height, width = frame.rgb.shape[:2]
        x_min, y_min, x_max, y_max = (
            np.round(job.region.bounding_box(width, height)).astype(int) if job.region else (0, 0, width, height)
        )
        masks = np.zeros((len(job.frames), height, width), np.uint8)
        for index, mask in enumerate(masks):
            mask[y_min:y_max, x_min + self.speed * index : x_max + self.speed * index] = 255
        return ModuleResult(masks=tuple(masks))


@pytest.fixture
def segmenter(monkeypatch):
    filling = Filling()
    monkeypatch.setattr(run_settings, "_module", lambda node, name, device: filling)
    return filling


def test_res_is_the_mask_in_the_models_box(tmp_path, monkeypatch, segmenter):
    write_json(write_refcoco(tmp_path / "data") / "refs(unc).json", REFS)
    rows = run(
        monkeypatch, "refcoco-masks", tmp_path / "data", tmp_path / "out",
        lambda request: boxes(request, [4, 4, 12, 12] if request.text == "red cup" else [4, 4, 8, 12]),
    )  # fmt: skip
    assert [job.text for job in segmenter.jobs] == ["red cup", "the left cup"]
    assert rows["10"]["mask"] == rows["10"]["true_mask"]
    document, text = report(tmp_path / "out")
    # The cup covers 64 px: one mask is that, the other is half of it.
    assert document["figures"]["rela"] == {
        "ciou": 0.75, "giou": 0.75, "pr70": 0.5, "pr80": 0.5, "pr90": 0.5, "n_acc": None, "t_acc": 1
    }  # fmt: skip
    assert "| this run (rela) | 75.0 |" in text
    assert "| rela | 0.7500 | 0.7500 | 0.5000 | 0.5000 | 0.5000 | missing | 1.0000 |" in text


def test_no_target_several_targets_and_an_absent_box(tmp_path, monkeypatch, segmenter):
    refs = [ref(1, "val", ["both"], [70, 71]), ref(2, "val", ["dog"], [-1]), ref(3, "val", ["cup"], [71])]
    write_json(write_refcoco(tmp_path / "data", "grefcoco", "images/train2014") / "grefs(unc).json", refs)

    def answer(request):
        return boxes(request, RIGHT) if request.text == "both" else said(request, ReplyStatus.ABSENT)

    rows = run(monkeypatch, "grefcoco-masks", tmp_path / "data", tmp_path / "out", answer)
    assert [row["says_no_target"] for row in rows.values()] == [False, True, True]
    figures = report(tmp_path / "out")[0]["figures"]["rela"]
    # both: the right box covers 32 px of the union of 64 + 96 px; the dog: right; the cup: missed, 96 px in the union.
    assert figures["ciou"] == pytest.approx(32 / 256, abs=1e-6)
    assert (figures["n_acc"], figures["t_acc"]) == (1, 0.5)


def test_a_segmenter_that_knows_words_needs_no_model(tmp_path, monkeypatch, segmenter):
    write_json(write_refcoco(tmp_path / "data") / "refs(unc).json", REFS)
    words = ["eval", "run", "refcoco-masks", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--model", "none"]
    assert main(words) == 0
    assert [(job.text, job.region) for job in segmenter.jobs] == [("red cup", None), ("the left cup", None)]


def test_davis_follows_each_object_and_keeps_what_the_server_wants(tmp_path, segmenter):
    write_davis(tmp_path / "data", labels=((1, 2), (1, 2), (1, 2)))
    assert main(["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    document, text = report(tmp_path / "out")
    assert document["figures"]["davis2017-evaluation"]["j_and_f"] == 1
    assert "The paper's figures are of test-dev" in text
    assert "| this run (davis2017-evaluation) | 100.0 | 100.0 | 100.0 |" in text
    segmenter.speed = 1
    assert main(["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "moved")]) == 0
    # Masks of 4x8 px one column beside the truth: J = 24 / 40. The other object's first column is covered by it.
    assert report(tmp_path / "moved")[0]["by_sample"]["bike"]["j"] == pytest.approx(0.6, abs=1e-6)


def test_the_truth_of_test_dev_is_with_the_server_and_the_archive_has_label_images(tmp_path, segmenter):
    Image = pytest.importorskip("PIL.Image", reason="the extra `evaluation` is not installed")
    write_davis(tmp_path / "data", split="test-dev", labels=((1, 2),))
    for index in (1, 2):
        assert not (tmp_path / f"data/Annotations/480p/bike/{index:05d}.png").exists()
    words = ["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--split", "test-dev"]
    assert main(words) == 0
    with pytest.raises(PredictionError, match="vitron eval submit"):
        write_report(tmp_path / "out")
    assert main(["eval", "submit", str(tmp_path / "out")]) == 0
    with zipfile.ZipFile(tmp_path / "out/submission.zip") as archive:
        assert archive.namelist() == [f"bike/{index:05d}.png" for index in range(3)]
        picture = Image.open(io.BytesIO(archive.read("bike/00002.png")))
    assert (picture.mode, picture.size) == ("P", (WIDTH, HEIGHT))
    labels = np.array(picture)
    assert (labels[4:12, 4:8] == 1).all() and (labels[4:12, 8:12] == 2).all() and np.count_nonzero(labels) == 64


def test_an_object_of_youtube_vos_is_followed_from_where_it_begins(tmp_path, segmenter):
    write_youtube_vos(tmp_path / "data")
    assert main(["eval", "run", "youtube-vos", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    (row,) = read_run(tmp_path / "out").rows
    assert [len(job.frames) for job in segmenter.jobs] == [4, 2]
    assert [mask is None for mask in row["masks"]["3"]] == [True, True, False, False]
    assert row["objects"] == {"1": True, "3": False}
    assert main(["eval", "submit", str(tmp_path / "out")]) == 0
    with zipfile.ZipFile(tmp_path / "out/submission.zip") as archive:
        assert archive.namelist()[0] == "Annotations/0062f687f1/00000.png"


def test_youtube_vos_stands_beside_the_figures_of_the_split_that_the_server_scores(tmp_path, segmenter):
    write_youtube_vos(tmp_path / "data")
    labels, images = tmp_path / "data/train/Annotations/0062f687f1", tmp_path / "data/train/JPEGImages/0062f687f1"
    write_images(images, (0, 5, 10, 15), digits=5)
    for number in (0, 5, 10, 15):
        write_labels(labels / f"{number:05d}.png", [1])
    objects = {"1": {"category": "fox", "frames": ["00000", "00005", "00010", "00015"]}}
    write_json(tmp_path / "data/train/meta.json", {"videos": {"0062f687f1": {"objects": objects}}})
    words = ["eval", "run", "youtube-vos", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--split", "train"]
    assert main(words) == 0
    document, text = report(tmp_path / "out")
    assert document["figures"]["youtube-vos"]["g"] is None, "nothing in train is unseen"
    assert document["figures"]["davis2017-evaluation"]["j"] is not None
    assert "whose truth a server keeps" in text
    assert "| VITRON (the paper's own) | 85.4 | 89.8 | 81.1 | 89.6 |" in text


def test_a_damaged_mask_is_named(tmp_path, segmenter):
    write_davis(tmp_path / "data", labels=((1, 2), (1, 2), (1, 2)))
    assert main(["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / FILE
    path.write_text(path.read_text().replace('"masks":{"1":[{"size"', '"masks":{"1":[{"sise"', 1))
    with pytest.raises(PredictionError, match="bike, object 1 has no mask"):
        write_report(tmp_path / "out")


def test_sam_2_follows_davis(tmp_path):
    """With random weights, as the hub has it."""
    write_davis(tmp_path / "data", labels=((1, 2), (1, 2), (1, 2)))
    words = ["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    assert main([*words, "--segmenter", str(sam2_video(tmp_path / "sam2"))]) == 0
    assert set(report(tmp_path / "out")[0]["figures"]["davis2017-evaluation"]) >= {"j_and_f", "j", "f"}


def test_the_embedded_segmenter_follows_davis(tmp_path):
    write_davis(tmp_path / "data", labels=((1, 2), (1, 2), (1, 2)))
    assert main(["eval", "run", "davis", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    assert report(tmp_path / "out")[0]["failed"] == {}
