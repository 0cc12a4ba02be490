"""What a person wants followed, and how that wish ends. The data of vitron_msgs/TrackObject without ROS."""

import math
from dataclasses import dataclass, field
from enum import IntEnum

from vitron_ros.errors import ConfigError
from vitron_ros.grounding.request import text_problem
from vitron_ros.region import Region
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.track import TrackSnapshot


class Outcome(IntEnum):
    """The values of TrackObject.Result.outcome."""

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


class Phase(IntEnum):
    """The values of TrackObject.Feedback.phase."""

    GROUNDING = 0
    TRACKING = 1
    REACQUIRING = 2
    INPUT_STALE = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackRequest:
    """A wish, as the fields of TrackObject.Goal. Times in s; None: the pipeline's own setting.

    Attributes:
        prompt: what to look for where there is no region; with one, the name of what it marks.
        max_targets: that the goal follows at most. A model that finds one target a prompt never gives more than one.
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


@dataclass(slots=True, eq=False)
class Search:
    """The search for one of the things that a goal's prompt names.

    Attributes:
        name: unique among the searches of all goals.
        catch_up: where the model saw it, on its way to the newest image.
        is_asked: the model has been asked for it.
        is_over: it has led to a target, or was given up.
        answer: why there is no target yet, by the model's last reply; None: it has not answered yet.
        failures: of the model, in a row.
        doubts: of the model, in a row: replies of which nothing is made, in the hope of a better one.
        contradictions: times that something else was found, less those that nothing spoke against it, not below 0.
    """

    name: str
    phrase: str
    catch_up: CatchUp | None = None
    is_asked: bool = False
    is_over: bool = False
    answer: str | None = None
    failures: int = 0
    doubts: int = 0
    contradictions: int = 0


@dataclass(slots=True, kw_only=True, eq=False)
class Goal:
    """A wish that is being carried out. The pipeline alone changes it.

    Attributes:
        is_ahead: its region was drawn on an image that had not come yet.
        seen_ns: time of the last frame with a target in sight.
        unseen_in_a_row: frames since then.
        searches: one for each thing that its prompt names; none where a region shows what is meant.
        note: what the prompt asks for and the goal leaves out.
    """

    id: str
    request: TrackRequest
    accepted_ns: int
    searches: tuple[Search, ...] = ()
    note: str = ""
    is_ahead: bool = False
    found_ns: int | None = None
    seen_ns: int = 0
    unseen_in_a_row: int = 0
    phase: Phase = Phase.GROUNDING
    track_ids: list[int] = field(default_factory=list)
    tracks: tuple[TrackSnapshot, ...] = ()
    frames_tracked: int = 0
    frames_lost: int = 0
    times_reacquired: int = 0

    @property
    def open_searches(self) -> list[Search]:
        return [search for search in self.searches if not search.is_over]

    def feedback(self, phase: Phase | None = None) -> GoalFeedback:
        return GoalFeedback(phase=self.phase if phase is None else phase, tracks=self.tracks)

    def result(self, outcome: Outcome, message: str) -> GoalResult:
        return GoalResult(
            outcome=outcome,
            message="; ".join(filter(None, (message, self.note))),
            tracks=self.tracks,
            frames_tracked=self.frames_tracked,
            frames_lost=self.frames_lost,
            times_reacquired=self.times_reacquired,
        )
