"""Starts the targets of goals: from a region, or from a box of the model that has caught up with the newest image."""

from dataclasses import replace

from vitron_ros.boxes import Boxes, iou
from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.frame import Frame
from vitron_ros.region import Region, RegionKind
from vitron_ros.streaming import goal_failures
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.fusion_decision import AGREEMENT_IOU
from vitron_ros.streaming.goal_state import GoalState
from vitron_ros.streaming.goals import Failure, Outcome
from vitron_ros.streaming.model_fusion import ModelFusion
from vitron_ros.streaming.phrase_search import PhraseSearch
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp
from vitron_ros.tracking.point_box import box_around_point
from vitron_ros.tracking.track import Reason, TrackEvent
from vitron_ros.tracking.track_manager import TrackManager


class TargetStarter:
    """Adds targets to a camera's tracks and to their goals. `GoalManager` owns it.

    Each method gives the events of what was started, none where it has to wait, or why it cannot be started.
    """

    def __init__(
        self, manager: TrackManager, model_fusion: ModelFusion, frame_buffer: FrameBuffer, *, has_model: bool
    ) -> None:
        self._manager = manager
        self._model_fusion = model_fusion
        self._frame_buffer = frame_buffer
        self._has_model = has_model

    def from_region(self, context: StepContext, goal: GoalState) -> list[TrackEvent] | Failure:
        """The target of a goal with a region. A goal without one waits for the model's reply, if there is a model."""
        region, stamp_ns = goal.request.region, goal.request.region_stamp_ns
        if region is None and not self._has_model:
            return goal_failures.no_model(goal.request.prompt)
        if stamp_ns > context.image_ns:
            return []  # drawn on an image that has not come yet
        if len(self._manager) >= context.config.max_targets:
            return goal_failures.too_many_targets(len(self._manager), context.config)
        if region is None:
            return []  # the model is asked with the next keyframe
        views = self._views_since(goal)
        if not views:
            return goal_failures.image_not_kept(context, stamp_ns)
        try:
            box = _box_of(region, views[0].frame)
            track_id, event = self._manager.start(
                views[0],
                box,
                context.image_ns,
                context.config,
                phrase=goal.request.prompt,
                min_score=goal.request.min_score,
                later=views[1:],
            )
        except RegionError as error:
            return Failure(Outcome.BAD_REGION, Reason.BAD_REGION, str(error))
        except ConfigError as error:  # the tracker's files are gone since the node became active
            return Failure(Outcome.MODEL_ERROR, Reason.MODEL_ERROR, str(error))
        self._begin(context, goal, track_id, by_model=False)
        return [event]

    def from_catch_up(
        self, context: StepContext, goal: GoalState, search: PhraseSearch, catch_up: CatchUp
    ) -> list[TrackEvent] | Failure:
        """The target that the model found; the search goes on where it was lost on the way."""
        assert context.frame is not None, "a box on its way has images to go through"
        request, config = goal.request, context.config
        if not catch_up.was_followed(config.min_score if request.min_score is None else request.min_score):
            search.answer = "found, but out of sight before it could be followed"
            return []
        if search.is_for_many and self._is_followed(goal, catch_up):
            return []
        if len(self._manager) >= config.max_targets:
            return [] if search.found else goal_failures.too_many_targets(len(self._manager), config)
        track_id, events = self._manager.adopt(
            catch_up, context.frame, config, phrase=search.phrase, min_score=request.min_score
        )
        search.begin(track_id)
        self._begin(context, goal, track_id, by_model=True, is_grouped=search.is_for_many)
        notes = filter(None, (goal.note, search.shortage))
        return [replace(event, text="; ".join((event.text, *notes))) for event in events]

    def _is_followed(self, goal: GoalState, catch_up: CatchUp) -> bool:
        """Whether the goal follows it already: a tracker has found its target again in the meantime."""
        tracks = [self._manager.track(track_id) for track_id in goal.track_ids]
        box = catch_up.estimate.box_xyxy
        return any(track.is_seen and iou(track.box_xyxy, box) >= AGREEMENT_IOU for track in tracks)

    def _begin(
        self, context: StepContext, goal: GoalState, track_id: int, *, by_model: bool, is_grouped: bool = False
    ) -> None:
        goal.track_ids.append(track_id)
        goal.seen_ns = context.image_ns
        goal.found_ns = goal.seen_ns if goal.found_ns is None else goal.found_ns
        self._model_fusion.begin(track_id, by_model=by_model, is_grouped=is_grouped)

    def _views_since(self, goal: GoalState) -> list[View]:
        """From the image that the region was drawn on to the newest; if that one never came, from the next."""
        stamp_ns = goal.request.region_stamp_ns
        views = self._frame_buffer.ring.since(stamp_ns) if stamp_ns else []
        return views or (self._frame_buffer.ring.newest() if goal.is_ahead or not stamp_ns else [])


def _box_of(region: Region, frame: Frame) -> Boxes:
    if region.kind is RegionKind.POINT:
        return box_around_point(frame.rgb, *region.points[0])
    return region.bounding_box(frame.width, frame.height)
