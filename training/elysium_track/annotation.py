"""One video to the tracks of what its caption names, and what was dropped on the way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.elysium_track import filters
from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.clips import key_frames, largest_change, perceptual_hash, read_clip
from training.elysium_track.detections import Detections, detect
from training.elysium_track.filters import NamedTrack, PhraseFault, VideoFault
from training.elysium_track.noun_phrases import FindPhrases, NounPhrase
from training.elysium_track.settings import Settings
from training.elysium_track.trajectories import MakeTracker, Trajectory, track, track_backwards
from vitron_ros.boxes import Boxes
from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.tracking.box_tracker import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What videos are annotated with."""

    find_phrases: FindPhrases
    model: LanguageVision
    make_tracker: MakeTracker


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DroppedPhrase:
    """A phrase that was dropped.

    Attributes:
        detected_xyxy: (3, 4) px in the first, middle and last frame; NaN where nothing was detected, or looked for.
        tracked_xyxy: (3, 4) px there; NaN where nothing was tracked.
    """

    text: str
    fault: PhraseFault
    detected_xyxy: Boxes
    tracked_xyxy: Boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Annotation:
    """What a video gave.

    Attributes:
        fault: why it was not looked at further; None: it was.
        message: of a broken video.
        frames: that were looked at; empty where none of its tracks is kept.
        hashes: perceptual hashes of the first, middle and last frame; empty where it was not looked at.
    """

    video: CaptionedVideo
    fault: VideoFault | None = None
    message: str = ""
    frames: Sequence[Frame] = ()
    hashes: tuple[int, ...] = ()
    tracks: tuple[NamedTrack, ...] = ()
    dropped: tuple[DroppedPhrase, ...] = ()


def annotate(video: CaptionedVideo, tools: Tools, settings: Settings) -> Annotation:
    """The tracks of a video.

    Raises:
        ModelError: the model fails, which is not the fault of a video.
    """
    if not video.caption:
        return Annotation(video=video, fault="no caption")
    phrases = tools.find_phrases(video.caption)
    dropped = [_dropped(phrase, phrase.unusable) for phrase in phrases if phrase.unusable]
    usable = [phrase for phrase in phrases if not phrase.unusable]
    if not usable:
        return Annotation(video=video, fault="no usable phrase", dropped=tuple(dropped))
    try:
        frames = read_clip(video.path, settings)
    except SourceError as error:
        return Annotation(video=video, fault="broken", message=str(error))
    if len(frames) < settings.min_frames:
        return Annotation(video=video, fault="too short", dropped=tuple(dropped))
    if largest_change(frames) > settings.max_cut:
        return Annotation(video=video, fault="cut", dropped=tuple(dropped))
    keys = key_frames(len(frames))
    views = [View(frame) for frame in frames]
    outcomes = [
        _follow(phrase, found, views, keys, tools, settings)
        for phrase, found in zip(usable, _detect(tools, frames, keys, usable), strict=True)
    ]
    tracks = [outcome for outcome in outcomes if isinstance(outcome, NamedTrack)]
    dropped += [outcome for outcome in outcomes if isinstance(outcome, DroppedPhrase)]
    again = filters.duplicates(tracks, settings)
    dropped += [
        _dropped(one.phrase, "duplicate phrase", tracked=one.boxes_xyxy[list(keys)])
        for place, one in enumerate(tracks)
        if place in again
    ]
    kept = tuple(one for place, one in enumerate(tracks) if place not in again)
    return Annotation(
        video=video,
        frames=frames if kept else (),
        hashes=tuple(perceptual_hash(frames[key]) for key in keys),
        tracks=kept,
        dropped=tuple(dropped),
    )


def _detect(
    tools: Tools, frames: Sequence[Frame], keys: Sequence[int], phrases: Sequence[NounPhrase]
) -> list[Detections]:
    return detect(tools.model, [frames[key] for key in keys], [phrase.text for phrase in phrases])


def _follow(
    phrase: NounPhrase,
    found: Detections,
    views: Sequence[View],
    keys: Sequence[int],
    tools: Tools,
    settings: Settings,
) -> NamedTrack | DroppedPhrase:
    frame = views[0].frame
    fault = filters.detection_fault(found, frame.width, frame.height, settings)
    if fault is not None:
        return _dropped(phrase, fault, found)
    forwards = track(tools.make_tracker, views, found.boxes_xyxy[0])
    fault = filters.track_fault(forwards, found, keys, settings)
    if fault is None and not _is_reversible(forwards, found, views, tools, settings):
        fault = "not reversible"
    if fault is not None:
        return _dropped(phrase, fault, found, forwards.boxes_xyxy[list(keys)])
    return NamedTrack(phrase, forwards.boxes_xyxy)


def _is_reversible(
    forwards: Trajectory, found: Detections, views: Sequence[View], tools: Tools, settings: Settings
) -> bool:
    backwards = track_backwards(tools.make_tracker, views, found.boxes_xyxy[-1])
    return filters.is_reversible(forwards, backwards, settings)


def _dropped(
    phrase: NounPhrase, fault: PhraseFault, found: Detections | None = None, tracked: Boxes | None = None
) -> DroppedPhrase:
    nowhere = np.full((3, 4), np.nan)
    detected = nowhere if found is None else found.boxes_xyxy
    return DroppedPhrase(
        text=phrase.text,
        fault=fault,
        detected_xyxy=detected,
        tracked_xyxy=nowhere if tracked is None else tracked,
    )
