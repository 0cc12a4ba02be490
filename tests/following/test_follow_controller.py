"""The controller of a robot that follows: its limits always hold, and it stands whenever it has no reason to move."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError
from vitron_ros.following.controller import STOP, FollowController, Standstill, from_optical
from vitron_ros.following.settings import ControllerConfig

STEP_NS = SECOND_NS // 20
SURE = np.eye(3) * 0.01**2


def following(**settings):
    """A controller with a goal, by whose clock 1 s has passed."""
    controller = FollowController(ControllerConfig(**settings))
    controller.begin()
    controller.step(SECOND_NS)
    return controller


def drive(controller, position, steps, covariance=SURE, start_ns=SECOND_NS):
    """The velocities of so many steps in which the target is always seen there."""
    velocities = []
    for step in range(1, steps + 1):
        now_ns = start_ns + step * STEP_NS
        controller.see(np.array(position, float), covariance, now_ns)
        velocities.append(controller.step(now_ns))
    return velocities


numbers = st.floats(-1e3, 1e3)
events = st.one_of(
    st.tuples(st.just("see"), st.tuples(numbers, numbers, numbers), st.integers(-500, 500), st.floats(0, 0.2)),
    st.tuples(st.just("see"), st.tuples(*[st.floats(allow_nan=True)] * 3), st.just(0), st.just(0.01)),
    st.tuples(st.just("lose"), st.integers(-500, 500)),
    st.tuples(st.just("begin")),
    st.tuples(st.just("end")),
)
turns = st.lists(st.tuples(st.lists(events, max_size=3), st.integers(0, 400)), max_size=30)


@given(turns, st.booleans(), st.floats(0.1, 3), st.floats(0.1, 3))
def test_limits_hold_whatever_comes(turns, allow_reverse, max_speed, max_acceleration):
    config = ControllerConfig(allow_reverse=allow_reverse, max_speed=max_speed, max_acceleration=max_acceleration)
    controller = FollowController(config)
    now_ns, last, has_goal = SECOND_NS, STOP, False
    controller.step(now_ns)
    for happened, passed_ms in turns:
        for event in happened:
            if event[0] == "see":
                _, position, ahead_ms, deviation = event
                controller.see(np.array(position), np.eye(3) * deviation**2, now_ns + ahead_ms * 1_000_000)
            elif event[0] == "lose":
                controller.lose(now_ns + event[1] * 1_000_000)
            else:
                getattr(controller, event[0])()
                has_goal = event[0] == "begin"
        now_ns += passed_ms * 1_000_000
        velocity = controller.step(now_ns)
        assert math.isfinite(velocity.linear) and math.isfinite(velocity.angular)
        assert (-max_speed if allow_reverse else 0) <= velocity.linear <= max_speed
        assert abs(velocity.angular) <= config.max_turn_rate
        assert has_goal or velocity == STOP
        if velocity != STOP:
            elapsed_s = min(passed_ms / 1000, 0.2)
            assert abs(velocity.linear - last.linear) <= max_acceleration * elapsed_s + 1e-9
            assert abs(velocity.angular - last.angular) <= config.max_turn_acceleration * elapsed_s + 1e-9
        last = velocity


@given(st.integers(201, 10_000))
def test_it_stands_when_the_newest_pose_is_older_than_max_pose_age(age_ms):
    controller = following()
    assert drive(controller, (4, 0, 0), 5)[-1].linear > 0
    assert controller.step(SECOND_NS + 5 * STEP_NS + age_ms * 1_000_000) == STOP
    assert controller.standstill is Standstill.STALE


def test_it_never_moves_without_a_goal():
    controller = FollowController(ControllerConfig())
    assert set(drive(controller, (4, 1, 0), 5)) == {STOP}
    controller.begin()
    assert controller.step(SECOND_NS + 6 * STEP_NS) == STOP, "a pose of the time before the goal is none of its own"
    assert drive(controller, (4, 1, 0), 3, start_ns=2 * SECOND_NS)[-1].linear > 0
    controller.end()
    assert controller.step(3 * SECOND_NS) == STOP


def test_it_stops_at_once_when_the_target_is_lost_and_goes_on_with_the_next_pose_alone():
    controller = following()
    drive(controller, (4, 0, 0), 5)
    lost_ns = SECOND_NS + 6 * STEP_NS
    controller.lose(lost_ns)
    assert controller.step(lost_ns) == STOP
    assert controller.standstill is Standstill.LOST
    controller.see(np.array([4.0, 0, 0]), SURE, lost_ns)
    assert controller.step(lost_ns + STEP_NS) == STOP, "that pose is from before the loss"
    assert drive(controller, (4, 0, 0), 2, start_ns=lost_ns + STEP_NS)[-1].linear > 0


def test_a_clock_that_stands_still_stops_the_robot_and_when_it_goes_on_the_robot_starts_anew():
    controller = following(max_acceleration=1.0)
    now_ns = SECOND_NS + 20 * STEP_NS
    assert drive(controller, (3, 0.2, 0), 20)[-1].linear == 0.5
    assert controller.step(now_ns, is_clock_running=False) == STOP
    assert controller.standstill is Standstill.CLOCK
    assert 0 < controller.step(now_ns + STEP_NS).linear <= 0.05 + 1e-9


def test_a_loss_older_than_the_newest_pose_says_nothing():
    controller = following()
    drive(controller, (4, 0, 0), 5)
    controller.lose(SECOND_NS + 4 * STEP_NS)
    assert controller.step(SECOND_NS + 6 * STEP_NS) != STOP


@pytest.mark.parametrize(
    ("position", "linear", "angular"),
    [
        ((1.5, 0, 0), 0.0, 0.0),
        ((1.52, 0, 0), 0.0, 0.0),  # within the tolerance
        ((1.83, 0, 0), 0.45, 0.0),  # 1.5 m/s for each of 0.3 m beyond the tolerance
        ((9, 0, 0), 0.5, 0.0),  # the most
        ((0.5, 0, 0), 0.0, 0.0),  # too near: it does not back off unasked
        ((0, 3, 0), 0.0, 1.0),  # at the left: turn first
        ((-3, 0.0001, 0), 0.0, 1.0),  # behind
        ((1.5 * math.cos(0.1), -1.5 * math.sin(0.1), 0.4), 0.0, -0.2),
    ],
)
def test_where_the_target_is_says_how_to_drive(position, linear, angular):
    velocity = drive(following(target_speed_time=0.0), position, 40)[-1]
    assert velocity.linear == pytest.approx(linear)
    assert velocity.angular == pytest.approx(angular)


def test_it_backs_off_where_that_is_allowed():
    assert drive(following(allow_reverse=True), (1.0, 0, 0), 40)[-1].linear == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("position", "covariance", "reason"),
    [
        ((np.nan, 0, 0), SURE, "not finite"),
        ((np.inf, 0, 0), SURE, "not finite"),
        ((2, 0, 0), np.full((3, 3), np.nan), "not finite"),
        ((0, 0, 1), SURE, "not finite"),  # right above the robot: it has no bearing
        ((2, 0, 0), np.diag([0.5, 0, 0]), "uncertain"),
        ((2, 0, 0), np.diag([-1.0, 0, 0]), "uncertain"),
    ],
)
def test_a_pose_that_cannot_be_used_is_counted_and_moves_nothing(position, covariance, reason):
    controller = following()
    assert set(drive(controller, position, 3, covariance)) == {STOP}
    assert controller.refused[reason] == 3


def test_a_pose_that_is_unsure_of_its_height_is_used():
    assert drive(following(), (4, 0, 0), 3, np.diag([0.01, 0.01, 9.0]))[-1].linear > 0


def test_a_pose_from_the_future_moves_nothing():
    controller = following()
    controller.see(np.array([4.0, 0, 0]), SURE, 3 * SECOND_NS)
    assert controller.step(SECOND_NS + STEP_NS) == STOP
    assert controller.standstill is Standstill.AHEAD


def test_a_clock_that_begins_anew_forgets_the_target():
    controller = following()
    drive(controller, (4, 0, 0), 5)
    assert controller.step(SECOND_NS // 2) == STOP
    assert drive(controller, (4, 0, 0), 3, start_ns=SECOND_NS // 2)[-1].linear > 0


def test_the_distance_is_kept_by_a_robot_that_drives_so():
    controller, distance = following(), 4.0
    for step in range(1, 201):
        now_ns = SECOND_NS + step * STEP_NS
        controller.see(np.array([distance, 0, 0]), SURE, now_ns)
        distance -= controller.step(now_ns).linear * STEP_NS / SECOND_NS
    assert 1.5 <= distance <= 1.54


@pytest.mark.parametrize(("target_speed_time", "lag"), [(0.5, 0.03), (0.0, 0.03 + 0.2 / 1.5)])
def test_a_target_that_walks_ahead_is_followed_without_a_lag_if_its_speed_is_estimated(target_speed_time, lag):
    """Without that, a proportional controller lags by the target's speed over the gain, beyond the tolerance."""
    controller, robot, nearest = following(target_speed_time=target_speed_time), 0.0, math.inf
    for step in range(1, 601):
        now_ns = SECOND_NS + step * STEP_NS
        target = 2.0 + 0.2 * min(step * STEP_NS / SECOND_NS, 20.0)  # it stops after 20 s
        controller.see(np.array([target - robot, 0, 0]), SURE, now_ns)
        robot += controller.step(now_ns).linear * STEP_NS / SECOND_NS
        nearest = min(nearest, target - robot)
        if step == 390:
            assert target - robot - 1.5 == pytest.approx(lag, abs=0.01)
    assert nearest > 1.4


def test_optical_axes_become_those_of_the_robot():
    position, covariance = from_optical(np.array([0.2, 0.1, 2.0]), np.diag([1.0, 2.0, 3.0]))
    assert position.tolist() == [2.0, -0.2, -0.1]
    assert covariance.tolist() == np.diag([3.0, 1.0, 2.0]).tolist()


def test_a_setting_out_of_range_is_named():
    with pytest.raises(ConfigError, match="max_speed"):
        ControllerConfig(max_speed=-1.0)
