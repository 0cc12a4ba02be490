"""Commands on cameras: the node perception finds and follows, the modules' nodes work. See `World`."""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from rclpy.action.client import ClientGoalHandle
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vitron_msgs.action import Command, Converse, RunModule, TrackObject
from vitron_msgs.msg import Invocation, Track, TrackArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.commands.failure import CommandFailure, Outcome, outcome_of
from vitron_ros.commands.plan import Step, Target, module_for
from vitron_ros.commands.settings import CommandConfig
from vitron_ros.commands.world import Answer
from vitron_ros.errors import RegionError
from vitron_ros.images.cut_out import cut_out
from vitron_ros.module_registry import Node as NodeName
from vitron_ros.modules.module import BadJob, Cancelled, Progress
from vitron_ros.region import Region
from vitron_ros.ros.blocking_calls import BlockingClient, in_executor, wait_until
from vitron_ros.ros.conversions import (
    image_message,
    ns_from_time,
    outcome_name,
    region_from_message,
    region_message,
    time_from_ns,
)
from vitron_ros.ros.image_history import ImageHistory
from vitron_ros.ros.module_messages import SHOWN, frames_from_messages
from vitron_ros.ros.remote_action import RemoteAction, RemoteGoal
from vitron_ros.tracking.soft_mask import bounding_box

MODULE_TIMEOUT_S = 3600.0  # the module's node has a limit of its own, and is known to live by its feedback
MARGIN_S = 5.0  # beyond a clip's duration, for its tracks to come, and for an image that was answered for
TRACKS_KEPT = 1000

Images = Sequence[Image | CompressedImage]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LivePictures:
    """What a module gave back.

    Attributes:
        images: as the next step takes them: the result's, or those that were segmented.
        tracks: of the target, for the images by their stamps.
        phrase: the object that the result's masks show.
    """

    images: Images
    result: RunModule.Result
    tracks: Sequence[TrackArray] = ()
    phrase: str = ""

    @property
    def note(self) -> str:
        return str(self.result.note)

    @property
    def region(self) -> Region | None:
        if self.result.boxes and self.result.box_frames[0] == 0:
            return region_from_message(self.result.boxes[0])
        mask = np.array(frames_from_messages(self.result.masks[:1], "")[0].rgb[..., 0] if self.result.masks else [[0]])
        return Region.from_box(bounding_box(mask > 127)) if (mask > 127).any() else None


@dataclass(eq=False, kw_only=True)
class Links:
    """What the worlds of all commands share. The executor's thread fills `histories` and `tracks`.

    Attributes:
        histories, tracks: by camera: its images and its newest TrackArrays.
        followed: by track id: the goal that follows it.
    """

    node: Node
    converse: BlockingClient
    track: BlockingClient
    modules: Mapping[NodeName, RemoteAction]
    histories: Mapping[str, ImageHistory]
    tracks: Mapping[str, deque[TrackArray]]
    play: Callable[[Image], object]
    followed: dict[int, ClientGoalHandle] = field(default_factory=dict)


