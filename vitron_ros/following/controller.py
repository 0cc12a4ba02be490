"""From the poses of a target to the velocities of a robot with two driven wheels that keeps its distance."""

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.following.settings import ControllerConfig

LONGEST_STEP_S = 0.2  # by which the velocity changes at once at most, however long ago the last step was
LONGEST_GAP_S = 0.5  # between two poses of which a speed is made
FADE = 0.1  # m beyond the tolerance that the target may be too near until its own speed counts for nothing
MIN_DISTANCE = 1e-3  # m; nearer than that a target has no bearing

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Velocity:
    """linear: m/s, ahead. angular: rad/s, to the left."""

    linear: float = 0.0
    angular: float = 0.0


STOP = Velocity()


class Standstill(Enum):
    """Why the robot stands; the value is for a person."""

    NO_GOAL = "there is no goal"
    NO_POSE = "no pose of the target has come yet"
    LOST = "the target is not seen"
    STALE = "the newest pose of the target is too old"
    CLOCK = "the clock has stopped: nobody publishes /clock"
    AHEAD = "the target's pose is stamped ahead of this clock; synchronise the clocks"


@dataclass(frozen=True, slots=True)
class _Target:
    """Where it was, seen from the robot: distance in m, bearing in radians to the left.

    speed: m/s away from the robot over the ground, smoothed; 0 where it is not known.
    """

    distance: float
    bearing: float
    stamp_ns: int
    speed: float = 0.0


class FollowController:
    """Turns towards a target and keeps `distance` from it. Stands still without a goal, or a fresh pose.

    To stop is always allowed at once; any other change of the velocity keeps within the accelerations of the settings.

    Attributes:
        config: the present settings; may be replaced between two steps.
        standstill: why the robot stood in the last step; None: it follows.
        refused: poses that were not used, by the reason.
    """

    def __init__(self, config: ControllerConfig) -> None:
        self.config = config
        self.standstill: Standstill | None = Standstill.NO_GOAL
        self.refused = {"not finite": 0, "uncertain": 0, "out of order": 0}
        self._has_goal = False
        self._target: _Target | None = None
        self._lost_ns: int | None = None
        self._velocity = STOP
        self._stepped_ns: int | None = None

    def begin(self) -> None:
        """A goal has begun; the robot moves once a pose has come."""
        self._has_goal = True
        self._target = self._lost_ns = None

    def end(self) -> None:
        """The goal has ended."""
        self._has_goal = False
        self._target = self._lost_ns = None

    def see(self, position: Array, covariance: Array, stamp_ns: int) -> None:
        """The target's pose. A pose that cannot be used is counted, and the one before it grows old.

        Args:
            position: (3,) m, x ahead of the robot, y to its left, z up.
            covariance: (3, 3) m^2 of the position.
        """
        distance = math.hypot(position[0], position[1])
        if not (np.isfinite(position).all() and np.isfinite(covariance).all() and distance > MIN_DISTANCE):
            self.refused["not finite"] += 1
            return
        towards = position[:2] / distance
        variance = float(towards @ covariance[:2, :2] @ towards)
        if not 0 <= variance <= self.config.max_deviation**2:
            self.refused["uncertain"] += 1
            return
        newest_ns = -1 if self._target is None else self._target.stamp_ns
        if self._lost_ns is not None:
            newest_ns = max(newest_ns, self._lost_ns)
        if stamp_ns <= newest_ns:
            self.refused["out of order"] += 1
            return
        bearing = math.atan2(position[1], position[0])
        self._target = _Target(distance, bearing, stamp_ns, self._speed(distance, stamp_ns))
        self._lost_ns = None

    def lose(self, stamp_ns: int) -> None:
        """The target was not seen in the image of that stamp; the robot stands until a newer pose comes."""
        if self._target is None or stamp_ns >= self._target.stamp_ns:
            self._target, self._lost_ns = None, max(stamp_ns, self._lost_ns or 0)

    def step(self, now_ns: int, *, is_clock_running: bool = True) -> Velocity:
        """The velocity from now on. To be called at least every 50 ms while there is a goal.

        Args:
            is_clock_running: whether `now_ns` advances: by a stopped clock no pose gets old.
        """
        elapsed_s = 0.0 if self._stepped_ns is None else (now_ns - self._stepped_ns) / SECOND_NS
        if elapsed_s < 0:  # the clock began anew, as with a bag or a simulation
            self._target = self._lost_ns = None
        self._stepped_ns = now_ns
        self.standstill = self._standstill(now_ns, is_clock_running)
        if self._target is None or self.standstill is not None:
            self._velocity = STOP
        else:
            self._velocity = self._towards(self._target, min(max(elapsed_s, 0.0), LONGEST_STEP_S))
        return self._velocity

    def _speed(self, distance: float, stamp_ns: int) -> float:
        """The target's own speed: how fast its distance grows, and how fast the robot drives meanwhile."""
        last, over_s = self._target, self.config.target_speed_time
        if last is None or not over_s:
            return 0.0
        elapsed_s = (stamp_ns - last.stamp_ns) / SECOND_NS
        if elapsed_s > LONGEST_GAP_S:
            return 0.0
        speed = (distance - last.distance) / elapsed_s + self._velocity.linear * math.cos(last.bearing)
        return last.speed + (1 - math.exp(-elapsed_s / over_s)) * (speed - last.speed)

    def _standstill(self, now_ns: int, is_clock_running: bool) -> Standstill | None:
        if not self._has_goal:
            return Standstill.NO_GOAL
        if not is_clock_running:
            return Standstill.CLOCK
        if self._target is None:
            return Standstill.NO_POSE if self._lost_ns is None else Standstill.LOST
        age_s = (now_ns - self._target.stamp_ns) / SECOND_NS
        if age_s > self.config.max_pose_age:
            return Standstill.STALE
        return Standstill.AHEAD if -age_s > self.config.max_pose_age else None

    def _towards(self, target: _Target, elapsed_s: float) -> Velocity:
        config = self.config
        error = target.distance - config.distance
        beyond = math.copysign(max(abs(error) - config.tolerance, 0.0), error)
        own = max(target.speed, 0.0) * min(max(1 + beyond / FADE, 0.0), 1.0)
        speed = config.gain * beyond + own
        speed *= max(math.cos(target.bearing), 0.0)  # a target at the side is turned to first
        lowest = -config.max_speed if config.allow_reverse else 0.0
        linear = min(max(speed, lowest), config.max_speed)
        angular = min(max(config.turn_gain * target.bearing, -config.max_turn_rate), config.max_turn_rate)
        return Velocity(
            _nearer(self._velocity.linear, linear, config.max_acceleration * elapsed_s),
            _nearer(self._velocity.angular, angular, config.max_turn_acceleration * elapsed_s),
        )


def _nearer(present: float, wanted: float, change: float) -> float:
    """The present value changed towards the wanted one by so much at most."""
    return present + min(max(wanted - present, -change), change)


def from_optical(position: Array, covariance: Array) -> tuple[Array, Array]:
    """A position (3,) and covariance (3, 3) in the axes of the robot (x ahead, y left, z up), of those of a camera that
    looks ahead (x right, y down, z ahead). Both are REP 103's.
    """
    turn = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    return turn @ position, turn @ covariance @ turn.T
