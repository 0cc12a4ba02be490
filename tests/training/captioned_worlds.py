"""Captioned videos of the worlds, good ones and planted faults, and a detector that knows what they show."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fakes import said
from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.clips import key_frames, read_clip
from training.elysium_track.settings import Settings
from training.worlds.config import WorldConfig
from training.worlds.make_clip import make_clip
from vitron_ros.frame import Image
from vitron_ros.grounding.request import LanguageVision, ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.recordings.video_writer import VideoWriter
from vitron_ros.worlds.clip import Clip

FPS = 8
FRAMES = 24
SIZE = (120, 160)
WORLD = WorldConfig(min_objects=2, max_objects=2, distractor=0.0, camera_motion=0.0, post=0.0, degrade=0.0, jpeg=0.0)


def scenes(count: int, first_seed: int = 0) -> list[Clip]:
    """Clips of two objects of different shapes and colours that stay whole and apart, and are neither small nor large."""
    found, seed = [], first_seed
    while len(found) < count:
        clip = make_clip(seed, frames=FRAMES, size=SIZE, config=WORLD)
        seed += 1
        one, other = clip.objects
        sides = clip.boxes_xyxy[..., 2:] - clip.boxes_xyxy[..., :2]
        if clip.visible.min() > 0.99 and one.shape != other.shape and one.colour != other.colour and sides.min() > 16:
            found.append(clip)
    return found


def name(clip: Clip, number: int) -> str:
    return f"{clip.objects[number].colour} {clip.objects[number].shape}"


def write_clip(path: Path, frames: Sequence[Image]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, FPS, (frames[0].shape[1], frames[0].shape[0])) as writer:
        for index, frame in enumerate(frames):
            writer.write(frame, 1_000_000_000 + index * 1_000_000_000 // FPS)
    return path


class Truth:
    """What videos show in their key frames: by frame and phrase, the boxes (N, 4) px, best first."""

    def __init__(self) -> None:
        self.boxes: dict[str, dict[str, list[list[float]]]] = {}

    def add(self, video: Path, phrase: str, boxes: Sequence[Sequence[Sequence[float]]]) -> None:
        """What a phrase means in each of the three key frames of a video."""
        frames = read_clip(video, Settings())
        for key, shown in zip(key_frames(len(frames)), boxes, strict=True):
            rows = [[float(value) for value in box] for box in shown]
            self.boxes.setdefault(digest(frames[key].rgb), {})[phrase] = rows

    def add_object(self, video: Path, clip: Clip, number: int, phrase: str | None = None) -> None:
        keys = key_frames(len(clip.frames))
        self.add(video, phrase or name(clip, number), [[clip.boxes_xyxy[key, number]] for key in keys])

    def write(self, path: Path) -> "TruthModel":
        path.write_text(json.dumps(self.boxes))
        return TruthModel(path)


def digest(rgb: Image) -> str:
    return hashlib.sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class TruthModel:
    """A `ModelSource` of a detector that knows what is in a file of truth."""

    path: Path

    def load(self) -> LanguageVision:
        return _Detector(json.loads(self.path.read_text()))

    def fingerprint(self) -> str:
        return "truth"


class _Detector:
    max_frames, max_requests, min_score = 1, 8, None
    tasks, uses_newest_frame_only = frozenset([Task.FIND]), True

    def __init__(self, boxes: dict[str, dict[str, list[list[float]]]]) -> None:
        self._boxes = boxes

    def describe(self) -> ModelDescription:
        return ModelDescription(
            name="truth", family="truth", tasks=self.tasks, parameters=0, memory_bytes=0, device="cpu"
        )

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        return [self._found(request) for request in requests]

    def _found(self, request: ModelRequest) -> ModelReply:
        boxes = self._boxes.get(digest(request.frames[-1].rgb), {}).get(request.text)
        if not boxes:
            return said(request, ReplyStatus.ABSENT)
        candidates = np.array(boxes)
        return ModelReply(
            id=request.id,
            task=request.task,
            status=ReplyStatus.OK,
            boxes_xyxy=candidates[:1],
            candidates_xyxy=candidates,
            candidate_scores=np.full(len(candidates), 0.9),
            score=0.9,
        )


def captioned(folder: Path, file: str, caption: str) -> CaptionedVideo:
    return CaptionedVideo(folder, file, caption)
