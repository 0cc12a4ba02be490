"""Camera to wheels in one process: perception, positions in space and the controller drive the simulated robot.

Time is simulated, so that the same arguments give the same run on every machine.
"""

from collections import deque
from dataclasses import dataclass, field

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.following.controller import FollowController, Standstill, Velocity, from_optical
from vitron_ros.following.settings import ControllerConfig
from vitron_ros.geometry.track_3d import Status, Track3D
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.simulation.perception import SimulatedPerception
from vitron_ros.simulation.walk import MUG, TARGET_PHRASE, Shot, Walk
from vitron_ros.streaming.goals import GoalResult, TrackRequest
from vitron_ros.tracking.track import TrackEvent, TrackState

TICK_NS = SECOND_NS // 60  # of the wheels
CAMERA_TICKS, CONTROL_TICKS = 4, 3  # 15 Hz and 20 Hz
POSE_LATENCY_NS = 60_000_000  # from an image to its positions
GOAL_S = 0.5  # when the goal is given
GOAL = "goal"


@dataclass(frozen=True, slots=True)
class Moment:
    """The run at one image. Places in m, angles in radians.

    Attributes:
        visible: share of the target that the camera sees.
        distance: m, from the robot to the target.
        state: of the track; None: there is none.
        status: of its position; None: there is no track.
        standstill: why the robot stands; None: it follows.
    """

    time_s: float
    robot: tuple[float, float, float]
    target: tuple[float, float]
    visible: float
    distance: float
    state: TrackState | None
    status: Status | None
    command: Velocity
    standstill: Standstill | None


@dataclass(slots=True, eq=False)
class FollowRun:
    """What came out. commands: the time in s of each change of what the robot was told, and to what."""

    moments: list[Moment] = field(default_factory=list)
    events: list[TrackEvent] = field(default_factory=list)
    commands: list[tuple[float, Velocity]] = field(default_factory=list)
    result: GoalResult | None = None


class ClosedLoop:
    """One run of a robot that is told to follow the mug of a walk.

    Args:
        model: finds the mug by its phrase.
        dies_s: when perception dies, s; None: never.
    """

    def __init__(
        self,
        walk: Walk,
        model: LanguageVision,
        *,
        phrase: str = TARGET_PHRASE,
        perception: PerceptionConfig | None = None,
        controller: ControllerConfig | None = None,
        dies_s: float | None = None,
    ) -> None:
        self.run = FollowRun()
        self._walk = walk
        self._phrase = phrase
        self._perception = SimulatedPerception(walk.lens, model, perception or PerceptionConfig(publish_3d=True))
        self._controller = FollowController(controller or ControllerConfig())
        self._dies_ns = None if dies_s is None else walk.begin_ns + round(dies_s * SECOND_NS)
        self._on_their_way: deque[tuple[int, int, Track3D]] = deque()  # due, stamp, position

    def follow(self, duration_s: float) -> FollowRun:
        """Let the run go on for so long."""
        for tick in range(round(duration_s * SECOND_NS / TICK_NS)):
            if tick == round(GOAL_S * SECOND_NS / TICK_NS):
                self._perception.add(GOAL, TrackRequest(prompt=self._phrase), self._walk.time_ns)
                self._controller.begin()
            if tick % CAMERA_TICKS == 0:
                self._look(self._walk.shoot())
            if tick % CONTROL_TICKS == 0:
                self._drive()
            self._walk.advance(TICK_NS)
        return self.run

    def _look(self, shot: Shot) -> None:
        track = None
        if self._dies_ns is None or shot.stamp_ns < self._dies_ns:
            track = self._perceive(shot)
        robot = self._walk.robot
        self.run.moments.append(
            Moment(
                time_s=self._walk.time_s,
                robot=(robot.x, robot.y, robot.yaw),
                target=shot.target,
                visible=float(shot.view.visible[MUG]),
                distance=shot.distance,
                state=None if track is None else track.track.state,
                status=None if track is None else track.status,
                command=robot.command,
                standstill=self._controller.standstill,
            )
        )

    def _perceive(self, shot: Shot) -> Track3D | None:
        """The target in space, which is on its way to the controller."""
        perceived = self._perception.look(shot.view.rgb, shot.depth, shot.stamp_ns)
        self.run.events += perceived.report.events
        if GOAL in perceived.report.finished:
            self.run.result = perceived.report.finished[GOAL]
            self._controller.end()
        for track in perceived.tracks:
            self._on_their_way.append((shot.stamp_ns + POSE_LATENCY_NS, shot.stamp_ns, track))
        return perceived.tracks[-1] if perceived.tracks else None

    def _drive(self) -> None:
        now_ns = self._walk.time_ns
        while self._on_their_way and self._on_their_way[0][0] <= now_ns:
            _, stamp_ns, track = self._on_their_way.popleft()
            if track.status is Status.OK:
                self._controller.see(*from_optical(track.position, track.covariance), stamp_ns)
            elif track.status is Status.NOT_SEEN:
                self._controller.lose(stamp_ns)
        command = self._controller.step(now_ns)
        if command != self._walk.robot.command:
            self.run.commands.append((self._walk.time_s, command))
            self._walk.robot.command = command
