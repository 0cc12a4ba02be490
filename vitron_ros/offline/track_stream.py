"""Tracking as an iterator: a result for every image as it comes."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.frame import Frame, Image
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.images.draw import draw_tracks
from vitron_ros.offline.coco_rle import CocoRle, coco_masks
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replay import steps
from vitron_ros.recordings.sources import Source
from vitron_ros.streaming.goals import GoalResult, TrackRequest
from vitron_ros.streaming.overlays import Points, Trajectories, overlays
from vitron_ros.tracking.track import TrackEvent, TrackSnapshot
from vitron_ros.tracking.trackers import make_tracker


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class TrackResult:
    """One image and the targets in it. It holds the image: keep only those that you need.

    Attributes:
        frame: `frame.rgb` is (H, W, 3) uint8; nobody writes to it.
        tracks: every target, each with `id`, `state`, `box_xyxy` (4,) px, `score`, `phrase`, `velocity` px/s, `mask`.
        events: targets that started, were lost, came back or ended since the last result.
        trajectories: by track id, where the centre of each target was lately, (N, 2) px, oldest first.
    """

    frame: Frame
    tracks: tuple[TrackSnapshot, ...] = ()
    events: tuple[TrackEvent, ...] = ()
    trajectories: Mapping[int, Points] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """Number of the image in its source, from 0."""
        return self.frame.index

    @property
    def stamp_ns(self) -> int:
        return self.frame.stamp_ns

    @property
    def masks(self) -> dict[int, CocoRle]:
        """By track id, the masks as pycocotools takes them. Raises ConfigError where pycocotools is missing."""
        return coco_masks(self.tracks, self.frame.width, self.frame.height)

    def draw(self, *, trajectories: bool = False) -> Image:
        """A copy of the image, (H, W, 3) uint8, with the tracks in it, and their recent paths if wanted."""
        return draw_tracks(self.frame.rgb, overlays(self.tracks, self.trajectories if trajectories else None))

    def __repr__(self) -> str:
        tracks = [
            f"#{track.id} {track.phrase} {track.state.name.lower()} "
            f"[{', '.join(f'{value:.0f}' for value in track.box_xyxy)}] {track.score:.2f}".replace("  ", " ")
            for track in self.tracks
        ]
        return f"frame {self.index} at {self.stamp_ns / SECOND_NS:.3f} s: {'; '.join(tracks) or 'no target'}"


class TrackStream(Iterator[TrackResult]):
    """Tracks targets through a source. Each result is computed when it is asked for.

    Attributes:
        source: name, size and rate of what is read.
        goals: how each goal ended, in the order of the requests; None while it goes on.

    Raises:
        ConfigError: there is no such tracker.
        SourceError: on iterating, where the source breaks off.
    """

    def __init__(
        self, source: Source, requests: Sequence[TrackRequest], config: PipelineConfig, model: LanguageVision | None
    ) -> None:
        make_tracker(config.tracker)  # an unknown name is refused before any work
        self.source = source
        self.goals: list[GoalResult | None] = [None] * len(requests)
        self._results = self._run([ScriptedGoal(request=request) for request in requests], config, model)

    def __next__(self) -> TrackResult:
        return next(self._results)

    def close(self) -> None:
        """Stop before the end: the file or webcam is free again, and there are no more results."""
        self._results.close()

    def _run(
        self, goals: Sequence[ScriptedGoal], config: PipelineConfig, model: LanguageVision | None
    ) -> Generator[TrackResult, None, None]:
        trajectories = Trajectories()
        events: tuple[TrackEvent, ...] = ()
        for report in steps(self.source, goals, config, model=model):
            for goal_id, result in report.finished.items():
                self.goals[int(goal_id)] = result
            events += report.events
            if report.frame is not None:
                paths = trajectories.update(report.tracks, report.frame.stamp_ns)
                yield TrackResult(frame=report.frame, tracks=report.tracks, events=events, trajectories=paths)
                events = ()