class LiveWorld:
    """The world of one command. Its thread owns it.

    Attributes:
        output: of the next module's step: the name of a folder for its results; empty: none.
        invocations: what modules were asked to do.
        preview: of the step that runs, until somebody takes it.
    """

    def __init__(self, links: Links, config: CommandConfig, request: Command.Goal, conversation_id: str) -> None:
        self.output = ""
        self.invocations: list[Invocation] = []
        self.preview: list[Image] = []
        self._links = links
        self._config = config
        self._request = request
        self._conversation_id = conversation_id
        self._temporary: set[int] = set()

    def marked(self) -> Target | None:
        if not self._request.regions:
            return None
        try:
            return Target(phrase="", region=region_from_message(self._request.regions[0]))
        except RegionError as error:
            raise CommandFailure(Outcome.BAD_REGION, str(error)) from error

    def ask(self, text: str, progress: Progress) -> Answer:
        client = self._links.converse
        goal = Converse.Goal(
            text=text,
            regions=self._request.regions,
            camera=self._request.camera,
            conversation_id=f"command {self._conversation_id}",
        )
        handle = client.send(goal, progress)
        result: Converse.Result = client.result(handle, progress, self._config.answer_timeout)
        if result.error_code:
            raise CommandFailure(outcome_of(outcome_name(result), Outcome.MODEL_ERROR), result.error_msg)
        if result.error_msg and not (result.reply or result.grounded or result.invocations):
            raise CommandFailure(Outcome.NOT_FOUND, result.error_msg)
        stamp_ns = ns_from_time(result.header.stamp)
        named = tuple(_target(track, stamp_ns) for track in result.grounded)
        if not result.invocations:
            return Answer(text=result.reply, named=named)
        (call,) = result.invocations
        target = None
        if call.region:
            region = region_from_message(call.region[0])
            target = Target(phrase="", region=region, stamp_ns=stamp_ns, track_id=self._followed(call.track_id))
        return Answer(text=result.reply, named=named, instructions=tuple(call.instructions), called_on=target)

    def track(self, phrase: str, target: Target | None, progress: Progress) -> Target:
        if target is not None and target.track_id in self._links.followed:
            self._temporary.discard(target.track_id)
            return target
        return self._follow(phrase, target, progress)

    def aligned(self, targets: tuple[Target, ...], progress: Progress) -> tuple[Target, ...]:
        followed = [self._temporarily(target, progress) for target in targets]
        ids = {target.track_id for target in followed}
        wait = f"{', '.join(target.phrase for target in targets)} were not seen in one image"
        failure = CommandFailure(Outcome.NOT_FOUND, wait)
        found: list[TrackArray] = []

        def is_seen() -> bool:
            found[:] = [array for array in self._arrays() if ids <= {track.id for track in _shown(array)}][-1:]
            return bool(found)

        wait_until(is_seen, progress, self._config.answer_timeout, failure)
        boxes = {track.id: Region.from_box(track.box) for track in _shown(found[0])}
        stamp_ns = ns_from_time(found[0].header.stamp)
        return tuple(replace(target, region=boxes[target.track_id], stamp_ns=stamp_ns) for target in followed)

    def release(self, track_ids: frozenset[int]) -> None:
        for track_id in track_ids:
            handle = self._links.followed.pop(track_id, None)
            if handle is not None:
                self._links.track.cancel(handle)

    def close(self) -> None:
        """Follow no longer what was followed for the sake of this command alone."""
        self.release(frozenset(self._temporary))

    def run(self, step: Step, target: Target | None, before: LivePictures | None, progress: Progress) -> LivePictures:
        assert step.action is not None
        is_clip = bool(step.is_clip) or (before is not None and len(before.images) > 1)
        entry = module_for(step.action, is_clip=is_clip)
        images: Images = ()
        tracks: Sequence[TrackArray] = ()
        if entry.input != "none" and before is not None and before.images:
            images, tracks = before.images, before.tracks
        elif entry.input == "clip":
            images, tracks, target = self._clip(target, progress)
        elif entry.input == "image":
            images, target = self._image(target, progress)
        images = images[:1] if entry.input == "image" else images
        has_masks = before is not None and target is not None and before.phrase == target.phrase and images
        invocation = Invocation(
            header=images[0].header if images else Header(stamp=self._links.node.get_clock().now().to_msg()),
            camera=self._request.camera,
            request_id=self._conversation_id,
            module=int(entry.module),
            instructions=[step.instruction],
            region=[region_message(target.region)] if target is not None and target.region is not None else [],
            track_id=target.track_id if target is not None else 0,
            score=1.0,
        )
        self.invocations.append(invocation)
        goal = RunModule.Goal(
            invocation=invocation,
            images=_raw(images),
            tracks=tracks if target is not None and target.track_id else [],
            masks=before.result.masks[: len(images)] if has_masks and before is not None else [],
            output=self.output,
        )
        result = self._run(entry.node, goal, progress)
        return LivePictures(
            images=result.images or images,
            result=result,
            tracks=tracks,
            phrase=target.phrase if target is not None else "",
        )

    def play(self, pictures: LivePictures, progress: Progress) -> None:
        images = list(pictures.result.images) or _cut_out(pictures)
        stamps_ns = [ns_from_time(image.header.stamp) for image in images]
        began_s = time.monotonic()
        for index, (image, stamp_ns) in enumerate(zip(images, stamps_ns, strict=True)):
            due_s = began_s + (stamp_ns - stamps_ns[0]) / SECOND_NS
            while (left_s := due_s - time.monotonic()) > 0:
                progress.report(index / len(images))
                time.sleep(min(left_s, 0.1))
            header = Header(stamp=self._links.node.get_clock().now().to_msg(), frame_id=image.header.frame_id)
            self._links.play(
                Image(
                    header=header,
                    height=image.height,
                    width=image.width,
                    encoding=image.encoding,
                    step=image.step,
                    data=image.data,
                )
            )

    def _run(self, node: NodeName, goal: RunModule.Goal, progress: Progress) -> RunModule.Result:
        """Raises CommandFailure if the module's node could not do it, or is not there."""
        heard = [0.0]

        def hear(feedback: RunModule.Feedback) -> None:
            heard[0] = feedback.progress
            self.preview = list(feedback.preview) or self.preview

        call = in_executor(
            self._links.node, lambda: self._links.modules[node].run(goal, hear), progress, RemoteGoal.cancel
        )
        late = CommandFailure(Outcome.TIMEOUT, f"the node {node} did not end within {MODULE_TIMEOUT_S:g} s")

        def is_done() -> bool:
            progress.report(heard[0])
            return bool(call.result.done())

        try:
            wait_until(is_done, progress, MODULE_TIMEOUT_S, late)
        except (CommandFailure, Cancelled):
            if self._links.node.executor is not None:
                self._links.node.executor.create_task(call.cancel)
            raise
        result: RunModule.Result = call.result.result()
        if result.error_code:
            raise CommandFailure(outcome_of(outcome_name(result), Outcome.MODULE_ERROR), result.error_msg)
        return result

    def _image(self, target: Target | None, progress: Progress) -> tuple[Images, Target | None]:
        """The image that shows a target where it is; the newest for what is followed, or for no target.

        One that perception has answered for may still be in this node's queue, and is waited for.
        """
        stamp_ns = target.stamp_ns if target is not None else 0
        if target is not None and target.track_id:
            kept_ns = self._history.stamps_ns()
            for array in reversed(self._arrays()):
                box = next((track.box for track in _shown(array) if track.id == target.track_id), None)
                at_ns = ns_from_time(array.header.stamp)
                if box is not None and at_ns in kept_ns:
                    stamp_ns, target = at_ns, replace(target, region=Region.from_box(box), stamp_ns=at_ns)
                    break
        never = CommandFailure(Outcome.INPUT_STALE, "the image that was answered for has not come to this node")
        wait_until(lambda: not stamp_ns or self._history.has_reached(stamp_ns), progress, MARGIN_S, never)
        try:
            return [self._history.one(stamp_ns)], target
        except BadJob as error:
            raise CommandFailure(Outcome.INPUT_STALE, str(error)) from error

    def _clip(self, target: Target | None, progress: Progress) -> tuple[Images, Sequence[TrackArray], Target | None]:
        """The images of `clip_duration` that were looked at for the target, with its tracks in them."""
        if target is None:
            first_ns = ns_from_time(self._image(None, progress)[0][0].header.stamp) - round(
                self._config.clip_duration * SECOND_NS
            )
            return self._thinned(self._history.clip(max(first_ns, 1), 0)), (), None
        target = self._temporarily(target, progress)
        duration_ns = round(self._config.clip_duration * SECOND_NS)
        clip: list[TrackArray] = []

        def is_long_enough() -> bool:
            kept_ns = self._history.stamps_ns()
            seen = [
                array
                for array in self._arrays()
                if any(track.id == target.track_id for track in _shown(array))
                and ns_from_time(array.header.stamp) in kept_ns
            ]
            clip[:] = _last_span(seen, duration_ns)
            return bool(clip)

        failure = CommandFailure(Outcome.NOT_FOUND, f"{target.phrase or 'it'} was not seen for long enough")
        wait_until(is_long_enough, progress, self._config.clip_duration + MARGIN_S, failure)
        last_ns = ns_from_time(clip[-1].header.stamp)
        first_ns = ns_from_time(clip[0].header.stamp)
        answered = {ns_from_time(array.header.stamp) for array in self._arrays()}
        kept = self._history.clip(first_ns, last_ns)
        images = self._thinned([image for image in kept if ns_from_time(image.header.stamp) in answered])
        box = next(track.box for track in _shown(clip[0]) if track.id == target.track_id)
        return images, clip, replace(target, region=Region.from_box(box), stamp_ns=first_ns)

    def _thinned(self, images: Images) -> Images:
        """No more than `clip_rate` a second."""
        kept: list[Image | CompressedImage] = []
        next_ns = 0
        for image in images:
            if (stamp_ns := ns_from_time(image.header.stamp)) >= next_ns:
                kept.append(image)
                next_ns = stamp_ns + round(0.9 * SECOND_NS / self._config.clip_rate)
        return kept

    def _temporarily(self, target: Target, progress: Progress) -> Target:
        """The target followed, for this command alone if nobody asked for more."""
        if target.track_id in self._links.followed:
            return target
        followed = self._follow(target.phrase, target, progress)
        self._temporary.add(followed.track_id)
        return followed

    def _follow(self, phrase: str, target: Target | None, progress: Progress) -> Target:
        goal = TrackObject.Goal(prompt=phrase, camera=self._request.camera)
        if target is not None and target.region is not None:
            goal.prompt = target.phrase
            goal.region = [region_message(target.region)]
            goal.region_stamp = time_from_ns(target.stamp_ns)
        heard: list[Track] = []

        def hear(feedback: TrackObject.Feedback) -> None:
            if feedback.phase == TrackObject.Feedback.TRACKING:
                heard[:] = [feedback.tracks.tracks[0]] if feedback.tracks.tracks else []
                stamp[:] = [ns_from_time(feedback.tracks.header.stamp)]

        stamp = [0]
        client = self._links.track
        handle = client.send(goal, progress, hear)
        late = CommandFailure(Outcome.TIMEOUT, f"the node perception did not find {phrase} in time")
        try:
            ended: Any = in_executor(self._links.node, handle.get_result_async, progress)
            wait_until(lambda: bool(heard) or ended.done(), progress, self._config.answer_timeout, late)
        except (CommandFailure, Cancelled):
            client.cancel(handle)
            raise
        if not heard:
            result = ended.result().result
            raise CommandFailure(outcome_of(outcome_name(result), Outcome.NOT_FOUND), result.error_msg)
        found = heard[0]
        self._links.followed[found.id] = handle
        ended.add_done_callback(lambda _: self._links.followed.pop(found.id, None))
        name = phrase or (target.phrase if target is not None else "")
        return Target(phrase=name, region=Region.from_box(found.box), stamp_ns=stamp[0], track_id=found.id)

    def _followed(self, track_id: int) -> int:
        return track_id if track_id in self._links.followed else 0

    @property
    def _history(self) -> ImageHistory:
        history = self._links.histories.get(self._request.camera)
        if history is None:
            raise CommandFailure(Outcome.REFUSED, f"there is no camera {self._request.camera[:80]!r}")
        return history

    def _arrays(self) -> list[TrackArray]:
        return list(self._links.tracks.get(self._request.camera, ()))


