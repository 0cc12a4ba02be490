"""The visible surface among depths that hold background, what is in front, and noise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.geometry.surface import find_surface, shortest_half

RNG = np.random.default_rng(3)


def noisy(distance, count, sigma=0.004):
    return RNG.normal(distance, sigma * distance, count)


@pytest.mark.parametrize("distance", [0.3, 1.0, 2.5, 5.0, 12.0])
@pytest.mark.parametrize(
    "others",
    [
        [],
        [(1.5, 0.4)],  # background: distance and number of pixels, relative to the target's
        [(3.0, 0.9)],
        [(1.6, 1.6)],  # a silhouette that is mostly background
        [(0.6, 0.2)],  # a post in front of a part
        [(0.6, 0.15), (1.8, 0.5)],
    ],
)
def test_the_targets_own_surface_is_found(distance, others):
    parts = [noisy(distance, 400), *(noisy(distance * far, int(400 * share)) for far, share in others)]
    surface = find_surface(np.concatenate(parts), 0.2)
    assert surface.distance == pytest.approx(distance, rel=0.01)
    assert surface.spread < 0.02 * distance


def test_a_deep_target_has_the_spread_and_extent_of_its_surface():
    surface = find_surface(np.linspace(1.9, 2.1, 500), 0.2)
    assert surface.distance == pytest.approx(2.0, abs=0.02)
    assert surface.extent == pytest.approx(0.2, abs=0.03)


def test_depths_all_over_the_place_say_nothing():
    assert find_surface(np.linspace(1.0, 5.0, 500), 0.2) is None


def test_what_is_wide_may_be_deep():
    assert find_surface(np.linspace(1.5, 2.5, 500), 0.2) is None
    assert find_surface(np.linspace(1.5, 2.5, 500), 0.8).distance == pytest.approx(2.0, abs=0.3)


@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=60))
def test_the_shortest_half_is_the_shortest_of_all_that_hold_more_than_half(values):
    ordered = np.sort(values)
    first, last = shortest_half(ordered)
    count = len(values) // 2 + 1
    assert last - first + 1 == count
    widths = [ordered[i + count - 1] - ordered[i] for i in range(len(values) - count + 1)]
    assert ordered[last] - ordered[first] == min(widths)


@given(st.lists(st.floats(0.1, 20), min_size=1, max_size=60))
def test_a_surface_lies_among_its_depths(values):
    surface = find_surface(np.array(values), 0.5)
    if surface is not None:
        assert min(values) <= surface.distance <= max(values)
        assert 0 < surface.pixels <= len(values)
        assert surface.spread >= 0
