"""From camera to wheels in one process: a robot follows "the purple mug" through an occlusion, and stops without it."""

import numpy as np
import pytest

from tests.ros.colour_model import ColourModel
from vitron_ros.following.controller import STOP, Standstill
from vitron_ros.simulation.closed_loop import ClosedLoop
from vitron_ros.simulation.walk import CROSSING_S, Walk
from vitron_ros.tracking.track import EventKind, TrackState

DISTANCE, TOLERANCE = 1.5, 0.2  # m
ARRIVED_S = 4.0  # the robot begins 2.2 m away
STOP_S = 0.3


@pytest.fixture(scope="module")
def run():
    return ClosedLoop(Walk(), ColourModel()).follow(13.0)


def test_the_distance_is_kept_through_the_occlusion(run):
    distances = np.array([moment.distance for moment in run.moments if moment.time_s > ARRIVED_S])
    assert np.abs(distances - DISTANCE).max() <= TOLERANCE


def test_the_target_is_lost_and_found_again_under_its_id(run):
    assert [event.kind for event in run.events] == [EventKind.STARTED, EventKind.LOST, EventKind.REACQUIRED]
    assert {event.track_id for event in run.events} == {1}
    lost, found = (event.stamp_ns / 1e9 - 1 for event in run.events[1:])
    assert CROSSING_S - 1 < lost < found < CROSSING_S + 1.5


def test_the_robot_stands_while_the_target_is_hidden(run):
    hidden = [moment for moment in run.moments if moment.state is TrackState.LOST]
    assert hidden
    assert {moment.command for moment in hidden} == {STOP}


def test_the_robot_stands_before_there_is_a_position(run):
    first_s = next(time_s for time_s, _ in run.commands)
    assert first_s > next(moment.time_s for moment in run.moments if moment.state is not None)


def stop_time(run, from_s):
    """s from then on until the robot is told to stop, for good."""
    moving = [time_s for time_s, command in run.commands if command != STOP]
    last_s, last = run.commands[-1]
    assert last == STOP
    assert max(moving) >= from_s - 0.1, "it stood before"
    return last_s - from_s


def test_the_robot_stops_within_0_3_s_when_the_target_vanishes():
    run = ClosedLoop(Walk(vanishes_s=3.0), ColourModel()).follow(4.5)
    assert stop_time(run, 3.0) <= STOP_S
    assert run.moments[-1].standstill is Standstill.LOST


def test_the_robot_stops_within_0_3_s_when_perception_dies():
    run = ClosedLoop(Walk(), ColourModel(), dies_s=3.0).follow(4.5)
    assert stop_time(run, 3.0) <= STOP_S
    assert run.moments[-1].standstill is Standstill.STALE


def test_the_same_walk_gives_the_same_run():
    first, second = (ClosedLoop(Walk(), ColourModel()).follow(1.5) for _ in range(2))
    assert first.commands == second.commands
    assert first.moments == second.moments
