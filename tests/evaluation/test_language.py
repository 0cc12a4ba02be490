"""Sentences and what must come of them: the suite's form, and how it is judged."""

from pathlib import Path

import numpy as np
import pytest

from tests.fakes import ScriptedModel, frame
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.language import Case, Deed, figures, judge, read_suite, right_lost, say
from vitron_ros.grounding.request import ModelReply, ReplyStatus
from vitron_ros.model.answers import Invocation, Module

HERE, THERE = [0, 0, 10, 10], [50, 0, 60, 10]
CALL = Invocation(Module.IMAGE_EDITING, ("remove: ring",), (0.0, 0.0, 0.1, 0.1))


def case(expect, said_as="track", text="the ring"):
    return Case(source="x", at_s=None, said_as=said_as, text=text, kind="any", expect=expect)


def deed(status=ReplyStatus.OK, *boxes, **values):
    return Deed(status=status, boxes_xyxy=tuple(np.array(box, float) for box in boxes), **values)


@pytest.mark.parametrize(
    ("expect", "done", "marks"),
    [
        ({"box": HERE}, deed(ReplyStatus.OK, HERE), "right"),
        ({"box": HERE}, deed(ReplyStatus.OK, THERE), "box"),
        ({"box": HERE}, deed(ReplyStatus.ABSENT), ""),
        ({"boxes": [HERE, THERE]}, deed(ReplyStatus.OK, HERE, THERE), "right"),
        ({"boxes": [HERE, THERE]}, deed(ReplyStatus.OK, HERE), ""),
        ({"boxes": [HERE, THERE]}, deed(ReplyStatus.OK, HERE, message="only one is taken"), "right"),
        ("absent", deed(ReplyStatus.ABSENT), "right"),
        ("absent", deed(ReplyStatus.OK, HERE), "box"),
        ("refused", deed(ReplyStatus.REFUSED), "right"),
        ("refused", deed(ReplyStatus.OK, text="a ring"), ""),
        ("refused", deed(ReplyStatus.OK, invocation=CALL), "action"),
        ("no_action", deed(ReplyStatus.OK, text="a ring"), "right"),
        ("no_action", deed(ReplyStatus.OK, invocation=CALL), "action"),
        ({"answer": ["ring", "hoop"]}, deed(ReplyStatus.OK, text="A red ring."), "right"),
        ({"answer": ["ring"]}, deed(ReplyStatus.OK, text="a string"), ""),
        ({"answer": ["ring"]}, deed(ReplyStatus.UNSURE, text="a ring"), ""),
        ({"module": "image_editing", "verb": "remove", "box": HERE}, deed(ReplyStatus.OK, invocation=CALL), "right"),
        ({"module": "image_editing", "verb": "remove", "box": THERE}, deed(ReplyStatus.OK, invocation=CALL), "action"),
        ({"module": "image_editing", "verb": "recolour"}, deed(ReplyStatus.OK, invocation=CALL), "action"),
        ({"module": "image_editing"}, deed(ReplyStatus.REFUSED), ""),
    ],
)
def test_judgements(expect, done, marks):
    judged = judge(case(expect), done, 100, 100)
    assert (judged.is_right, judged.is_wrong_action, judged.is_wrong_box) == (
        marks == "right", marks == "action", marks == "box"
    )  # fmt: skip


def test_figures_by_kind_and_what_the_checks_lose():
    good, bad = (
        judge(case("absent"), done, 100, 100) for done in (deed(ReplyStatus.ABSENT), deed(ReplyStatus.OK, HERE))
    )
    row = {"sentences": 2, "right": 50.0, "wrong_actions": 0.0, "wrong_boxes": 50.0}
    assert figures([case("absent")] * 2, [good, bad]) == {"any": row, "all": row}
    assert right_lost([good, good], [good, bad]) == 50.0


def test_a_sentence_is_said_with_the_checks_and_without():
    def edits(request):
        return ModelReply(
            id=request.id, task=request.task, status=ReplyStatus.OK, score=0.9, text="ok", invocation=CALL
        )

    asked = case("refused", "ask", "hello")
    before, after = (say(ScriptedModel(edits), asked, (frame(),), 0.5, is_checked=on) for on in (False, True))
    assert before.invocation is CALL
    assert (after.status, after.invocation) == (ReplyStatus.REFUSED, None)


GOOD = "{source: a, as: ask, text: hi, kind: bare, expect: refused}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cases: []", "needs a list"),
        ("cases: [1]", "needs source, as"),
        (f"cases: [{GOOD}, {{source: a}}]", "case 2 of"),
        (f"cases: [{GOOD.replace('refused', 'nothing')}]", "expects absent"),
        (f"cases: [{GOOD.replace('refused', '{module: painting}')}]", "the module 'painting'"),
        (f"cases: [{GOOD.replace('as: ask', 'as: shout')}]", "said as track or ask"),
        ("{", "cannot read"),
    ],
)
def test_suites_that_say_nothing_are_refused(tmp_path, text, says):
    path = tmp_path / "suite.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=says):
        read_suite(path)


def test_the_suite_of_the_package_can_be_read():
    assert len(read_suite(Path(__file__).parents[2] / "bags" / "language.yaml")) > 200
