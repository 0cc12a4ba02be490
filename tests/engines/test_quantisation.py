"""What few bits cost: the measures themselves, and that they tell the kinds apart."""

import json
import math

import pytest
import torch

from engines import quantisation
from engines.quantisation import box_error, distance, few_layers, main, random_layers
from training.evaluate import EvaluationCase
from training.questions import Question
from vitron_ros.errors import EngineError

needs_torchao = pytest.mark.usefixtures("torchao")


@pytest.fixture
def torchao():
    pytest.importorskip("torchao", reason="torchao is not installed")


def test_the_distance_of_a_distribution_from_itself_and_from_another():
    same = distance(torch.tensor([[0.0, 3.0]]), torch.tensor([[0.0, 3.0]]))
    assert same == {"logit_error": 0, "divergence": 0, "same_first": 1}
    # Shares of 1/2 and 1/2 against 4/5 and 1/5: ln 2 of half, less, is (ln(5/8) + ln(5/2)) / 2.
    other = distance(torch.tensor([[0.0, 0.0], [9.0, 0.0]]), torch.tensor([[math.log(4), 0.0], [0.0, 9.0]]))
    shares = [0.5 * (math.log(5 / 8) + math.log(5 / 2))]
    big = 1 / (1 + math.exp(-9))
    shares.append(big * 9 - (1 - big) * 9)
    assert other["divergence"] == pytest.approx(sum(shares) / 2, abs=1e-5)
    assert other["same_first"] == 0.5


@pytest.mark.parametrize(
    ("truth", "reply", "expected"),
    [
        ("[10,20,30,40]", "[10,20,30,40]", 0),
        ("[10,20,30,40]", "[12,20,30,36]", 1.5),
        ("Frame 1: [10,20,30,40], Frame 2: [0,0,8,8].", "Frame 1: [10,20,30,40], Frame 2: [0,0,8,16].", 1),
        # Only where both have a box.
        ("Frame 1: [10,20,30,40], Frame 2: none.", "Frame 1: [10,20,30,44], Frame 2: [0,0,8,16].", 1),
        ("[10,20,30,40]", "none", math.nan),
        ("none", "nonsense", math.nan),
    ],
)
def test_box_error(truth, reply, expected):
    case = EvaluationCase(clip=None, question=Question(turns=(), regions=(), answer=truth))
    assert box_error([case], [reply]) == pytest.approx(expected, nan_ok=True)


@needs_torchao
def test_int4_is_further_off_than_int8():
    table = random_layers(few_layers("vitron-tiny", 1))
    assert list(table) == ["int8", "int4/64", "fp8"]
    assert 0 < 5 * table["int8"]["logit_error"] < table["int4/64"]["logit_error"] < 1
    assert 0 <= table["int8"]["divergence"] < table["int4/64"]["divergence"]
    assert table["int8"]["same_first"] >= table["int4/64"]["same_first"]
    assert table["int8"]["logit_error"] < table["fp8"]["logit_error"] < table["int4/64"]["logit_error"]


@needs_torchao
@pytest.mark.slow
def test_the_bundled_model(capsys):
    assert main(["--clips", "1", "--examples", "1", "--layers", "0", "--json"]) == 0
    table = json.loads(capsys.readouterr().out.splitlines()[-1])["answers"]
    assert list(table) == ["float32", "int8", "int8 awq", "int4/64", "fp8", "int8 cache", "fp8 cache", "int8 frames"]
    assert table["float32"]["exact_match"] == 1
    for way in ("int8", "int8 awq"):
        assert table[way]["perplexity"] == pytest.approx(table["float32"]["perplexity"], rel=0.05)


def test_layers_that_are_not_there(capsys, monkeypatch):
    with pytest.raises(EngineError, match="--layers is 33; it must be from 1 to 32, or 0"):
        few_layers("elysium-7b", 33)
    monkeypatch.setattr(quantisation, "answers", lambda *_: {})
    assert main(["--layers", "40"]) == 1
    assert capsys.readouterr().err.startswith("quantisation: --layers is 40")
