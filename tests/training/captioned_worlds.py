"""Captioned videos of the worlds, good ones and planted faults, and a detector that knows what they show."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tests.fakes import said
from training.elysium_track.clips import key_frames, read_clip
from training.elysium_track.settings import Settings
from training.worlds.config import WorldConfig
from training.worlds.make_clip import make_clip
from vitron_ros.frame import Image
from vitron_ros.grounding.request import LanguageVision, ModelDescription, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.recordings.video_writer import VideoWriter
from vitron_ros.worlds.clip import Clip

FPS = 8
FRAMES = 16
SIZE = (120, 160)
WORLD = WorldConfig(min_objects=2, max_objects=2, distractor=0.0, camera_motion=0.0, post=0.0, degrade=0.0, jpeg=0.0)


SEEDS = (
    5, 17, 20, 32, 37, 42, 43, 46, 48, 50, 60, 80, 81, 88, 94, 107, 109, 111, 113, 120, 121, 129, 131, 134, 144, 150,
    165, 169, 176, 184, 188, 189, 190, 193, 202, 203, 215, 217, 220, 222, 223, 224, 235, 239, 249, 260,
)  # fmt: skip
"""Of clips whose two objects stay whole, are neither small nor alike, and have different shapes and colours."""


def scene(number: int) -> Clip:
    return make_clip(SEEDS[number], frames=FRAMES, size=SIZE, config=WORLD)


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


@dataclass(frozen=True)
class Planted:
    """A folder of captioned videos, and what should become of them.

    Attributes:
        kept: file and phrase of each track that should be kept.
        phrases: file, phrase and reason of each that should be dropped.
        videos: file and reason of each video that should not be looked at.
    """

    folder: Path
    model: TruthModel
    kept: set[tuple[str, str]]
    phrases: set[tuple[str, str, str]]
    videos: set[tuple[str, str]]


class _Planter:
    def __init__(self, folder: Path) -> None:
        self.folder, self.truth, self.captions, self.number = folder, Truth(), {}, 0
        self.kept: set[tuple[str, str]] = set()
        self.phrases: set[tuple[str, str, str]] = set()
        self.videos: set[tuple[str, str]] = set()

    def scene(self) -> Clip:
        self.number += 1
        return scene(self.number - 1)

    def video(self, file: str, frames: Sequence[Image], caption: str) -> Path:
        self.captions[file] = caption
        return write_clip(self.folder / file, frames)

    def good(self, file: str) -> Clip:
        """A video that shows what its caption names."""
        clip = self.scene()
        path = self.video(file, clip.frames, f"A {name(clip, 0)} and a {name(clip, 1)}.")
        for number in (0, 1):
            self.truth.add_object(path, clip, number)
            self.kept.add((file, name(clip, number)))
        return clip

    def faulty(self, file: str, fault: str) -> None:
        """A video of which one phrase, or all, should be dropped for that reason; what else it names is kept."""
        clip = self.scene()
        first, second = name(clip, 0), name(clip, 1)
        frames, caption, keys = list(clip.frames), f"A {first} and a {second}.", key_frames(len(clip.frames))
        boxes = [[clip.boxes_xyxy[key, 0]] for key in keys]
        dropped, is_whole_video = first, False
        if fault == "disagreement":  # the tracker follows the first object, the detector ends at the second
            boxes[2] = [clip.boxes_xyxy[keys[2], 1]]
        elif fault == "not detected":
            dropped, caption = "silver bottle", caption.replace(".", " and a silver bottle.")
        elif fault == "ambiguous":
            boxes[0] += [clip.boxes_xyxy[keys[0], 1]]
        elif fault == "size":
            boxes[1] = [(0, 0, clip.width, clip.height)]
        elif fault == "duplicate phrase":
            dropped = clip.objects[0].shape
            caption = f"A {first}; the {dropped} and a {second}."
        elif fault == "plural":
            dropped = "two old dogs"
            caption = f"A {first}, a {second} and two old dogs."
        elif fault == "abstract":
            dropped, caption = "sunset", f"A {first} and a {second} at sunset."
        elif fault == "track score":  # it vanishes; the detector says that it is where it was
            frames = [clip.frames[0]] * 4 + [_without(clip, 0, frame) for frame in range(4, len(frames))]
            boxes = [[clip.boxes_xyxy[0, 0]]] * 3
        elif fault == "cut":
            frames, is_whole_video = [*frames[:8], *(255 - frame for frame in frames[8:])], True
        elif fault == "too short":
            frames, is_whole_video = frames[:5], True
        elif fault == "no caption":
            caption, is_whole_video = "", True
        elif fault == "no usable phrase":
            caption, is_whole_video = "Three happy friends at sunset.", True
        elif fault == "broken":
            is_whole_video = True
        path = self.video(file, frames, caption)
        if fault == "broken":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        if is_whole_video:
            self.videos.add((file, fault))
            return
        self.truth.add(path, first, boxes)
        if fault == "duplicate phrase":
            self.truth.add(path, dropped, boxes)
        self.truth.add_object(path, clip, 1)
        self.phrases.add((file, dropped, fault))
        self.kept |= {(file, phrase) for phrase in (first, second) if phrase != dropped}

    def copy(self, file: str, clip: Clip) -> None:
        """A smaller copy of a video that is there."""
        small = [np.asarray(cv2.resize(frame, (128, 96), interpolation=cv2.INTER_AREA)) for frame in clip.frames]
        path = self.video(file, small, f"A {name(clip, 0)} and a {name(clip, 1)}.")
        for number in (0, 1):
            boxes = [[clip.boxes_xyxy[key, number] * 0.8] for key in key_frames(len(small))]
            self.truth.add(path, name(clip, number), boxes)
            self.phrases.add((file, name(clip, number), "duplicate video"))


def _without(clip: Clip, number: int, frame: int) -> Image:
    """A frame in which an object is painted over with what is around it, as it was in the first frame."""
    mask = np.where(clip.instances[0] == number + 1, 255, 0).astype(np.uint8)
    mask |= np.where(clip.instances[frame] == number + 1, 255, 0).astype(np.uint8)
    return np.asarray(
        cv2.inpaint(clip.frames[frame], cv2.dilate(mask, np.ones((7, 7), np.uint8)), 3, cv2.INPAINT_TELEA)
    )


PHRASE_FAULTS = (
    "disagreement", "not detected", "ambiguous", "size", "duplicate phrase", "plural", "abstract", "track score",
)  # fmt: skip
VIDEO_FAULTS = ("cut", "too short", "no caption", "no usable phrase", "broken")


def plant(folder: Path, good: int, faults: Sequence[str], copies: int = 1) -> Planted:
    """Videos with captions.jsonl: so many good ones, one for each of the faults, and copies of good ones."""
    planter = _Planter(folder)
    clips = [planter.good(f"good/{number}.mp4") for number in range(good)]
    for number, fault in enumerate(faults):
        planter.faulty(f"{fault.replace(' ', '_')}-{number}.mp4", fault)
    for number in range(copies):
        planter.copy(f"with_copy/{number}.mp4", clips[number])
    lines = [json.dumps({"file": file, "caption": caption}) for file, caption in planter.captions.items()]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    model = planter.truth.write(folder / "truth.json")
    return Planted(folder, model, planter.kept, planter.phrases, planter.videos)
