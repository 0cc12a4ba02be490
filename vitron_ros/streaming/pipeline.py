"""Frames of one camera in, tracks, events and the fate of goals out. Knows no ROS, no thread and no clock."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from vitron_ros.config import PipelineConfig
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.region import Region, RegionKind
from vitron_ros.streaming.goals import Goal, GoalFeedback, GoalResult, Outcome, Phase, TrackRequest
from vitron_ros.streaming.ring import ViewRing
from vitron_ros.tracking.box_tracker import BoxTracker, View
from vitron_ros.tracking.point_box import box_around_point
from vitron_ros.tracking.track import SECOND_NS, EventKind, Reason, TrackEvent, TrackSnapshot
from vitron_ros.tracking.track_manager import TrackManager

REORDER_NS = 200_000_000  # images late by less are out of order and skipped; by more, the clock jumped back


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Report:
    """What one step changed.

    Attributes:
        frame: the frame that was tracked; None if there was none, and then `tracks` says nothing.
        feedback: by goal id, for every goal that goes on.
        finished: by goal id, for every goal that ended.
    """

    frame: Frame | None = None
    tracks: tuple[TrackSnapshot, ...] = ()
    events: tuple[TrackEvent, ...] = ()
    feedback: dict[str, GoalFeedback] = field(default_factory=dict)
    finished: dict[str, GoalResult] = field(default_factory=dict)


class CameraPipeline:
    """Carries every goal of one camera from frame to frame.

    Two times come in: a frame's stamp, by which everything about images and tracks is measured, and `now_ns`,
    by which a goal's patience is. A frame without a stamp counts as taken now.

    Not thread-safe: the camera's worker owns it.
    """

    def __init__(
        self, config: PipelineConfig, make_tracker: Callable[[], BoxTracker], ids: Iterator[int], camera: str = ""
    ) -> None:
        self.late_frames = 0
        self._config = config
        self._camera = camera
        self._manager = TrackManager(config, make_tracker, ids)
        self._ring = ViewRing(int(config.history * SECOND_NS))
        self._goals: dict[str, Goal] = {}
        self._view: View | None = None
        self._image_ns = 0  # time of the newest image
        self._arrived_ns = 0  # when it was stepped
        self._events: list[TrackEvent] = []
        self._finished: dict[str, GoalResult] = {}

    @property
    def config(self) -> PipelineConfig:
        return self._config

    @config.setter
    def config(self, config: PipelineConfig) -> None:
        self._config = config
        self._manager.life = config

    def add(self, goal_id: str, request: TrackRequest, now_ns: int) -> None:
        """Take on a wish; it is acted on in the next step."""
        is_ahead = request.region_stamp_ns > self._image_ns
        self._goals[goal_id] = Goal(id=goal_id, request=request, accepted_ns=now_ns, is_ahead=is_ahead)

    def cancel(self, goal_id: str) -> None:
        """Give up a wish. Nothing happens if it has ended already."""
        if goal_id in self._goals:
            self._finish(self._goals[goal_id], Outcome.CANCELED, "cancelled by the client", Reason.REQUESTED)

    def reset(self) -> None:
        """Give up every wish and every target."""
        for goal in list(self._goals.values()):
            self._finish(goal, Outcome.CANCELED, "the node was reset", Reason.REQUESTED)

    def shutdown(self) -> Report:
        """End everything; the pipeline may be used again."""
        for goal in list(self._goals.values()):
            self._finish(goal, Outcome.SHUTDOWN, "the node was deactivated", Reason.SHUTDOWN)
        return self._report(None)

    def tick(self, now_ns: int) -> Report:
        """Time passes without an image."""
        self._expire(now_ns)
        return self._report(None, now_ns=now_ns)

    def step(self, frame: Frame, now_ns: int) -> Report:
        """The next frame. One that is a little older than its predecessor is skipped and counted."""
        image_ns = frame.stamp_ns or now_ns
        if self._view is not None and 0 < self._image_ns - image_ns < REORDER_NS:
            self.late_frames += 1
            return self.tick(now_ns)
        self._check_continuity(frame, image_ns)
        self._view, self._image_ns, self._arrived_ns = View(frame), image_ns, now_ns
        self._events += self._manager.step(self._view, image_ns)
        self._ring.push(self._view, image_ns)
        for goal in [goal for goal in self._goals.values() if goal.found_ns is None]:
            self._ground(goal)
        tracks = self._manager.report(image_ns)
        self._follow(tracks)
        self._expire(now_ns)
        return self._report(frame, tracks, now_ns)

    def _check_continuity(self, frame: Frame, image_ns: int) -> None:
        """A picture of another size or from the past has nothing to do with the targets known so far."""
        if self._view is None:
            return
        last = self._view.frame
        if (frame.width, frame.height) != (last.width, last.height):
            text = f"the image size changed from {last.width}x{last.height} to {frame.width}x{frame.height}"
            self._drop_all(Reason.IMAGE_CHANGED, text)
        elif image_ns < self._image_ns:
            self._drop_all(Reason.TIME_JUMP, f"image stamps went back by {(self._image_ns - image_ns) / SECOND_NS:g} s")

    def _drop_all(self, reason: Reason, text: str) -> None:
        self._ring.clear()
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            self._finish(goal, Outcome.LOST, f"{text}; send the goal again", reason)

    def _ground(self, goal: Goal) -> None:
        """Turn a goal's wish into a target, if that can be done yet."""
        region, stamp_ns = goal.request.region, goal.request.region_stamp_ns
        if region is None:
            text = f"no model loaded: cannot look for {goal.request.prompt!r}; give a region"
            self._reject(goal, Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)
        elif stamp_ns > self._image_ns:
            return  # drawn on an image yet to come
        elif len(self._manager) >= self._config.max_targets:
            text = (
                f"already following {len(self._manager)} targets, the limit is max_targets={self._config.max_targets}"
            )
            self._reject(goal, Outcome.OVERLOADED, Reason.NONE, text)
        elif not (views := self._views_since(goal)):
            text = f"the image that the region was drawn on is not kept any more; history is {self._config.history:g} s"
            self._reject(goal, Outcome.BAD_REGION, Reason.BAD_REGION, text)
        else:
            self._start(goal, region, views)

    def _views_since(self, goal: Goal) -> list[View]:
        """From the image that the region was drawn on to the newest; if that one never came, from the next."""
        stamp_ns = goal.request.region_stamp_ns
        views = self._ring.since(stamp_ns) if stamp_ns else []
        return views or (self._ring.newest() if goal.is_ahead or not stamp_ns else [])

    def _start(self, goal: Goal, region: Region, views: list[View]) -> None:
        frame = views[0].frame
        try:
            if region.kind is RegionKind.POINT:
                box = box_around_point(frame.rgb, *region.points[0])
            else:
                box = region.bounding_box(frame.width, frame.height)
        except RegionError as error:
            self._reject(goal, Outcome.BAD_REGION, Reason.BAD_REGION, str(error))
            return
        track_id, event = self._manager.start(
            views[0],
            box,
            self._image_ns,
            phrase=goal.request.prompt,
            min_score=goal.request.min_score,
            later=views[1:],
        )
        goal.track_ids.append(track_id)
        goal.found_ns = goal.seen_ns = self._image_ns
        self._events.append(event)

    def _follow(self, tracks: tuple[TrackSnapshot, ...]) -> None:
        by_id = {track.id: track for track in tracks}
        reacquired = {event.track_id for event in self._events if event.kind is EventKind.REACQUIRED}
        for goal in [goal for goal in self._goals.values() if goal.found_ns is not None]:
            goal.tracks = tuple(by_id[track_id] for track_id in goal.track_ids)
            goal.times_reacquired += len(reacquired.intersection(goal.track_ids))
            if any(track.is_seen for track in goal.tracks):
                goal.phase = Phase.TRACKING
                goal.frames_tracked += 1
                goal.seen_ns = self._image_ns
            else:
                goal.phase = Phase.REACQUIRING
                goal.frames_lost += 1

    def _expire(self, now_ns: int) -> None:
        for goal in list(self._goals.values()):
            request = goal.request
            if goal.found_ns is None:
                timeout = self._config.timeout if request.timeout is None else request.timeout
                if now_ns - goal.accepted_ns > timeout * SECOND_NS:
                    self._give_up(goal, timeout)
                continue
            lost_timeout = self._config.lost_timeout if request.lost_timeout is None else request.lost_timeout
            if request.duration is not None and self._image_ns - goal.found_ns >= request.duration * SECOND_NS:
                self._finish(goal, Outcome.OK, f"followed for {request.duration:g} s", Reason.REQUESTED)
            elif lost_timeout and self._image_ns - goal.seen_ns > lost_timeout * SECOND_NS:
                self._finish(goal, Outcome.LOST, f"not seen for {lost_timeout:g} s", Reason.LOST_TIMEOUT)

    def _give_up(self, goal: Goal, timeout: float) -> None:
        if self._arrived_ns < goal.accepted_ns:
            text = f"no image came within {timeout:g} s; check the camera's topic and QoS"
            self._reject(goal, Outcome.INPUT_STALE, Reason.NONE, text)
        else:
            text = f"nothing was found within {timeout:g} s"
            self._reject(goal, Outcome.NOT_FOUND, Reason.NOT_SEEN, text)

    def _reject(self, goal: Goal, outcome: Outcome, reason: Reason, text: str) -> None:
        frame = self._view.frame if self._view else None
        self._events.append(
            TrackEvent(
                kind=EventKind.REJECTED,
                reason=reason,
                text=text,
                stamp_ns=frame.stamp_ns if frame else 0,
                camera=self._camera,
                frame_id=frame.frame_id if frame else "",
                phrase=goal.request.prompt,
            )
        )
        self._finish(goal, outcome, text, reason)

    def _finish(self, goal: Goal, outcome: Outcome, message: str, reason: Reason) -> None:
        for track_id in goal.track_ids:
            assert self._view is not None, "a goal with tracks has seen an image"
            self._events.append(self._manager.end(track_id, self._view.frame, self._image_ns, reason, message))
        del self._goals[goal.id]
        self._finished[goal.id] = goal.result(outcome, message)

    def _report(self, frame: Frame | None, tracks: tuple[TrackSnapshot, ...] = (), now_ns: int | None = None) -> Report:
        stale_ns = self._config.max_image_age * SECOND_NS
        is_stale = frame is None and now_ns is not None and now_ns - self._arrived_ns > stale_ns
        phase = Phase.INPUT_STALE if is_stale else None
        report = Report(
            frame=frame,
            tracks=tracks,
            events=tuple(self._events),
            feedback={goal.id: goal.feedback(phase) for goal in self._goals.values()},
            finished=self._finished,
        )
        self._events, self._finished = [], {}
        return report
