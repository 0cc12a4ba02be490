"""The robot and the scene that it follows the mug through."""

import math

import numpy as np
import pytest

from vitron_ros.clock import SECOND_NS
from vitron_ros.following.controller import Velocity
from vitron_ros.simulation.robot import DifferentialRobot
from vitron_ros.simulation.walk import CROSSING_S, MUG, Walk, mug_place


def test_a_robot_that_turns_while_it_drives_goes_round_a_circle():
    robot = DifferentialRobot(velocity=Velocity(0.5, 1.0), command=Velocity(0.5, 1.0))
    places = []
    for _ in range(round(2 * math.pi * 100)):
        robot.step(0.01)
        places.append((robot.x, robot.y - 0.5))
    assert np.hypot(*np.array(places).T) == pytest.approx(0.5, abs=1e-3)


def test_a_robot_follows_its_commands_with_a_lag_and_keeps_to_the_last_one():
    robot = DifferentialRobot(command=Velocity(0.5, 0.0))
    robot.step(0.1)
    assert robot.velocity.linear == pytest.approx(0.5 * (1 - math.exp(-1)))
    robot.step(5.0)
    assert robot.velocity.linear == pytest.approx(0.5)


def test_the_mug_is_hidden_once_by_the_square_that_passes():
    walk, visible = Walk(), {}
    for step in range(15):
        time_s = CROSSING_S + (step - 7) / 2.5
        x, y = mug_place(CROSSING_S)
        walk.robot.x, walk.robot.y, walk.robot.yaw = x - 1.5, y, 0.0
        walk.advance(round((time_s - walk.time_s) * SECOND_NS))
        visible[time_s] = walk.shoot().view.visible[MUG]
    hidden = np.array([time_s for time_s, share in visible.items() if share < 0.1])
    assert 2 <= len(hidden) <= 4
    assert np.abs(hidden - CROSSING_S).max() < 1.0


def test_the_depth_sensor_has_noise_and_holes_that_follow_from_the_seed():
    shots = [Walk(seed=seed).shoot() for seed in (1, 1, 2)]
    assert np.array_equal(shots[0].depth, shots[1].depth)
    assert not np.array_equal(shots[0].depth, shots[2].depth)
    holes = shots[0].depth == 0
    assert 0.03 < holes.mean() < 0.07
    error = (shots[0].depth / shots[0].view.depth - 1)[~holes]
    assert 0.003 < error.std() < 0.005


def test_a_mug_that_vanishes_is_not_seen_any_more():
    walk = Walk(vanishes_s=1.0)
    assert walk.shoot().view.visible[MUG] > 0.9
    walk.advance(SECOND_NS)
    assert walk.shoot().view.visible[MUG] == 0
