"""What a target is remembered by, and what it is not mistaken for."""

import numpy as np
import pytest

from vitron_ros.tracking.correlation_filter import CELLS, make_filter_sample
from vitron_ros.tracking.long_term_appearance import FIRST_FRAMES, LongTermAppearance

RED, BLUE = np.array([1.0, 0, 0]), np.array([0.0, 0, 1])
SPECTRUM = np.fft.rfft2(np.random.default_rng(0).normal(size=(9, CELLS, CELLS)))
SIZE, MIDDLE = np.array([40.0, 40.0]), np.zeros(2)
FORM = make_filter_sample(SPECTRUM, SIZE, MIDDLE)


def mixed(share):
    """Mostly red; `share` of it is not."""
    return np.array([1 - share, share, 0])


def learn(long_term, colours, height):
    long_term.learn(colours, height, FORM)


@pytest.fixture
def long_term():
    made = LongTermAppearance(RED, FORM)
    for _ in range(200):
        learn(made, RED, 0.8)
    return made


@pytest.mark.parametrize(
    ("colours", "height", "is_like"),
    [
        pytest.param(RED, 0.8, True, id="itself"),
        pytest.param(RED, 0.54, True, id="turned: the filter knows it by two thirds"),
        pytest.param(RED, 0.4, False, id="the same colours, another form"),
        pytest.param(BLUE, 0.8, False, id="another colour"),
        pytest.param(mixed(0.1), 0.8, True, id="nearly its colours"),
        pytest.param(mixed(0.1), 0.5, False, id="nearly its colours, and the form in doubt"),
        pytest.param(mixed(0.25), 0.8, True, id="in another light, and the form is sure"),
        pytest.param(mixed(0.25), 0.6, False, id="partly its colours, and the form in doubt"),
        pytest.param(mixed(0.6), 0.8, False, id="the same form, hardly its colours"),
    ],
)
def test_what_counts_as_the_target(long_term, colours, height, is_like):
    assert long_term.is_like(colours, height) is is_like


def test_a_short_time_on_another_thing_is_not_enough_to_forget_the_target(long_term):
    for _ in range(30):
        learn(long_term, BLUE, 0.8)
    assert long_term.is_like(RED, 0.8)
    assert not long_term.is_like(BLUE, 0.8)


def test_nothing_is_learned_of_what_has_another_form(long_term):
    for _ in range(1000):
        learn(long_term, BLUE, 0.4)
    assert long_term.is_like(RED, 0.8) and not long_term.is_like(BLUE, 0.8)
    assert long_term.filter.find(SPECTRUM, SIZE, MIDDLE).height > 0.9


def test_a_target_that_changes_slowly_is_known_all_the_time(long_term):
    for step in range(3000):
        colours, height = mixed(step / 6000), 0.8 - 0.3 * step / 3000
        learn(long_term, colours, height)
        assert long_term.is_like(colours, height)
    assert not long_term.is_like(BLUE, 0.5)


def test_half_a_target_is_not_whole(long_term):
    assert long_term.is_whole(0.75) and not long_term.is_whole(0.5)


def test_what_is_known_by_a_third_is_strange_once_it_is_clear_what_is_usual(long_term):
    assert long_term.is_mismatch(0.27) and not long_term.is_mismatch(0.4)
    new = LongTermAppearance(RED, FORM)
    for _ in range(FIRST_FRAMES - 1):
        learn(new, RED, 0.3)
        assert not new.is_mismatch(0.27)
    learn(new, RED, 0.3)
    assert not new.is_mismatch(0.27) and new.is_mismatch(0.1)
