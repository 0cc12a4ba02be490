"""Pattern grids: four objects inside the image, each with a visible pattern."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.worlds import make_pattern_grid
from training.worlds.splits import is_held_out_pair


@given(seed=st.integers(0, 10**6), size=st.sampled_from([(128, 128), (128, 171), (64, 64)]))
@settings(max_examples=40)
def test_each_object_is_patterned_and_seen(seed: int, size: tuple[int, int]) -> None:
    clip = make_pattern_grid(seed, size)
    assert clip.frames.shape == (1, *size, 3)
    assert len(clip.objects) == 4
    assert all(item.pattern != "plain" and item.size != "small" for item in clip.objects)
    assert not any(is_held_out_pair(item.colour, item.shape) for item in clip.objects)
    assert clip.visible.min() > 0.6
    areas = clip.masks[0].sum(axis=(1, 2)) / (size[0] * size[1])
    assert areas.min() > 0.004


def test_all_patterns_come_up_evenly() -> None:
    names = [item.pattern for seed in range(100) for item in make_pattern_grid(seed, (64, 64)).objects]
    for pattern in ("striped", "dotted", "checked"):
        assert names.count(pattern) / len(names) == pytest.approx(1 / 3, abs=0.08)


def test_the_same_seed_gives_the_same_picture_and_another_seed_another() -> None:
    first, again, other = (make_pattern_grid(seed, (96, 96)) for seed in (3, 3, 4))
    assert np.array_equal(first.frames, again.frames)
    assert first.objects == again.objects
    assert not np.array_equal(first.frames, other.frames)
