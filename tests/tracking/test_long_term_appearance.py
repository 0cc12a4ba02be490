"""What a target is remembered by, and what it is not mistaken for."""

import numpy as np
import pytest

from vitron_ros.tracking.confidence import Cues
from vitron_ros.tracking.default_tracker import FOUND_FROM
from vitron_ros.tracking.long_term_appearance import FIRST_LOOKS, LongTermAppearance

RED, BLUE = np.array([1.0, 0, 0]), np.array([0.0, 0, 1])
FORM, OTHER_FORM = (np.full((2, 2, 2), value, np.complex64) for value in (1, -1))


def mixed(share):
    """Mostly red; `share` of it is not."""
    return np.array([1 - share, share, 0])


def learn(long_term, colours, height, form=FORM):
    long_term.learn(colours, height, form)


def is_like(long_term, colours, height):
    """Whether a lost target would count as found."""
    cues = Cues(long_term.likeness(colours), long_term.familiarity(height))
    return cues.probability() >= FOUND_FROM


@pytest.fixture
def long_term():
    made = LongTermAppearance(RED, FORM, 0.8)
    for _ in range(200):
        learn(made, RED, 0.8)
    return made


@pytest.mark.parametrize(
    ("colours", "height", "expected"),
    [
        pytest.param(RED, 0.8, True, id="itself"),
        pytest.param(RED, 0.62, True, id="turned: the filter knows it by three quarters"),
        pytest.param(RED, 0.4, False, id="the same colours, another form"),
        pytest.param(BLUE, 0.8, False, id="another colour"),
        pytest.param(mixed(0.1), 0.8, True, id="nearly its colours"),
        pytest.param(mixed(0.1), 0.45, False, id="nearly its colours, and the form in doubt"),
        pytest.param(mixed(0.25), 0.8, True, id="in another light, and the form is sure"),
        pytest.param(mixed(0.25), 0.5, False, id="partly its colours, and the form in doubt"),
        pytest.param(mixed(0.7), 0.8, False, id="the same form, hardly its colours"),
    ],
)
def test_what_counts_as_the_target(long_term, colours, height, expected):
    assert is_like(long_term, colours, height) is expected


def test_a_short_time_on_another_thing_is_not_enough_to_forget_the_target(long_term):
    for _ in range(5):
        learn(long_term, BLUE, 0.8)
    assert is_like(long_term, RED, 0.8)
    assert not is_like(long_term, BLUE, 0.8)


def test_nothing_is_learned_of_what_has_another_form(long_term):
    for _ in range(1000):
        learn(long_term, BLUE, 0.4, OTHER_FORM)
    assert is_like(long_term, RED, 0.8) and not is_like(long_term, BLUE, 0.8)
    np.testing.assert_array_equal(long_term.filter, FORM)


def test_a_target_that_changes_slowly_is_known_all_the_time(long_term):
    for step in range(3000):
        colours, height = mixed(step / 6000), 0.8 - 0.3 * step / 3000
        learn(long_term, colours, height)
        assert is_like(long_term, colours, height)
    assert not is_like(long_term, BLUE, 0.5)


def test_half_a_target_is_not_whole(long_term):
    assert long_term.is_whole(0.75) and not long_term.is_whole(0.5)


def test_what_is_known_by_a_third_is_strange_once_it_is_clear_what_is_usual(long_term):
    assert long_term.is_mismatch(0.27) and not long_term.is_mismatch(0.55)
    new = LongTermAppearance(RED, FORM, 0.8)
    for _ in range(FIRST_LOOKS - 1):
        learn(new, RED, 0.3)
        assert not new.is_mismatch(0.27)
    learn(new, RED, 0.3)
    assert not new.is_mismatch(0.27) and new.is_mismatch(0.1)
