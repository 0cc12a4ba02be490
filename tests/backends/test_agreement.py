"""What counts as the same, by precision."""

import pytest
import torch

from vitron_ros.backends.agreement import compare


@pytest.mark.parametrize(
    ("precision", "change", "is_within"),
    [
        (torch.float32, 0.0, True),
        (torch.float32, 5e-4, True),
        (torch.float32, 2e-3, False),
        (torch.float16, 0.03, True),
        (torch.float16, 0.2, False),
        (torch.float32, float("nan"), False),
        (torch.float32, float("inf"), False),
    ],
)
def test_one_value_is_enough(precision, change, is_within):
    values = torch.ones(4, 8)
    changed = values.clone()
    changed[2, 3] += change
    (difference,) = compare({"x": values}, {"x": changed}, precision)
    assert difference.is_within is is_within


def test_the_worst_comes_first():
    reference = {name: torch.ones(5) for name in "abc"}
    outputs = {"a": torch.ones(5), "b": torch.full((5,), 1.5), "c": torch.full((5,), 1.1)}
    assert [each.name for each in compare(reference, outputs)] == ["b", "c", "a"]


def test_tokens_are_compared_by_patch_where_one_was_exchanged():
    tokens = torch.randn(1, 40, 8)
    first, second = torch.arange(40)[None], torch.arange(1, 41)[None]
    other = torch.cat([tokens[:, 1:], torch.full((1, 1, 8), 100.0)], 1)
    differences = compare({"tokens": tokens, "indices": first}, {"tokens": other, "indices": second}, torch.float16)
    by_name = {each.name: each for each in differences}
    assert by_name["tokens"].largest == 0
    assert by_name["indices"].shared == pytest.approx(39 / 40) and by_name["indices"].is_within
    exact = compare({"tokens": tokens, "indices": first}, {"tokens": other, "indices": second})
    assert not {each.name: each for each in exact}["indices"].is_within


def test_shapes_must_be_equal():
    (difference,) = compare({"x": torch.ones(2, 3)}, {"x": torch.ones(3, 2)})
    assert not difference.is_within


def test_silence_has_to_stay_silent():
    (difference,) = compare({"x": torch.zeros(4)}, {"x": torch.full((4,), 1e-9)})
    assert not difference.is_within
