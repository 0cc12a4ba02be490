"""How well the simulated robot follows: figures of a run, and a picture of where robot and target went."""

import io
from dataclasses import dataclass

import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError
from vitron_ros.following.controller import STOP
from vitron_ros.simulation.closed_loop import FollowRun
from vitron_ros.tracking.track import EventKind, TrackState

WANTED_M, WITHIN_M = 1.5, 0.2
SETTLE_S = 3.0  # from the first movement until the robot has driven up to its target
ROBOT, TARGET, LOST = "#2563a8", "#7a2ea0", "#f2d7b6"
EVENTS = {EventKind.STARTED: "found", EventKind.LOST: "lost", EventKind.REACQUIRED: "found again"}


@dataclass(frozen=True, slots=True)
class FollowScore:
    """Figures of a run. NaN where something did not happen.

    Attributes:
        found_s: from the goal to the track.
        nearest_m, farthest_m: of the distance to the target, once the robot has arrived.
        lost_s: for how long the track was lost.
        ids: tracks that the goal had.
    """

    found_s: float
    nearest_m: float
    farthest_m: float
    lost_s: float
    ids: int

    @property
    def is_kept(self) -> bool:
        """Whether the distance was kept within `WITHIN_M`, under one id."""
        return self.ids == 1 and WANTED_M - WITHIN_M <= self.nearest_m <= self.farthest_m <= WANTED_M + WITHIN_M


def score(run: FollowRun, goal_s: float) -> FollowScore:
    """The figures of a run whose goal was given at that time."""
    tracked = [moment.time_s for moment in run.moments if moment.state is not None]
    moving = [time_s for time_s, command in run.commands if command != STOP]
    arrived_s = moving[0] + SETTLE_S if moving else float("inf")
    distances = [moment.distance for moment in run.moments if moment.time_s >= arrived_s] or [float("nan")]
    period_s = run.moments[1].time_s - run.moments[0].time_s
    return FollowScore(
        found_s=tracked[0] - goal_s if tracked else float("nan"),
        nearest_m=min(distances),
        farthest_m=max(distances),
        lost_s=sum(moment.state is TrackState.LOST for moment in run.moments) * period_s,
        ids=len({event.track_id for event in run.events if event.kind is EventKind.STARTED}),
    )


def stop_s(run: FollowRun, from_s: float) -> float:
    """s from a time until the robot was told to stop for good; NaN: it was not, or stood before."""
    if not run.commands or run.commands[-1][1] != STOP or run.commands[-1][0] < from_s:
        return float("nan")
    return run.commands[-1][0] - from_s


def picture(run: FollowRun, begin_ns: int = SECOND_NS) -> bytes:
    """A PNG: the paths from above, and distance and speed over time, with the events.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(f"pictures need matplotlib ({error}); run: pip install 'vitron_ros[evaluation]'") from error
    times = np.array([moment.time_s for moment in run.moments])
    robot = np.array([moment.robot[:2] for moment in run.moments])
    target = np.array([moment.target for moment in run.moments])
    is_lost = np.array([moment.state is TrackState.LOST for moment in run.moments])
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    above, distance, speed = figure.subplot_mosaic(
        [["above", "distance"], ["above", "speed"]], width_ratios=[1.1, 1]
    ).values()
    for path, colour, name in ((target, TARGET, "mug"), (robot, ROBOT, "robot")):
        above.plot(*path.T, color=colour, label=name)
        above.plot(*path[0], "o", color=colour)
    for step in range(0, len(times), max(1, len(times) // 12)):
        above.plot(*zip(robot[step], target[step], strict=True), color="0.8", linewidth=0.8, zorder=0)
    if is_lost.any():
        middle = int(np.flatnonzero(is_lost).mean())
        above.annotate(
            "hidden here", target[middle], xytext=(12, 12), textcoords="offset points", arrowprops={"arrowstyle": "->"}
        )
    above.set(xlabel="x, m", ylabel="y, m", aspect="equal", title="from above")
    above.legend(loc="best")
    distance.axhspan(WANTED_M - WITHIN_M, WANTED_M + WITHIN_M, color="0.92")
    distance.plot(times, [moment.distance for moment in run.moments], color=ROBOT)
    distance.set(ylabel="distance, m", ylim=(1.0, 2.4), title=f"{WANTED_M:g} m wanted; grey: within {WITHIN_M:g} m")
    speed.plot(times, [moment.command.linear for moment in run.moments], color=ROBOT, label="ahead, m/s")
    speed.plot(times, [moment.command.angular for moment in run.moments], color="0.5", label="to the left, rad/s")
    speed.set(xlabel="s", ylabel="commanded", ylim=(-0.4, 0.6))
    speed.legend(loc="upper right", ncols=2)
    for axes in (distance, speed):
        axes.fill_between(times, 0, 1, where=is_lost, transform=axes.get_xaxis_transform(), color=LOST, zorder=0)
        axes.grid(alpha=0.3)
    for event in run.events:
        if event.kind in EVENTS:
            time_s = (event.stamp_ns - begin_ns) / SECOND_NS
            distance.axvline(time_s, color="0.4", linewidth=0.8, linestyle="--")
            is_after = event.kind is not EventKind.LOST
            distance.text(
                time_s, 2.32, f" {EVENTS[event.kind]} ", ha="left" if is_after else "right", va="top", fontsize=8
            )
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()