def _target(track: Track, stamp_ns: int) -> Target:
    return Target(phrase=track.label, region=Region.from_box(track.box), stamp_ns=stamp_ns, track_id=0)


def _shown(array: TrackArray) -> list[Track]:
    return [track for track in array.tracks if track.state in SHOWN]


def _last_span(arrays: Sequence[TrackArray], duration_ns: int) -> Sequence[TrackArray]:
    """The newest arrays that span a duration; none if that takes a gap as long as the duration itself."""
    for index in reversed(range(len(arrays))):
        span_ns = ns_from_time(arrays[-1].header.stamp) - ns_from_time(arrays[index].header.stamp)
        if span_ns >= duration_ns:
            return arrays[index:] if span_ns < 2 * duration_ns else ()
    return ()


def _raw(images: Images) -> list[Image]:
    """As a goal of RunModule takes them: compressed ones are decoded."""
    return [
        image if isinstance(image, Image) else image_message(frames_from_messages([image], "")[0].rgb, image.header)
        for image in images
    ]


def _cut_out(pictures: LivePictures) -> list[Image]:
    """What was segmented, cut out of its images."""
    frames = frames_from_messages(pictures.images, "")
    masks = frames_from_messages(pictures.result.masks, "")
    return [
        image_message(cut_out(frame.rgb, mask.rgb[..., 0]), message.header)
        for frame, mask, message in zip(frames, masks, pictures.images, strict=False)
    ]
