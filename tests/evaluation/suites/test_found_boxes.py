"""Suites that ask for boxes in images: REC on RefCOCO, GREC on gRefCOCO, phrases of Flickr30k Entities."""

import json

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import REFS, ref, write_flickr30k, write_json, write_refcoco
from tests.evaluation.suites.suite_run import report, run
from tests.fakes import said
from tests.grounding.families.tiny import grounding_dino
from vitron_ros.cli.exit_code import INTERRUPTED
from vitron_ros.cli.main import main
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.predictions import FILE, read_run
from vitron_ros.grounding.request import ModelReply, ReplyStatus

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")

LEFT, RIGHT = [4.5, 4, 12.5, 12], [20, 4, 24, 12]  # the two cups of the miniature
HALF = [4.5, 4, 8.5, 12]  # IoU 0.5 with the left one, exactly


def boxes(request, *found, scores=None):
    scores = np.array(scores or [0.9] * len(found))
    return ModelReply(
        id=request.id,
        task=request.task,
        status=ReplyStatus.OK,
        boxes_xyxy=np.array(found[:1], float),
        candidates_xyxy=np.array(found, float),
        candidate_scores=scores,
        score=float(scores[0]),
    )


@pytest.fixture
def data(tmp_path):
    write_json(write_refcoco(tmp_path / "data") / "refs(unc).json", REFS)
    return tmp_path / "data"


def test_rec_by_both_rules_beside_both_papers(data, tmp_path, monkeypatch):
    rows = run(
        monkeypatch, "refcoco", data, tmp_path / "out",
        lambda request: boxes(request, LEFT if request.text == "red cup" else HALF),
    )  # fmt: skip
    assert rows["11"]["boxes_xyxy"] == [HALF]
    assert (rows["11"]["text"], rows["11"]["true_xyxy"]) == ("the left cup", [LEFT])
    document, text = report(tmp_path / "out")
    assert document["figures"] == {
        "minigpt-v2": {"accuracy": 0.5, "unparsed": 0.0},  # IoU > 0.5
        "lmms-eval": {"accuracy": 1.0, "unparsed": 0.0},  # IoU >= 0.5
    }
    assert "## Beside vitron, table 8, refcoco, val\n\n| method | acc_iou50 |" in text
    assert "## Beside elysium, table 2, refcoco, val" in text
    assert text.count("| this run (minigpt-v2) | 50.0 |") == 2
    assert (tmp_path / "out/report.html").read_text().count("data:image/jpeg") == 2


def test_a_reply_without_a_box_is_wrong_and_counted(data, tmp_path, monkeypatch):
    def answer(request):
        return boxes(request, LEFT) if request.text == "red cup" else said(request, ReplyStatus.ABSENT, "no such cup")

    rows = run(monkeypatch, "refcoco", data, tmp_path / "out", answer)
    assert (rows["11"]["status"], rows["11"]["message"], rows["11"]["boxes_xyxy"]) == ("absent", "no such cup", [])
    document, _ = report(tmp_path / "out")
    assert document["figures"]["minigpt-v2"] == {"accuracy": 0.5, "unparsed": 0.5}
    assert document["by_group"]["minigpt-v2"]["reply: absent"] == {"samples": 1, "accuracy": 0.0, "unparsed": 1.0}


def test_a_model_that_fails_leaves_a_row_with_its_reason(data, tmp_path, monkeypatch, capsys):
    def answer(request):
        return boxes(request, LEFT) if request.text == "red cup" else said(request, ReplyStatus.FAILED, "out of memory")

    rows = run(monkeypatch, "refcoco", data, tmp_path / "out", answer, exit_code=1)
    assert rows["11"] == {"name": "11", "error": "ModelError: out of memory"}
    assert "11 failed: ModelError: out of memory" in capsys.readouterr().err
    assert "PARTIAL: 1 of 2 samples" in report(tmp_path / "out")[1]


def test_the_split_of_the_paper_is_the_split_of_the_run(data, tmp_path, monkeypatch):
    run(monkeypatch, "refcoco", data, tmp_path / "out", lambda request: boxes(request, RIGHT), "--split", "testA")
    document, text = report(tmp_path / "out")
    assert document["figures"]["minigpt-v2"]["accuracy"] == 1
    assert "refcoco, testA" in text and "refcoco, val" not in text


