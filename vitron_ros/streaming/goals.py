"""Goals to track something, and how they end. The data of vitron_msgs/TrackObject without ROS."""

import math
from dataclasses import dataclass
from enum import IntEnum

from vitron_ros.errors import ConfigError
from vitron_ros.grounding.request import text_problem
from vitron_ros.region import Region
from vitron_ros.tracking.track import Reason, TrackSnapshot


class Outcome(IntEnum):
    """The values of TrackObject.Result.error_code; OK is NONE there."""

    OK = 0
    NOT_FOUND = 1
    LOST = 2
    CANCELED = 3
    TIMEOUT = 4
    INPUT_STALE = 5
    MODEL_ERROR = 6
    OVERLOADED = 7
    SHUTDOWN = 8
    BAD_REGION = 9
    NOT_UNDERSTOOD = 10
    INTERNAL_ERROR = 11
    UNREACHABLE = 12


class Phase(IntEnum):
    """The values of TrackObject.Feedback.phase."""

    GROUNDING = 0
    TRACKING = 1
    REACQUIRING = 2
    INPUT_STALE = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackRequest:
    """A goal, as the fields of TrackObject.Goal. Times in s; None: the pipeline's own setting.

    Attributes:
        prompt: what to look for where there is no region; with one, the name of what it marks.
        max_targets: that the goal follows at most, of those that the prompt asks for: see `intent_gate.targets`. A
            model that gives no candidates finds one target a phrase.
        region_stamp_ns: stamp of the image that the region was drawn on, past or to come; 0: the newest image.
        duration: s to follow the target, then the goal succeeds; None: until cancelled.
    """

    prompt: str = ""
    region: Region | None = None
    region_stamp_ns: int = 0
    camera: str = ""
    max_targets: int | None = None
    timeout: float | None = None
    lost_timeout: float | None = None
    min_score: float | None = None
    duration: float | None = None

    def __post_init__(self) -> None:
        if not self.prompt.strip() and self.region is None:
            raise ConfigError("say what to follow: give a prompt, a region, or both")
        if problem := text_problem(self.prompt):
            raise ConfigError(problem)
        if self.max_targets is not None and self.max_targets < 1:
            raise ConfigError(f"max_targets is {self.max_targets}; it must be at least 1")
        for name in ("timeout", "lost_timeout", "min_score", "duration"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} is {value}; it must be a finite number that is not negative")
        if self.min_score is not None and self.min_score > 1:
            raise ConfigError(f"min_score is {self.min_score}; it must be at most 1")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoalFeedback:
    """How a goal stands after one frame, or without one."""

    phase: Phase
    tracks: tuple[TrackSnapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoalResult:
    """How a goal ended. Fields as in TrackObject.Result."""

    outcome: Outcome
    message: str
    tracks: tuple[TrackSnapshot, ...] = ()
    frames_tracked: int = 0
    frames_lost: int = 0
    times_reacquired: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a goal, or the search for one of its targets, is given up."""

    outcome: Outcome
    reason: Reason
    text: str
