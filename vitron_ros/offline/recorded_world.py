"""Commands on a recording: the model looks at its images, and the modules' backends run in this process."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.clock import SECOND_NS
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Step, Target, module_for
from vitron_ros.commands.world import Answer
from vitron_ros.config import ModelRun, PipelineConfig, check_setting
from vitron_ros.frame import Frame
from vitron_ros.grounding.intent import read_intent
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.images.cut_out import cut_out
from vitron_ros.images.draw import draw_tracks
from vitron_ros.module_registry import Module, Node
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import (
    EMBEDDED,
    JobSettings,
    ModuleBackend,
    ModuleFailure,
    ModuleJob,
    ModuleResult,
    Progress,
)
from vitron_ros.modules.worker import run_job
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.question import last_frames
from vitron_ros.offline.replay import steps
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.overlays import overlays
from vitron_ros.tracking.soft_mask import bounding_box
from vitron_ros.tracking.track import TrackSnapshot

OUTCOMES = {
    ReplyStatus.ABSENT: Outcome.NOT_FOUND,
    ReplyStatus.UNSURE: Outcome.UNSURE,
    ReplyStatus.UNKNOWN: Outcome.NOT_UNDERSTOOD,
    ReplyStatus.REFUSED: Outcome.REFUSED,
    ReplyStatus.REJECTED: Outcome.REJECTED,
}
LOOKS = 4  # parts of a recording, at whose beginnings an object is looked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordedPictures:
    """What a module gave back.

    Attributes:
        frames: the images, changed or not.
        job, result: of the module.
        phrase: the object that the result's masks show.
    """

    frames: tuple[Frame, ...]
    job: ModuleJob
    result: ModuleResult
    phrase: str = ""

    @property
    def note(self) -> str:
        return self.result.message

    @property
    def region(self) -> Region | None:
        box = self.result.boxes[0] if self.result.boxes else None
        if box is not None:
            return Region.from_box(box)
        mask = self.result.masks[0] > 127 if self.result.masks else np.zeros((0, 0), bool)
        return Region.from_box(bounding_box(mask)) if mask.any() else None

    @property
    def shown(self) -> ModuleResult:
        """The result with images to look at: what was segmented is cut out."""
        if self.result.images or not self.result.masks:
            return self.result
        images = (cut_out(frame.rgb, mask) for frame, mask in zip(self.frames, self.result.masks, strict=True))
        return replace(self.result, images=tuple(images))


@dataclass(eq=False)
class RecordedWorld:
    """A `World` of frames. What is followed is followed through all of them.

    Attributes:
        frames: one image, or a clip in order of time.
        load: makes the model when it is first asked.
        backends: by node: the folder of a model; `EMBEDDED` where none is given.
        regions: what the person marked in the first image.
    """

    frames: tuple[Frame, ...]
    load: Callable[[], LanguageVision]
    backends: Mapping[Node, str] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    seed: int = 0
    settings: JobSettings = field(default_factory=JobSettings)
    min_score: float = PipelineConfig().model_min_score

    def __post_init__(self) -> None:
        """Raises ConfigError if `min_score` is no probability."""
        check_setting("min_score", self.min_score, {"low": 0.0, "high": 1.0})
        self._loaded: dict[Node, ModuleBackend] = {}
        self._tracks: dict[int, dict[int, TrackSnapshot]] = {}  # by id, then by the stamp of the image
        self._track_ids = itertools.count(1)

    @cached_property
    def model(self) -> LanguageVision:
        return self.load()

    def marked(self) -> Target | None:
        return Target(phrase="", region=self.regions[0], stamp_ns=self.frames[0].stamp_ns) if self.regions else None

    def ask(self, text: str, progress: Progress) -> Answer:
        reply, frame = self._reply(text, progress)
        if reply.status is not ReplyStatus.OK:
            raise CommandFailure(OUTCOMES.get(reply.status, Outcome.MODEL_ERROR), reply.message)
        named = tuple(
            Target(phrase=item.label, region=Region.from_box(item.box_xyxy), stamp_ns=frame.stamp_ns)
            for item in reply.grounded
        )
        call = reply.invocation
        if call is None:
            return Answer(text=reply.text, named=named)
        region = None
        if call.region is not None:
            region = Region.from_box(xyxy_from_norm(np.array(call.region), frame.width, frame.height))
        target = Target(phrase="", region=region, stamp_ns=frame.stamp_ns) if region is not None else None
        return Answer(text=reply.text, named=named, instructions=call.instructions, called_on=target)

    def track(self, phrase: str, target: Target | None, progress: Progress) -> Target:
        if target is None:
            named = self.ask(f"where is {phrase}?", progress).named
            if not named:
                raise CommandFailure(Outcome.NOT_FOUND, f"the model did not say where {phrase} is")
            target = replace(named[0], phrase=phrase)
        assert target.region is not None
        track_id = next(self._track_ids)
        tracks = self._tracks[track_id] = {}
        frames = self._from(target.stamp_ns)
        goal = ScriptedGoal(request=TrackRequest(region=target.region, prompt=target.phrase))
        for index, report in enumerate(steps(frames, [goal], PipelineConfig())):
            progress.report(index / len(frames))
            if report.frame is not None:
                for track in report.tracks:
                    tracks[report.frame.stamp_ns] = replace(track, id=track_id)
        return replace(target, track_id=track_id)

    def aligned(self, targets: tuple[Target, ...], progress: Progress) -> tuple[Target, ...]:
        """Those that were found later in the recording than the last of them are followed up to there."""
        latest_ns = max(target.stamp_ns for target in targets)
        return tuple(self._at(target, latest_ns, progress) for target in targets)

    def release(self, track_ids: frozenset[int]) -> None:
        for track_id in track_ids:
            self._tracks.pop(track_id, None)

    def drawn(self) -> RecordedPictures | None:
        """The images with what is followed drawn on them; None: nothing is."""
        if not self._tracks:
            return None
        images = []
        for frame in self.frames:
            at = [tracks[frame.stamp_ns] for tracks in self._tracks.values() if frame.stamp_ns in tracks]
            images.append(draw_tracks(frame.rgb, overlays(at)))
        job = ModuleJob(module=Module.VIDEO_SEGMENTATION, action="segment", text="", frames=self.frames)
        return RecordedPictures(frames=self.frames, job=job, result=ModuleResult(images=tuple(images)))

    def run(
        self, step: Step, target: Target | None, before: RecordedPictures | None, progress: Progress
    ) -> RecordedPictures:
        assert step.action is not None
        is_clip = len(self.frames) > 1 if step.is_clip is None else step.is_clip
        entry = module_for(step.action, is_clip=is_clip)
        frames = self._frames(target, before) if entry.input != "none" else ()
        frames = frames[:1] if entry.input == "image" else frames
        module, action, text = read_instructions(entry.module, [step.instruction])
        has_masks = before is not None and target is not None and before.phrase == target.phrase
        masks = before.result.masks[: len(frames)] if has_masks and before is not None else ()
        tracks = self._tracks.get(target.track_id, {}) if target is not None else {}
        boxes = {stamp_ns: track.box_xyxy for stamp_ns, track in tracks.items() if track.is_seen}
        job = ModuleJob(
            module=module,
            action=action,
            text=text,
            frames=frames,
            region=target.region if target is not None and not masks else None,
            boxes=tuple(boxes.get(frame.stamp_ns) for frame in frames) if boxes else (),
            masks=masks,
            seed=self.seed,
            settings=self.settings,
        )
        try:
            result = run_job(self._backend(entry.node), job, progress)
        except ModuleFailure as error:
            raise CommandFailure(Outcome.MODULE_ERROR, str(error)) from error
        late_ns = frames[0].stamp_ns - self.frames[0].stamp_ns if frames and before is None else 0
        if late_ns > 0 and is_clip:
            late = f"the recording shows it from {late_ns / SECOND_NS:.1f} s on, where the result begins"
            result = replace(result, message="; ".join(filter(None, (result.message, late))))
        return RecordedPictures(
            frames=_changed(frames, result), job=job, result=result, phrase=target.phrase if target is not None else ""
        )

    def play(self, pictures: RecordedPictures, progress: Progress) -> None:
        """The film that is written of a result shows it."""

    def _reply(self, text: str, progress: Progress) -> tuple[ModelReply, Frame]:
        """The model's reply, and the newest frame that it was given."""
        if read_intent(text).actions:  # something to find: in the first of these images that shows it
            views: Sequence[tuple[Frame, ...]] = [(frame,) for frame in self._looks()]
        else:
            spacing_ns = round(PipelineConfig().keyframe_period * SECOND_NS)
            views = [last_frames(self.frames, 1 if self.regions else self.model.max_frames, spacing_ns)]
        for index, frames in enumerate(views):
            progress.report(index / len(views))
            request = ModelRequest(
                id="ask", task=Task.ASK, frames=frames, text=text, regions=self.regions, min_score=self.min_score
            )
            reply = answers(self.model, [request])[0]
            if reply.status is not ReplyStatus.ABSENT:
                break
        return reply, frames[-1]

    def _looks(self) -> list[Frame]:
        count = len(self.frames)
        return [self.frames[index] for index in sorted({count * part // LOOKS for part in range(LOOKS)})]

    def _at(self, target: Target, stamp_ns: int, progress: Progress) -> Target:
        if target.stamp_ns == stamp_ns:
            return target
        followed = self.track(target.phrase, target, progress)
        track = self._tracks[followed.track_id].get(stamp_ns)
        if track is None or not track.is_seen:
            raise CommandFailure(Outcome.NOT_FOUND, f"{target.phrase} is lost before everything that was named is seen")
        return replace(followed, region=Region.from_box(track.box_xyxy), stamp_ns=stamp_ns)

    def _frames(self, target: Target | None, before: RecordedPictures | None) -> tuple[Frame, ...]:
        if before is not None and before.frames:
            return before.frames
        return self._from(target.stamp_ns if target is not None else 0)

    def _from(self, stamp_ns: int) -> tuple[Frame, ...]:
        return tuple(frame for frame in self.frames if frame.stamp_ns >= stamp_ns)

    def _backend(self, node: Node) -> ModuleBackend:
        if node not in self._loaded:
            self._loaded[node] = load_backend(node, self.backends.get(node, EMBEDDED), ModelRun())
        return self._loaded[node]


def _changed(frames: tuple[Frame, ...], result: ModuleResult) -> tuple[Frame, ...]:
    """The frames with the result's images in place of their own; frames of what was made from nothing."""
    if not result.images:
        return frames
    if len(frames) != len(result.images):
        period_ns = round(SECOND_NS / (result.frame_rate or 1.0))
        return tuple(
            Frame(rgb=image, stamp_ns=SECOND_NS + index * period_ns, index=index)
            for index, image in enumerate(result.images)
        )
    return tuple(replace(frame, rgb=image) for frame, image in zip(frames, result.images, strict=True))
