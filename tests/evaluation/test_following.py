"""The figures of a run of the simulated robot, and its picture."""

import math

import cv2
import numpy as np
import pytest

from vitron_ros.evaluation.following import FollowScore, picture, score, stop_s
from vitron_ros.following.controller import STOP, Velocity
from vitron_ros.simulation.closed_loop import FollowRun, Moment
from vitron_ros.tracking.track import EventKind, Reason, TrackEvent, TrackState

AHEAD = Velocity(0.3, 0.0)


def moment(time_s, distance, state=TrackState.TRACKED):
    place = {"robot": (time_s * 0.1, 0.0, 0.0), "target": (time_s * 0.1 + distance, 0.0)}
    return Moment(
        time_s, **place, visible=1.0, distance=distance, state=state, status=None, command=AHEAD, standstill=None
    )


def started(track_id):
    return TrackEvent(kind=EventKind.STARTED, reason=Reason.REQUESTED, text="", stamp_ns=2 * 10**9, track_id=track_id)


@pytest.fixture
def run():
    moments = [moment(0.0, 2.2, None), moment(0.5, 2.2, None), moment(1.0, 2.2), moment(1.5, 2.0)]
    moments += [moment(5.0, 1.45), moment(5.5, 1.6, TrackState.LOST), moment(6.0, 1.68)]
    return FollowRun(moments, [started(1)], [(1.2, AHEAD), (5.4, STOP)])


def test_the_distance_counts_once_the_robot_has_arrived(run):
    assert score(run, goal_s=0.5) == FollowScore(found_s=0.5, nearest_m=1.45, farthest_m=1.68, lost_s=0.5, ids=1)
    assert score(run, goal_s=0.5).is_kept


@pytest.mark.parametrize(
    ("nearest", "farthest", "ids"), [(1.29, 1.6, 1), (1.4, 1.71, 1), (1.4, 1.6, 2), (math.nan,) * 3]
)
def test_a_distance_outside_or_a_second_id_is_not_kept(nearest, farthest, ids):
    assert not FollowScore(1.0, nearest, farthest, 0.0, ids).is_kept


def test_a_run_in_which_nothing_was_found_has_no_figures():
    scored = score(FollowRun([moment(0.0, 2.2, None), moment(0.1, 2.2, None)]), goal_s=0.0)
    assert math.isnan(scored.found_s) and math.isnan(scored.farthest_m)
    assert (scored.ids, scored.is_kept) == (0, False)


def test_the_time_to_a_stop_is_that_of_the_last_command(run):
    assert stop_s(run, 5.2) == pytest.approx(0.2)
    assert math.isnan(stop_s(run, 5.6)), "it stood before"
    assert math.isnan(stop_s(FollowRun(run.moments, [], [(1.2, AHEAD)]), 1.0)), "it never stopped"


def test_the_picture_can_be_drawn(run):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    pixels = cv2.imdecode(np.frombuffer(picture(run), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape[1] > 800
