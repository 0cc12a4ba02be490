"""Suites that ask what a marked object is: RefCOCOg, and ElysiumTrack's clips."""

import pytest

from tests.evaluation.datasets.miniature import (
    REFS,
    ref,
    write_images,
    write_json,
    write_json_lines,
    write_refcoco,
)
from tests.evaluation.suites.suite_run import report, run
from tests.fakes import said
from vitron_ros.evaluation.metrics import captions
from vitron_ros.grounding.request import ModelReply, ReplyStatus, Task

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")

TASKS = frozenset(Task)


@pytest.fixture(autouse=True)
def without_java(monkeypatch):
    monkeypatch.setattr(captions, "java_problem", lambda: "Java is not on the PATH")


def says(text):
    return lambda request: ModelReply(id=request.id, task=request.task, status=ReplyStatus.OK, text=text, score=0.9)


def test_an_object_of_refcocog_has_all_its_sentences(tmp_path, monkeypatch):
    refs = [*REFS, ref(4, "val", ["blue bowl on a table"], 71)]
    write_json(write_refcoco(tmp_path / "data", "refcocog") / "refs(umd).json", refs)
    marked = []

    def answer(request):
        marked.append(request.regions[0].bounding_box(32, 24).tolist())
        return says("the left cup")(request) if len(marked) == 1 else said(request, ReplyStatus.UNREADABLE, "no words")

    rows = run(monkeypatch, "refcocog-captions", tmp_path / "data", tmp_path / "out", answer, tasks=TASKS)
    assert marked == [[4.5, 4, 12.5, 12], [20, 4, 24, 12]]
    assert rows["1"]["references"] == ["red cup", "the left cup"]
    assert rows["4"]["description"] == ""
    document, text = report(tmp_path / "out")
    figures = document["figures"]["simple tokens"]
    # One of two objects is described in one of its two sentences' words: ROUGE-L is the mean of 1 and 0. Of the four
    # words of the other reference none is said; all three words are right, of eight: a brevity of exp(1 - 8 / 3).
    assert figures["rouge_l"] == pytest.approx(0.5)
    assert figures["bleu_1"] == pytest.approx(0.188876, abs=1e-6)
    assert figures["cider"] > 1
    assert figures["meteor"] is None
    assert "| this run (simple tokens) | missing |" in text
    assert "## Beside vitron, table 7, refcocog, split not stated" in text


def test_a_clip_of_elysium_track_ends_with_the_marked_object(tmp_path, monkeypatch):
    write_images(tmp_path / "data/frames/abc", range(12), digits=6)
    entry = {
        "source": "x", "id": 3, "vid": "abc", "frames": [f"frames/abc/{index:06d}.jpg" for index in range(12)],
        "object_class": "cup", "box": [[0.1, 0.1, 0.5, 0.5]] * 11 + [[0.25, 0.25, 0.5, 0.5]],
        "object_description": "a red cup", "frame_size": [32, 24],
    }  # fmt: skip
    write_json_lines(tmp_path / "data/ElysiumTrack-val500.json", [entry])
    asked = []

    def answer(request):
        asked.append(request)
        return says("a red cup")(request)

    run(monkeypatch, "elysium-track-captions", tmp_path / "data", tmp_path / "out", answer, tasks=TASKS)
    assert len(asked[0].frames) == 8
    assert asked[0].regions[0].bounding_box(32, 24).tolist() == [8, 6, 16, 12]
    assert report(tmp_path / "out")[0]["figures"]["simple tokens"]["bleu_1"] == pytest.approx(1, abs=1e-6)
