"""What a target is remembered by, and what it is not mistaken for."""

import numpy as np
import pytest

from vitron_ros.tracking.memory import Memory

RED, BLUE = np.array([1.0, 0, 0]), np.array([0.0, 0, 1])


def mixed(share):
    """Mostly red; `share` of it is not."""
    return np.array([1 - share, share, 0])


@pytest.fixture
def memory():
    made = Memory(RED)
    for _ in range(200):
        made.learn(RED, 0.8)
    return made


@pytest.mark.parametrize(
    ("colours", "height", "is_like"),
    [
        pytest.param(RED, 0.8, True, id="itself"),
        pytest.param(RED, 0.4, True, id="turned: the filter knows it by half"),
        pytest.param(RED, 0.3, False, id="the same colours, another form"),
        pytest.param(BLUE, 0.8, False, id="another colour"),
        pytest.param(mixed(0.1), 0.8, True, id="nearly its colours"),
        pytest.param(mixed(0.1), 0.4, False, id="nearly its colours, and the form in doubt"),
        pytest.param(mixed(0.25), 0.8, False, id="partly its colours"),
    ],
)
def test_what_counts_as_the_target(memory, colours, height, is_like):
    assert memory.is_like(colours, height) is is_like


def test_a_short_time_on_another_thing_is_not_enough_to_forget_the_target(memory):
    for _ in range(30):
        memory.learn(BLUE, 0.8)
    assert memory.is_like(RED, 0.8)
    assert not memory.is_like(BLUE, 0.8)


def test_a_target_that_changes_slowly_is_known_all_the_time(memory):
    for step in range(3000):
        memory.learn(mixed(step / 6000), 0.8 - 0.3 * step / 3000)
        assert memory.is_like(mixed(step / 6000), 0.8 - 0.3 * step / 3000)
    assert not memory.is_like(BLUE, 0.5)


def test_half_a_target_is_not_whole(memory):
    assert memory.is_whole(0.75) and not memory.is_whole(0.5)
