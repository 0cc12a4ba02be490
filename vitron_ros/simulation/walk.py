"""The scene of a robot that follows: a purple mug goes for a walk, and a green square passes in front of it."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.simulation.robot import DifferentialRobot
from vitron_ros.simulation.room import Card, Lens, Room, View
from vitron_ros.worlds.clip import ObjectSpec

TARGET_PHRASE = "the purple mug"
CAMERA_PERIOD_NS = SECOND_NS // 15
DURATION_S = 24.0
DEPTH_NOISE = 0.004  # standard deviation, share of the range
HOLES = 0.05  # share of the depth image's pixels without a value

MUG, SQUARE = 0, 1  # numbers of the cards that move
CARDS = (
    Card(ObjectSpec("mug", "purple", "medium", "plain"), 0.36),
    Card(ObjectSpec("square", "green", "large", "plain"), 0.6),
    Card(ObjectSpec("star", "orange", "medium", "plain"), 0.4),
    Card(ObjectSpec("car", "blue", "medium", "plain"), 0.45),
    Card(ObjectSpec("ring", "red", "medium", "plain"), 0.4),
)
HEIGHTS = (0.32, 0.40, 0.35, 0.25, 0.35)  # m, of the cards' middles
AT_REST = ((4.5, 2.2), (5.0, -1.6), (3.2, -2.4))  # of the others

# Time in s, x, y: away from the robot, then across, where the square passes, then away again.
WALK = ((2.0, 2.2, 0.2), (8.0, 3.2, 0.2), (14.0, 3.6, -0.8), (20.0, 4.6, -1.2), (24.0, 4.6, -1.2))
CROSSING_S = 11.0  # when the square is in front of the mug
CROSSING_SPEED = 0.5  # m/s
CROSSING_DISTANCE = 0.9  # m from the mug, towards the robot

Array = NDArray[np.float64]


def mug_place(time_s: float) -> tuple[float, float]:
    """Where the mug is, m."""
    times, xs, ys = np.array(WALK).T
    return float(np.interp(time_s, times, xs)), float(np.interp(time_s, times, ys))


def square_place(time_s: float, eye: tuple[float, float]) -> tuple[float, float]:
    """Where the square is: it crosses the line from the eye to where the mug is at `CROSSING_S`, from right to left."""
    x, y = mug_place(CROSSING_S)
    bearing = math.atan2(y - eye[1], x - eye[0])
    along = CROSSING_SPEED * (time_s - CROSSING_S)
    return (
        x - CROSSING_DISTANCE * math.cos(bearing) - along * math.sin(bearing),
        y - CROSSING_DISTANCE * math.sin(bearing) + along * math.cos(bearing),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """An image of the robot's camera with what a person would want to know of it.

    Attributes:
        depth: (H, W) m with noise; 0 where the sensor has no value.
        distance: m from the robot to the target, on the floor.
    """

    stamp_ns: int
    view: View
    depth: NDArray[np.float32]
    target: tuple[float, float]
    distance: float


class Walk:
    """The mug's walk with a robot in it. Time is told by `advance`; the same seed and commands give the same images.

    Args:
        has_crossing: the square passes in front of the mug.
        vanishes_s: when the mug goes through the floor, in s; None: never.
        begin_ns: the time at which it begins; not 0, since a stamp of 0 means none.

    Attributes:
        vanishes_s: may be changed.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        lens: Lens | None = None,
        has_crossing: bool = True,
        vanishes_s: float | None = None,
        begin_ns: int = SECOND_NS,
    ) -> None:
        self.robot = DifferentialRobot()
        self.begin_ns = self.time_ns = begin_ns
        self._room = Room(CARDS, lens or Lens(), seed=seed)
        self._has_crossing = has_crossing
        self.vanishes_s = vanishes_s
        self._seed = seed
        self._eye: tuple[float, float] | None = None

    @property
    def lens(self) -> Lens:
        return self._room.lens

    @property
    def time_s(self) -> float:
        """Since the beginning."""
        return (self.time_ns - self.begin_ns) / SECOND_NS

    def begin(self) -> None:
        """Let the walk begin now, not before."""
        self.begin_ns = self.time_ns

    def advance(self, elapsed_ns: int) -> None:
        """Let time pass."""
        self.robot.step(elapsed_ns / SECOND_NS)
        self.time_ns += elapsed_ns

    def shoot(self) -> Shot:
        """What the camera sees now."""
        time_s = self.time_s
        target = mug_place(time_s)
        hidden = (-50.0, -50.0)
        is_there = self.vanishes_s is None or time_s < self.vanishes_s
        if self._eye is None and time_s >= CROSSING_S - 2:
            self._eye = (self.robot.x, self.robot.y)
        is_crossing = self._has_crossing and self._eye is not None
        square = square_place(time_s, self._eye) if is_crossing and self._eye is not None else hidden
        floor = (target if is_there else hidden, square, *AT_REST)
        view = self._room.view(
            self.robot.camera, np.array([(*place, z) for place, z in zip(floor, HEIGHTS, strict=True)])
        )
        rng = np.random.Generator(np.random.PCG64([self._seed, self.time_ns - self.begin_ns]))
        depth = view.depth * (1 + DEPTH_NOISE * rng.standard_normal(view.depth.shape, np.float32))
        depth[rng.random(depth.shape, np.float32) < HOLES] = 0
        distance = math.hypot(target[0] - self.robot.x, target[1] - self.robot.y)
        return Shot(self.time_ns, view, depth.astype(np.float32), target, distance)
