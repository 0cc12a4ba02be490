"""Sentences and what must come of them: the suite's form, and how it is scored."""

from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_image, write_text
from tests.evaluation.suites.suite_run import report, run
from tests.fakes import ScriptedModel, frame
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.language import (
    SentenceCase,
    SentenceResult,
    read_suite,
    run_case,
    score_result,
)
from vitron_ros.grounding.request import ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module

HERE, THERE = [0, 0, 10, 10], [50, 0, 60, 10]
CALL = Invocation(Module.IMAGE_EDITING, ("remove: ring",), (0.0, 0.0, 0.1, 0.1))


def case(expect, said_as="track", text="the ring"):
    return SentenceCase(source="x", at_s=None, said_as=said_as, text=text, kind="any", expect=expect)


def result(status=ReplyStatus.OK, *boxes, **values):
    return SentenceResult(status=status, boxes_xyxy=tuple(np.array(box, float) for box in boxes), **values)


@pytest.mark.parametrize(
    ("expect", "done", "marks"),
    [
        ({"box": HERE}, result(ReplyStatus.OK, HERE), "right"),
        ({"box": HERE}, result(ReplyStatus.OK, THERE), "box"),
        ({"box": HERE}, result(ReplyStatus.ABSENT), ""),
        ({"boxes": [HERE, THERE]}, result(ReplyStatus.OK, HERE, THERE), "right"),
        ({"boxes": [HERE, THERE]}, result(ReplyStatus.OK, HERE), ""),
        ({"boxes": [HERE, THERE]}, result(ReplyStatus.OK, HERE, message="only one is taken"), "right"),
        ("absent", result(ReplyStatus.ABSENT), "right"),
        ("absent", result(ReplyStatus.OK, HERE), "box"),
        ("refused", result(ReplyStatus.REFUSED), "right"),
        ("refused", result(ReplyStatus.OK, text="a ring"), ""),
        ("refused", result(ReplyStatus.OK, invocation=CALL), "action"),
        ("no_action", result(ReplyStatus.OK, text="a ring"), "right"),
        ("no_action", result(ReplyStatus.OK, invocation=CALL), "action"),
        ({"answer": ["ring", "hoop"]}, result(ReplyStatus.OK, text="A red ring."), "right"),
        ({"answer": ["ring"]}, result(ReplyStatus.OK, text="a string"), ""),
        ({"answer": ["ring"]}, result(ReplyStatus.UNSURE, text="a ring"), ""),
        ({"module": "image_editing", "verb": "remove", "box": HERE}, result(ReplyStatus.OK, invocation=CALL), "right"),
        (
            {"module": "image_editing", "verb": "remove", "box": THERE},
            result(ReplyStatus.OK, invocation=CALL),
            "action",
        ),
        ({"module": "image_editing", "verb": "recolour"}, result(ReplyStatus.OK, invocation=CALL), "action"),
        ({"module": "image_editing"}, result(ReplyStatus.REFUSED), ""),
    ],
)
def test_judgements(expect, done, marks):
    scored = score_result(case(expect), done, 100, 100)
    assert (scored.is_right, scored.is_wrong_action, scored.is_wrong_box) == (
        marks == "right", marks == "action", marks == "box"
    )  # fmt: skip


def test_a_sentence_is_said_with_the_checks_and_without():
    def edits(request):
        return ModelReply(
            id=request.id, task=request.task, status=ReplyStatus.OK, score=0.9, text="ok", invocation=CALL
        )

    asked = case("refused", "ask", "hello")
    before, after = (run_case(ScriptedModel(edits), asked, (frame(),), 0.5, is_checked=on) for on in (False, True))
    assert before.invocation is CALL
    assert (after.status, after.invocation) == (ReplyStatus.REFUSED, None)


GOOD = "{source: a, as: ask, text: hi, kind: bare, expect: refused}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []", "needs a list"),
        ("cases: [1]", "must be a mapping"),
        ("cases: [{source: a, said: b}]", "unknown keys"),
        ("cases: [{source: a, at: 1}]", "lacks as, text, kind, expect"),
        (f"cases: [{GOOD.replace('{', '{at: soon, ', 1)}]", "case 1 of .* is at 'soon'"),
        (f"cases: [{GOOD}, {{source: a}}]", "case 2 of"),
        (f"cases: [{GOOD.replace('refused', 'nothing')}]", "expects absent"),
        (f"cases: [{GOOD.replace('refused', '{module: painting}')}]", "the module 'painting'"),
        (f"cases: [{GOOD.replace('as: ask', 'as: shout')}]", "said as track or ask"),
        ("{", "is not YAML"),
    ],
)
def test_suites_that_say_nothing_are_refused(tmp_path, text, says):
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_suite(path)


def test_the_suite_of_the_package_can_be_read():
    assert len(read_suite(Path(__file__).parents[2] / "bags" / "language.yaml")) > 200


def test_a_run_and_a_report_of_a_file_with_sentences(tmp_path, monkeypatch):
    """One sentence asks for a ring, and the model draws; the other asks nothing, and the model edits."""
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    write_image(tmp_path / "scene.jpg")
    cases = [
        "{source: scene.jpg, as: track, text: the ring, kind: right, expect: {box: [0, 0, 10, 10]}}",
        "{source: scene.jpg, as: ask, text: hello, kind: bare, expect: refused}",
    ]
    write_text(tmp_path / "suite.yaml", f"cases: [{', '.join(cases)}]")

    def answer(request):
        values = {"id": request.id, "task": request.task, "status": ReplyStatus.OK, "score": 0.9}
        if request.task is Task.ASK:
            return ModelReply(**values, text="ok", invocation=CALL)
        return ModelReply(**values, boxes_xyxy=np.array([HERE] * len(request.frames), float))

    rows = run(monkeypatch, "sentences", tmp_path / "suite.yaml", tmp_path / "out", answer, "--min-score", "0.5")
    assert rows["0002"]["results"]["without the checks"]["called"] == ["IMAGE_EDITING", "remove: ring"]
    document, text = report(tmp_path / "out")
    assert document["figures"] == {
        "with the checks": {"right": 1, "wrong_actions": 0, "wrong_boxes": 0},
        "without the checks": {"right": 0.5, "wrong_actions": 0.5, "wrong_boxes": 0},
    }
    assert document["by_group"]["without the checks"]["bare"]["wrong_actions"] == 1
    assert document["right_lost"] == 0
    assert "## Groups (without the checks)" in text
