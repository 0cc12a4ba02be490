import numpy as np
import pytest

from vitron_ros.config import LifeCycle
from vitron_ros.tracking.box_tracker import BoxEstimate
from vitron_ros.tracking.track import EventKind, Track, TrackState

LIFE = LifeCycle(min_score=0.4, reacquire_score=0.6, predict_time=0.2, confirm_frames=3)
STEP_NS = 100_000_000


def live(scores, life=LIFE, **kwargs):
    """States and events of a track whose box moves 5 px to the right every 100 ms."""
    track = Track(1, np.array([0.0, 0, 10, 10]), 0, **kwargs)
    states, events = [track.state], []
    for index, score in enumerate(scores, 1):
        box = np.array([5.0 * index, 0, 5 * index + 10, 10])
        events.append(track.update(BoxEstimate(box, score), index * STEP_NS, life))
        states.append(track.state)
    return track, states, events


T, K, P, L = TrackState.TENTATIVE, TrackState.TRACKED, TrackState.PREDICTED, TrackState.LOST


@pytest.mark.parametrize(
    ("scores", "states"),
    [
        ([0.9, 0.9, 0.9], [T, T, K, K]),
        ([0.4], [T, T]),  # exactly at the threshold counts as seen
        ([0.9, 0.9, 0.1, 0.9], [T, T, K, P, K]),
        ([0.9, 0.9, 0.1, 0.1, 0.1], [T, T, K, P, P, L]),
        ([0.9, 0.9, 0.1, 0.1, 0.1, 0.5, 0.6], [T, T, K, P, P, L, L, K]),  # 0.5 is not enough to be found again
    ],
)
def test_states_follow_the_scores(scores, states):
    assert live(scores)[1] == states


def test_lost_and_reacquired_are_told_once_each():
    events = live([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9])[2]
    assert [event for event in events if event is not None] == [EventKind.LOST, EventKind.REACQUIRED]
    assert events.index(EventKind.LOST) == 4


def test_a_short_gap_is_no_event():
    assert live([0.9, 0.9, 0.1, 0.1, 0.9])[2] == [None] * 5


def test_a_lost_box_stays_where_it_was_last_predicted():
    track = live([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1])[0]
    np.testing.assert_array_equal(track.box_xyxy, [25, 0, 35, 10])


def test_velocity_is_in_pixels_per_second_and_does_not_jump_over_a_loss():
    snapshot = live([0.9] * 30)[0].snapshot(30 * STEP_NS)
    np.testing.assert_allclose(snapshot.velocity, [50, 0], rtol=1e-3)
    track = live([0.9, 0.9, *[0.1] * 20, 0.9])[0]
    np.testing.assert_array_equal(track.snapshot(0).velocity, [0, 0])


def test_velocity_spans_a_short_gap():
    np.testing.assert_allclose(live([0.9] * 20 + [0.1, 0.9])[0].snapshot(0).velocity, [50, 0], rtol=0.01)


def test_a_goal_may_ask_for_a_higher_score():
    assert live([0.5], min_score=0.7)[1][-1] is P
    assert live([0.5])[1][-1] is T