def test_grec_by_the_published_cut_off_and_by_the_models_own(tmp_path, monkeypatch):
    refs = [ref(1, "val", ["both cups"], [70, 71]), ref(2, "val", ["left cup"]), ref(3, "val", ["the dog"], [-1])]
    write_json(write_refcoco(tmp_path / "data", "grefcoco", "images/train2014") / "grefs(unc).json", refs)

    def answer(request):
        if request.text == "the dog":
            return said(request, ReplyStatus.ABSENT)
        return boxes(request, LEFT, RIGHT, scores=[0.9, 0.5])

    run(monkeypatch, "grefcoco", tmp_path / "data", tmp_path / "out", answer)
    figures = report(tmp_path / "out")[0]["figures"]
    # F1 of the three sentences: at 0.7 one box of two (2/3), right (1), none (1); by the model's own cut-off the second
    # box counts, too: 1, 2/3, 1.
    for variant in ("score >= 0.7, as published", "the model's own cut-off"):
        assert figures[variant] == {
            "precision_f1": pytest.approx(2 / 3, abs=1e-6), "n_acc": 1, "t_acc": 1, "f1": pytest.approx(8 / 9, abs=1e-6)
        }  # fmt: skip


def test_phrases_of_flickr30k_by_rank(tmp_path, monkeypatch):
    write_flickr30k(tmp_path / "data")
    far, near = [20, 2, 30, 20], [0, 1, 10, 20]  # the first box of "Two men"
    run(monkeypatch, "flickr30k", tmp_path / "data", tmp_path / "out", lambda request: boxes(request, far, near))
    figures = report(tmp_path / "out")[0]["figures"]
    assert figures["any-box"] == {"recall@1": 0, "recall@5": 0.5, "recall@10": 0.5}
    assert figures["merged-box"]["recall@5"] == 0.5  # the hull of both men is [0, 1, 16, 20]


def test_killed_and_resumed_gives_the_same_report(data, tmp_path, monkeypatch):
    def answer(request):
        return boxes(request, LEFT)

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(monkeypatch, "refcoco", data, whole, answer)

    def interrupted(request):
        if request.text == "the left cup":
            raise KeyboardInterrupt
        return answer(request)

    with pytest.raises(PredictionError, match="not finished"):
        run(monkeypatch, "refcoco", data, cut, interrupted, exit_code=INTERRUPTED)
    run(monkeypatch, "refcoco", data, cut, answer)
    for folder in (whole, cut):
        assert main(["eval", "report", str(folder), "--no-latency"]) == 0
    for name in (FILE, "report.json", "report.md", "report.html"):
        assert (whole / name).read_bytes() == (cut / name).read_bytes()


def test_two_models_are_compared_on_the_same_sentences(data, tmp_path, monkeypatch, capsys):
    run(monkeypatch, "refcoco", data, tmp_path / "half", lambda request: boxes(request, HALF))
    run(monkeypatch, "refcoco", data, tmp_path / "whole", lambda request: boxes(request, LEFT))
    capsys.readouterr()
    assert main(["eval", "compare", str(tmp_path / "half"), str(tmp_path / "whole"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["variant"], document["samples"]) == ("minigpt-v2", 2)
    accuracy = document["figures"]["accuracy"]
    assert (accuracy["first"], accuracy["second"], accuracy["difference"]) == (0, 1, 1)


def test_the_bundled_model_is_asked_where_none_is_named(data, tmp_path):
    assert main(["eval", "run", "refcoco", str(data), "--out", str(tmp_path / "out"), "--checks", "on"]) == 0
    run = read_run(tmp_path / "out")
    assert run.header.settings["model"] == "vitron-tiny"
    assert {row["status"] for row in run.rows} <= {"unknown", "absent", "ok", "unsure"}


def test_a_published_family_is_asked_the_same(data, tmp_path, capsys):
    """A Grounding DINO with random weights, as the hub has it."""
    folder = grounding_dino(tmp_path / "dino")
    words = ["eval", "run", "refcoco", str(data), "--out", str(tmp_path / "out"), "--model", str(folder)]
    assert main(words) == 0
    run = read_run(tmp_path / "out")
    assert all(np.isfinite(row["boxes_xyxy"]).all() for row in run.rows)
    before = (tmp_path / "out" / FILE).read_bytes()
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert main(words) == 1, "other weights, other predictions"
    assert "is stale: " in capsys.readouterr().err
    assert (tmp_path / "out" / FILE).read_bytes() == before
