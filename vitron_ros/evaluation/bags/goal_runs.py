"""Goals over the images of a recording, and what was published for each of them, beside the truth."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.bags.truth import Truth
from vitron_ros.evaluation.metrics.long_term import HIDDEN_SHARE
from vitron_ros.evaluation.stream_modes import SHOWN
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.live_frames import LiveFrames
from vitron_ros.offline.replay import DEFAULT_LATENCY, steps
from vitron_ros.offline.replayed_model import Latency, fixed
from vitron_ros.recordings.bags import OnBad, log_bad_frame
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.streaming.goals import GoalResult, Outcome
from vitron_ros.streaming.pipeline import Report
from vitron_ros.tracking.track import TrackSnapshot

INSTANT = fixed(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GoalRun:
    """A goal in the T images from when it was sent until it was cancelled or its duration was over, or the last image.

    So images after a target was lost, or before it was found, count.

    Attributes:
        number: in the script, from 1.
        targets: ids of the true objects that it means.
        sent_ns: on the clock of the images.
        images: (T,) their numbers in the topic.
        stamps_ns: (T,).
        truth: what is true in each image; None: it is unlabelled.
        published: the tracks of the goal; of an image that was not processed, those of the last one that was.
        published_ns: when the tracks of an image were out; None: it was not processed.
    """

    number: int
    phrase: str
    targets: tuple[int, ...]
    result: GoalResult
    sent_ns: int
    images: NDArray[np.int64]
    stamps_ns: NDArray[np.int64]
    truth: tuple[tuple[TrueBox, ...] | None, ...]
    published: tuple[tuple[TrackSnapshot, ...], ...]
    published_ns: tuple[int | None, ...]

    @property
    def name(self) -> str:
        return f'goal {self.number} "{self.phrase}"' if self.phrase else f"goal {self.number}"

    @property
    def labelled(self) -> list[int]:
        """Positions of the images with truth."""
        return [position for position, boxes in enumerate(self.truth) if boxes is not None]

    @property
    def is_single(self) -> bool:
        """Whether it means one object, and never has several tracks."""
        return len(self.targets) == 1 and all(len(tracks) <= 1 for tracks in self.published)

    def visible(self, position: int) -> list[TrueBox]:
        """The objects that it means and an image shows; none of an unlabelled one."""
        boxes = self.truth[position] or ()
        return [box for box in boxes if box.id in self.targets and box.visibility >= HIDDEN_SHARE]

    def shown(self, position: int) -> list[TrackSnapshot]:
        """Its tracks that have a box in an image."""
        return [track for track in self.published[position] if track.state in SHOWN]

    @property
    def period_ns(self) -> float:
        """From one image to the next, at the median; 0: there are no two with different stamps."""
        gaps_ns = np.diff(self.stamps_ns)
        return float(np.median(gaps_ns[gaps_ns > 0])) if (gaps_ns > 0).any() else 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageTracks:
    """All tracks in an image that was processed. `size`: its width and height, px."""

    frame_id: str
    size: tuple[int, int]
    tracks: tuple[TrackSnapshot, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BagRun:
    """The goals over a recording.

    Attributes:
        images: what was published, by the number of the image in its topic.
        dropped: images that could be decoded and were not processed, since newer ones came first.
    """

    goals: tuple[GoalRun, ...]
    images: Mapping[int, ImageTracks]
    dropped: int


@dataclass(slots=True, eq=False)
class _Published:
    """What came out of the pipeline: tracks by the number of the image, all and of each goal, and how goals ended.

    ended_at: number of the image in which the duration of a goal was over.
    """

    images: dict[int, ImageTracks] = field(default_factory=dict)
    of_goals: dict[int, dict[int, tuple[TrackSnapshot, ...]]] = field(default_factory=dict)
    results: dict[int, GoalResult] = field(default_factory=dict)
    ended_at: dict[int, int] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        frame = report.frame
        for goal_id, result in report.finished.items():
            self.results[int(goal_id)] = result
            if frame is not None and result.outcome is Outcome.OK:
                self.ended_at[int(goal_id)] = frame.index
        if frame is not None:
            size = (frame.width, frame.height)
            self.images[frame.index] = ImageTracks(frame_id=frame.frame_id, size=size, tracks=report.tracks)
            of_goal = {goal_id: feedback.tracks for goal_id, feedback in report.feedback.items()}
            of_goal |= {goal_id: result.tracks for goal_id, result in report.finished.items()}
            by_id = {track.id: track for track in report.tracks}
            self.of_goals[frame.index] = {
                int(goal_id): tuple(by_id[track.id] for track in tracks if track.id in by_id)
                for goal_id, tracks in of_goal.items()
            }


def run_goals(
    frames: Iterable[Frame],
    stamps_ns: Sequence[int],
    truth: Truth,
    goals: Sequence[ScriptedGoal],
    targets: Sequence[tuple[int, ...]],
    config: PipelineConfig,
    *,
    model: LanguageVision | None = None,
    latency: Latency = DEFAULT_LATENCY,
    frame_latency: Latency = INSTANT,
    on_bad: OnBad = log_bad_frame,
) -> BagRun:
    """Every goal through the same pipeline as the node's, the same every time.

    Args:
        frames: those images that can be decoded.
        stamps_ns: of all images of the topic; `Frame.index` counts them.
        targets: of each goal.
        model, latency, on_bad: as of `replay.steps`.
        frame_latency: how long an image takes until its tracks are out; see `LiveFrames`.

    Raises:
        ConfigError: a goal begins after the last image.
        SourceError: the recording breaks off, or there is no image that can be decoded.
    """
    stamps = np.array(stamps_ns, np.int64)
    for number, goal in enumerate(goals, 1):
        _check_time(number, goal, goal.at_s * SECOND_NS <= stamps.max() - stamps.min())
    published, live = _Published(), LiveFrames(frames, frame_latency)
    for report in steps(live, goals, config, model=model, latency=latency, on_bad=on_bad):
        published.add(report)
    if not published.images:
        raise SourceError("the recording has no image that can be decoded")
    processed = np.array(list(published.images), np.int64)
    start_ns = int(stamps[processed[0]])
    runs = []
    for index, (goal, ids) in enumerate(zip(goals, targets, strict=True)):
        window = _window(goal, (stamps - start_ns) / SECOND_NS, published.ended_at.get(index))
        _check_time(index + 1, goal, index in published.results and len(window) > 0)
        newest = np.searchsorted(processed, window, side="right") - 1
        runs.append(
            GoalRun(
                number=index + 1,
                phrase=goal.request.prompt,
                targets=ids,
                result=published.results[index],
                sent_ns=start_ns + round(goal.at_s * SECOND_NS),
                images=window,
                stamps_ns=stamps[window],
                truth=tuple(truth.get(image) for image in window.tolist()),
                published=tuple(published.of_goals[image].get(index, ()) for image in processed[newest].tolist()),
                published_ns=tuple(
                    live.published_ns[image] if image in published.images else None for image in window.tolist()
                ),
            )
        )
    return BagRun(goals=tuple(runs), images=published.images, dropped=len(live.dropped))


def _check_time(number: int, goal: ScriptedGoal, has_images: bool) -> None:
    if not has_images:
        until = "the recording ends" if goal.cancel_at_s is None else f"it is cancelled at {goal.cancel_at_s:g} s"
        raise ConfigError(f"goal {number} begins at {goal.at_s:g} s, and {until} before there is an image for it")


def _window(goal: ScriptedGoal, elapsed_s: NDArray[np.float64], ended_at: int | None) -> NDArray[np.int64]:
    """The numbers of the images that count for a goal.

    Args:
        elapsed_s: (N,) of every image, from the first that was processed.
        ended_at: number of the image in which its duration was over; None: it was not.
    """
    counts = (elapsed_s >= goal.at_s) & (elapsed_s >= 0)
    if goal.cancel_at_s is not None:
        counts &= elapsed_s < goal.cancel_at_s
    if ended_at is not None:
        counts[ended_at + 1 :] = False
    return np.flatnonzero(counts)
