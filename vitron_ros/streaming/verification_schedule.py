"""Which targets the model is asked about, and how: by the box where the tracker had it, or by its phrase."""

from collections.abc import Mapping

import numpy as np

from vitron_ros.boxes import Boxes, check_box
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import RegionError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, Roi, Task
from vitron_ros.streaming.load_shedding import model_period, model_targets
from vitron_ros.streaming.pending_requests import PendingRequests, RoundRobin, Subject
from vitron_ros.streaming.roi_crop import roi_crop
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.streaming.target_state import TargetState
from vitron_ros.tracking.track import Track, TrackState
from vitron_ros.tracking.track_manager import TrackManager


def subject_of(track_id: int) -> Subject:
    """Of the questions about a target."""
    return ("track", str(track_id))


class VerificationSchedule:
    """Some targets every `model_period`, least sure first, and every lost one that has a phrase.

    Args:
        targets: by track id; `ModelFusion` owns it and changes it.
        can_follow: the model takes FOLLOW; one that does not is asked for phrases alone.
    """

    def __init__(
        self,
        manager: TrackManager,
        pending: PendingRequests,
        targets: Mapping[int, TargetState],
        *,
        can_follow: bool,
    ) -> None:
        self._manager = manager
        self._pending = pending
        self._targets = targets
        self._can_follow = can_follow
        self._round = RoundRobin()
        self._asked_ns: int | None = None

    def requests(self, context: StepContext, clip: tuple[Frame, ...]) -> list[ModelRequest]:
        """What to ask with the newest clip: open questions once more, disputed targets, and those that are due."""
        tracks = {track.id: track for track in self._manager.tracks() if self._targets[track.id].catch_up is None}
        is_due = self.is_due(context)
        chosen = [track for track in tracks.values() if self._is_urgent(track.id)]
        if is_due:
            self._asked_ns = context.image_ns
            closed = {track_id: track for track_id, track in tracks.items() if track not in chosen}
            chosen += [track for track in closed.values() if self._can_be_found(track)]
            chosen += self._next_of_round(closed, clip, model_targets(context.config, context.load_shedding))
        requests = [self._request(track, clip, context.config) for track in chosen]
        return [request for request in requests if request is not None]

    def is_due(self, context: StepContext) -> bool:
        """Whether it is time to ask whether targets are still right."""
        period_ns = model_period(context.config, context.load_shedding) * SECOND_NS
        return self._asked_ns is None or context.image_ns - self._asked_ns >= period_ns

    def _next_of_round(self, tracks: dict[int, Track], clip: tuple[Frame, ...], count: int) -> list[Track]:
        """The targets whose turn it is, at most `count` of those that can be asked about."""
        followed = {
            track.id: track
            for track in tracks.values()
            if not self._can_be_found(track) and self._can_be_verified(track) and self._has_a_start(track, clip)
        }
        turns = self._round.next((track.id, track.score) for track in followed.values())[:count]
        for track_id in turns:
            self._round.ask(track_id)
        return [followed[track_id] for track_id in turns]

    def _has_a_start(self, track: Track, clip: tuple[Frame, ...]) -> bool:
        """Whether the clip shows where it was, if that is what the model has to be told."""
        return not self._can_follow or _first_seen(track, clip) is not None

    def _request(self, track: Track, clip: tuple[Frame, ...], config: PipelineConfig) -> ModelRequest | None:
        if not self._can_be_verified(track):
            return None
        subject = subject_of(track.id)
        if self._task(track) is Task.FIND:
            is_known = self._can_be_found(track) and not self._targets[track.id].is_unproven
            # The whole clip also tells whether the model agrees with what the tracker saw.
            frames = clip[-config.model_find_frames :] if is_known else clip
            return self._pending.ask(subject, Task.FIND, frames, text=track.phrase, is_placed=False)
        first = _first_seen(track, clip)
        if first is None:
            return None
        index, box = first
        frames = clip[index:]
        return self._pending.ask(
            subject, Task.FOLLOW, frames, box_xyxy=box, roi_xyxy=self._roi(track, frames, config.model_roi_crop)
        )

    def _roi(self, track: Track, frames: tuple[Frame, ...], below: float) -> Roi | None:
        """The crop in which a small target is followed. One that is not seen now, or has left the last crop, may be
        anywhere."""
        track_history = track.history.at(frame.stamp_ns for frame in frames)
        if self._targets[track.id].needs_whole_image or not track_history.is_seen[-1]:
            return None
        return roi_crop(track_history.boxes_xyxy, frames, below)

    def _task(self, track: Track) -> Task:
        """A lost target is found by its phrase. One that is seen is followed and found in turn, since who is given the
        box of another will follow that; an objection is heard a second time in the same way."""
        target = self._targets[track.id]
        if target.is_grouped:
            return Task.FOLLOW
        if self._can_be_found(track) or target.is_unproven or not self._can_follow:
            return Task.FIND
        if not (track.phrase and target.reliability.credit and target.reliability.is_earned):
            return Task.FOLLOW
        if not self._is_urgent(track.id):
            target.asks_by_phrase = not target.asks_by_phrase
        return Task.FIND if target.asks_by_phrase else Task.FOLLOW

    def _can_be_verified(self, track: Track) -> bool:
        """By its box, or else by its phrase, which may be wrong where the model did not find the target by it."""
        target = self._targets[track.id]
        by_phrase = bool(track.phrase) and target.reliability.is_earned and not target.is_grouped
        return self._can_follow or by_phrase

    def _is_urgent(self, track_id: int) -> bool:
        """There is an open question about it, or an objection that waits for a second one."""
        target = self._targets[track_id]
        return self._pending.is_open(subject_of(track_id)) or (
            target.reliability.is_objecting and not target.is_grouped
        )

    def _can_be_found(self, track: Track) -> bool:
        """By its phrase, and the model's reply would count."""
        target = self._targets[track.id]
        return is_lost_with_phrase(track) and target.reliability.is_earned and not target.is_grouped


def is_lost_with_phrase(track: Track) -> bool:
    """Whether a target may be found again by its phrase."""
    return track.state is TrackState.LOST and bool(track.phrase)


def _first_seen(track: Track, clip: tuple[Frame, ...]) -> tuple[int, Boxes] | None:
    """The first frame of the clip, but the last, in which the target was seen, and its box there."""
    track_history = track.history.at(frame.stamp_ns for frame in clip[:-1])
    if not track_history.is_seen.any():
        return None
    index = int(np.flatnonzero(track_history.is_seen)[0])
    try:
        return index, check_box(track_history.boxes_xyxy[index], clip[index].width, clip[index].height)
    except RegionError:
        return None
