"""Stages as files: what is wrong is refused with the file and the key; those that ship are a chain."""

from pathlib import Path

import pytest

from training.config import GROUPS, load_stages
from training.gradient_coverage import check_gradient_coverage
from training.tiny import read_model
from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import read_config

SHIPPED = Path("training/configs/tiny.yaml")
GOOD = "out: x\nclips: [{frames: 1, tasks: [rec]}]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stpes: 3\n", ["no key stpes", "steps"]),
        ("loss_weights: {txet: 1}\n", ["loss_weights", "no key txet"]),
        ("clips: [{frames: 1, tusks: [rec]}]\n", ["clips[0]", "no key tusks"]),
        ("clips: [{tasks: [rek]}]\n", ["clips[0]", "rek"]),
        ("steps: many\n", ["steps", "'many'", "whole number"]),
        ("steps: 1e40\n", ["steps", "whole number"]),
        ("steps: 1000000000000\n", ["steps", "at most"]),
        ("steps: true\n", ["steps", "True"]),
        ("steps: 0\n", ["steps is 0", "at least 1"]),
        ("trainable: vision\n", ["trainable", "must be a list"]),
        ("trainable: [eyes]\n", ["eyes", "vision"]),
        ("trainable: []\n", ["trainable is empty"]),
        ("lora_rank: 4\n", ["lora_rank", "language"]),
        ("clips: []\n", ["clips is empty"]),
        ("clips: [{frames: 2}]\n", ["nothing is trained"]),
        ("clips: [{frames: 2, pattern_grid: true}]\n", ["clips[0]", "single images"]),
        ("optimizer: sgd\n", ["optimizer", "sgd", "muon"]),
        ("learning_rate: .inf\n", ["learning_rate", "finite"]),
        ("learning_rate: .nan\n", ["learning_rate", "finite"]),
        ("learning_rate: 1.0e+30\n", ["learning_rate", "at most"]),
        ("learning_rate: 0\n", ["learning_rate", "at least"]),
        ("learning_rate: fast\n", ["learning_rate", "'fast'", "a number"]),
        ("weight_decay: .inf\n", ["weight_decay", "finite"]),
        ("loss_weights: {text: .inf}\n", ["loss_weights: text", "finite"]),
        ("seed: 10000000000000\n", ["seed", "at most"]),
        ("out: ''\n", ["out is empty"]),
        ('out: "a\\0b"\n', ["out", "one line"]),
        ('name: "a\\nb"\n', ["name", "one line"]),
        (f"steps: {10**400}\n", ["steps", "whole number"]),
        (f"learning_rate: {10**400}\n", ["learning_rate", "a number"]),
        ("clips: [{frames: 1, tasks: [rec, rsot]}]\n", ["clips[0]", "rsot", "two frames"]),
        ("clips: [{frames: 4, tasks: [rec]}]\n", ["clips[0]", "rec", "single images"]),
        ("loss_weights: {pattern: 1}\n", ["loss_weights.pattern", "loss_weights.dense"]),
        ("[1, 2]\n", ["table of settings"]),
        ("a: [\n", ["not YAML"]),
    ],
)
def test_what_is_wrong_is_named_with_its_file_and_key(tmp_path, text, words):
    path = tmp_path / "stage.yaml"
    key = text.split(":")[0]
    good = "".join(line + "\n" for line in GOOD.splitlines() if not line.startswith(key + ":"))
    path.write_text(text if text[0] in "[a" else good + text)
    with pytest.raises(ConfigError) as caught:
        load_stages(path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load_stages(tmp_path / "gone.yaml")


def test_a_whole_number_is_good_enough_for_a_fraction(tmp_path):
    path = tmp_path / "stage.yaml"
    path.write_text(GOOD + "loss_weights: {text: 2}\n")
    assert load_stages(path)[0].loss_weights.text == 2.0


def test_a_number_may_be_written_as_in_json(tmp_path):
    path = tmp_path / "stage.yaml"
    path.write_text(GOOD + "learning_rate: 1e-4\n")
    assert load_stages(path)[0].learning_rate == 1e-4


def test_the_shipped_stages_are_a_chain_and_their_file_begins_with_its_command():
    assert SHIPPED.read_text().startswith(f"# python -m training.train {SHIPPED.as_posix()}")
    stages = load_stages(SHIPPED)
    names = ["dense", "alignment", "grounding", "joint", "joint_vision"]
    assert [stage.name for stage in stages] == names
    assert [stage.out for stage in stages] == [f"out/vitron-tiny/{n}_{name}" for n, name in enumerate(names)]
    assert [stage.start for stage in stages] == ["", *(stage.out for stage in stages[:-1])]
    for stage in stages:
        check_gradient_coverage(stage, read_model(stage.model))


def test_the_stage_that_continues_the_shipped_weights_trains_all_of_them():
    [stage] = load_stages(SHIPPED.with_name("tiny_continued.yaml"))
    check_gradient_coverage(stage, read_config(Path(stage.start)))
    assert set(stage.trainable) == set(GROUPS) and stage.precision == "bfloat16"


LIST = "out: x\ndefaults: {steps: 7, clips: [{tasks: [rec]}]}\n"


def test_stages_of_a_list_share_defaults_and_start_from_the_one_before(tmp_path):
    path = tmp_path / "stages.yaml"
    path.write_text(LIST + "stages:\n  - {name: a}\n  - {name: b, steps: 8}\n  - {name: c, start: y, out: z}\n")
    stages = load_stages(path)
    found = [(stage.steps, stage.start, stage.out) for stage in stages]
    assert found == [(7, "", "x/0_a"), (8, "x/0_a", "x/1_b"), (7, "y", "z")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stages: [{name: a, stpes: 3}]\n", ["stages[0] (a)", "no key stpes"]),
        ("stages: [{name: a}, {name: a}]\n", ["stages[1]", "'a'"]),
        ("stages: [{name: ../a}]\n", ["stages[0]", "'../a'"]),
        ("stages: [{}]\n", ["stages[0]", "empty"]),
        ("stages: [a]\n", ["stages[0]", "table of settings"]),
        ("stages: {a: {}}\n", ["stages", "a list"]),
        ("stages: []\n", ["at least one"]),
        ("stages: [{name: a}]\nstage: 3\n", ["no key stage"]),
    ],
)
def test_what_is_wrong_in_a_list_is_named_with_its_stage(tmp_path, text, words):
    path = tmp_path / "stages.yaml"
    path.write_text(LIST + text)
    with pytest.raises(ConfigError) as caught:
        load_stages(path)
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def test_an_unknown_model_is_named():
    with pytest.raises(ConfigError, match="vitron-huge"):
        read_model("vitron-huge")
