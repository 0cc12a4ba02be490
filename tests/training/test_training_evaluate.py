"""Scores: right answers score all there is, a box in the middle what the baseline says, and a model is really asked."""

import json

import numpy as np
import pytest
import torch
from tiny_training import tiny_checkpoint

from training import baselines
from training.evaluate import EVALUATED, EvaluationCase, ModelPredictor, cases, main, report, score
from training.worlds.splits import is_held_out_pair
from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import save_pretrained

KEYS = {
    "rec_acc50", "rsot_auc", "rsot_norm_precision", "sot_auc", "absent_recall", "false_none", "video_reg", "qa_em",
    "invocation_em", "rec_acc50_unseen",
}  # fmt: skip


@pytest.fixture(scope="module")
def asked() -> list[EvaluationCase]:
    profile = tiny_checkpoint().prompts.profile
    return [case for task in EVALUATED for case in cases(task, 16, profile, size=48, frames=3)]


def questions(asked):
    return [case.question for case in asked]


def test_right_answers_score_all_there_is(asked):
    result = score(asked, baselines.oracle(questions(asked)))
    assert set(result) >= KEYS
    assert result.pop("false_none") == 0
    # The success curve of a perfect track ends at 20/21, and whole numbers of 0..100 cost small boxes a little.
    assert 0.8 < result.pop("rsot_auc") <= 0.953 and 0.8 < result.pop("sot_auc") <= 0.953
    assert result == dict.fromkeys(result, 1.0)


def test_a_model_that_says_the_centre_is_the_baseline(asked):
    result = report(asked, lambda cases: baselines.centre(questions(cases)))
    assert {key: value for key, value in result.items() if isinstance(value, float)} == result["baseline_centre"]
    assert result["baseline_centre"]["absent_recall"] == result["baseline_centre"]["invocation_em"] == 0
    assert 0 < result["baseline_centre"]["rsot_auc"] < 0.5


def test_chance_lies_far_below_right_answers(asked):
    result = score(asked, baselines.chance(questions(asked)))
    assert result["rec_acc50"] < 0.5 and result["video_reg"] < 0.5 and result["invocation_em"] < 0.5


@pytest.mark.parametrize(
    ("task", "reply"), [("rec", "none"), ("rsot", "none"), ("sot", "none"), ("rec", ""), ("rsot", "Frame 1: [1,2")]
)
def test_no_box_is_never_right(asked, task, reply):
    some = [case for case in asked if case.question.sample.task == task]
    result = score(some, [reply] * len(some))
    assert result["rec_acc50" if task == "rec" else f"{task}_auc"] == 0
    if task != "sot":
        assert result["absent_recall"] == result["false_none"] == float(reply == "none")


def test_one_wrong_word_is_a_wrong_invocation(asked):
    some = [case for case in asked if case.question.sample.module]
    right = [case.question.answer for case in some]
    for old, new in (("</instruction>", " x</instruction>"), ("<module>", "<module>Text Generation</module><module>")):
        assert score(some, [text.replace(old, new) for text in right])["invocation_em"] == 0
    moved = [text.split("<region>")[0] + "<region>[0,0,2,2]</region>" for text in right if "<region>" in text]
    assert score([case for case, text in zip(some, right, strict=True) if "<region>" in text], moved) == {
        "invocation_em": 0.0
    }


def test_unseen_pairs_are_scored_apart(asked):
    some = [case for case in asked if case.question.sample.task == "rec" and case.question.sample.target is not None]
    specs = [case.clip.objects[case.question.sample.target] for case in some]
    is_unseen = [is_held_out_pair(spec.colour, spec.shape) for spec in specs]
    replies = [case.question.answer if unseen else "none" for case, unseen in zip(some, is_unseen, strict=True)]
    result = score(some, replies)
    assert (result["rec_acc50_unseen"], result["rec_acc50_seen"]) == (1, 0)
    assert result["rec_acc50"] == pytest.approx(np.mean(is_unseen), abs=1e-4)


def test_questions_are_those_of_a_seed_and_never_of_training(asked):
    profile = tiny_checkpoint().prompts.profile
    again, other = (cases("rec", 5, profile, size=48, seed=seed) for seed in (0, 1))
    assert [case.question.turns for case in again] == [case.question.turns for case in asked[:5]]
    assert [case.question.turns for case in other] != [case.question.turns for case in again]
    assert {case.clip.split for case in asked} == {"val"}


def test_a_real_background_is_drawn_behind_the_objects():
    profile = tiny_checkpoint().prompts.profile
    grey = np.full((60, 80, 3), 128, np.uint8)
    spread = []
    for real in ([grey], []):
        drawn = cases("rec", 8, profile, size=48, backgrounds=real)
        spread.append(np.mean([case.clip.frames[0][case.clip.instances[0] == 0].std() for case in drawn]))
    assert spread[0] < 0.7 * spread[1]


def test_too_few_questions_are_named():
    with pytest.raises(ConfigError, match="video_reg"):
        cases("video_reg", 1, tiny_checkpoint().prompts.profile, size=48, frames=1)


def test_a_model_answers_side_by_side_as_alone(asked):
    checkpoint = tiny_checkpoint()
    checkpoint.model.eval()
    some = [case for task in ("rec", "rsot", "sot") for case in asked if case.question.sample.task == task][::6]
    together = ModelPredictor(checkpoint, rows=4)(some)
    assert together == ModelPredictor(checkpoint, rows=1)(some)
    # Under the grammar even random weights write boxes or "none".
    assert all(text == "none" or "[" in text or "none" in text for text in together)


def test_the_command_prints_one_json_object(tmp_path, capsys):
    checkpoint = tiny_checkpoint()
    save_pretrained(checkpoint.model, tmp_path / "model", tokenizer=checkpoint.tokenizer, dtype=torch.float16)
    arguments = ["--checkpoint", str(tmp_path / "model"), "--clips", "2", "--tasks", "rec", "sot", "--json"]
    assert main([*arguments, "--device", "cpu"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"rec_acc50", "sot_auc", "baseline_centre", "baseline_chance"} <= set(result)
    assert main(["--checkpoint", str(tmp_path / "gone")]) == 1
    assert "gone" in capsys.readouterr().err
