"""The streaming suite: long held-out clips on disk, with ground truth and phrases, for `vitron eval stream`.

Every clip is determined by the suite's seed and its own number; the random streams are those of neither training nor
validation clips. The parameters of a clip (number, seed, size and rate) are in its truth.json, so that an interrupted
suite is completed, and another suite in the same folder is refused.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from training.worlds.config import WorldConfig
from training.worlds.facts import YES, SceneView, image_view
from training.worlds.long_scene import ScenePlan, long_scene, plan_of, scene_at
from training.worlds.queries import AttributeQuery, Query, only_match
from training.worlds.query_sampling import QueryFamily, sample_query
from training.worlds.templates import kind_name, verbalize
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.metrics.long_term import hidden_spans
from vitron_ros.evaluation.stream_clips import (
    FRAME_NAME,
    TRUTH_FILE,
    StreamTarget,
    StreamTruth,
    load_clip,
    write_truth,
)
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings.output import write_bytes
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.degrade import sample_degradation
from vitron_ros.worlds.render import draw_scene
from vitron_ros.worlds.scene import Scene

SUITE_STREAM = 2  # random stream: training has 0 and validation 1
APPEARANCE_SEED = 1 << 42  # shares no surface or shade with training or validation
START_KEYFRAMES = 8  # 0.25 s apart: in these a phrase matches its target alone
KEYFRAME_S = 0.25
QUALITY = 92
FAMILIES: dict[QueryFamily, float] = {"attribute": 0.7, "superlative": 0.1, "relation": 0.12, "size": 0.08}
PHRASE_TRIES = 60
SCENE_TRIES = 40
CONFIG = WorldConfig(min_objects=4, max_objects=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Parameters of a suite.

    Attributes:
        size: width and height, px.
        seconds: shortest and longest clip.
    """

    seed: int = 0
    clips: int = 60
    size: tuple[int, int] = (256, 192)
    fps: float = 30.0
    seconds: tuple[float, float] = (10.0, 20.0)

    def __post_init__(self) -> None:
        if self.seed < 0 or self.clips < 1 or not 32 <= min(self.size) <= max(self.size) <= 4096:
            raise ConfigError(f"a suite needs a seed >= 0, a clip and a size of 32 to 4096 px a side, this is {self}")
        if not 5 <= self.fps <= 240 or not 4 <= self.seconds[0] <= self.seconds[1] <= 60:
            raise ConfigError(f"a suite has 5 to 240 frames a second and clips of 4 to 60 s, this is {self}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SuiteClip:
    """A clip that is not yet on disk."""

    scene: Scene
    clip: Clip
    plan: ScenePlan
    targets: tuple[StreamTarget, ...]


def render_suite(folder: Path, suite: Suite, *, workers: int = 1) -> Iterator[str]:
    """Renders missing clips; yields the name of each clip once it is complete.

    Raises:
        ConfigError: the folder holds clips of another suite.
        SourceError: a clip cannot be written, or one that is there cannot be read.
    """
    wanted = [index for index in range(suite.clips) if not _is_there(folder, suite, index)]
    yield from (clip_name(index) for index in range(suite.clips) if index not in wanted)
    if workers == 1:
        yield from (_render(folder, suite, index) for index in wanted)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(_render, [folder] * len(wanted), [suite] * len(wanted), wanted)


def clip_name(index: int) -> str:
    return f"clip-{index:03d}"


def compose(suite: Suite, index: int) -> SuiteClip:
    """The clip of that number, rendered.

    Raises:
        ConfigError: no scene of that seed begins with an object that a phrase identifies.
    """
    for attempt in range(SCENE_TRIES):
        rng = np.random.Generator(np.random.PCG64([suite.seed, SUITE_STREAM, index, attempt]))
        plan = plan_of(index, rng)
        frames = round(float(rng.uniform(*suite.seconds)) * suite.fps)
        scene = long_scene(frames, suite.fps, suite.size, plan, CONFIG, rng)
        seed = APPEARANCE_SEED + suite.seed * 1_000_003 + index
        start = _draw(suite, scene_at(scene, _start_frames(suite.fps)), seed)
        targets = _targets(start, plan, rng)
        if targets:
            return SuiteClip(scene=scene, clip=_draw(suite, scene, seed), plan=plan, targets=targets)
    raise ConfigError(f"clip {index} of seed {suite.seed} has no phrase that matches one object only; use another seed")


def truth_of(made: SuiteClip, fps: float) -> StreamTruth:
    clip = made.clip
    return StreamTruth(
        fps=fps,
        width=clip.width,
        height=clip.height,
        labels=tuple(
            kind_name(AttributeQuery(spec.shape, spec.colour, spec.size, spec.pattern)) for spec in clip.objects
        ),
        boxes_xyxy=clip.boxes_xyxy,
        full_boxes_xyxy=clip.full_boxes_xyxy,
        visible=clip.visible,
        targets=made.targets,
    )


def occlusions(made: SuiteClip, fps: float) -> list[dict[str, Any]]:
    """All occlusions of targets: object, first and last frame, and the cause.

    "exit": outside the image; "object": behind another; "post": behind the post.
    """
    clip, result = made.clip, []
    for target in made.targets:
        for first, last in hidden_spans(clip.visible[:, target.object], fps):
            frame = (first + last) // 2
            result.append({"object": target.object, "first": first, "last": last, "by": _cause(clip, target, frame)})
    return result


def summary(folder: Path, suite: Suite) -> dict[str, Any]:
    """Counts over a rendered suite."""
    documents = [
        json.loads((folder / clip_name(index) / TRUTH_FILE).read_text("utf-8")) for index in range(suite.clips)
    ]

    def clips_occluded(by: str) -> int:
        return sum(any(occlusion["by"] == by for occlusion in document["occlusions"]) for document in documents)

    frames = [len(document["objects"][0]["visible"]) for document in documents]
    return {
        "clips": len(documents),
        "seconds": round(sum(frames) / suite.fps, 1),
        "frames": sum(frames),
        "targets": sum(len(document["targets"]) for document in documents),
        "occlusions": sum(len(document["occlusions"]) for document in documents),
        "clips_with_occlusion": sum(bool(document["occlusions"]) for document in documents),
        "clips_behind_post": clips_occluded("post"),
        "clips_behind_object": clips_occluded("object"),
        "clips_with_exit": clips_occluded("exit"),
        "clips_with_distractor": sum(document["plan"]["has_distractor"] for document in documents),
        "clips_with_moving_camera": sum(document["plan"]["camera_moves"] for document in documents),
        "phrases_that_last": sum(target["lasts"] for document in documents for target in document["targets"]),
    }


def suite_sheet(folder: Path, clips: int, *, columns: int = 10, width: int = 128) -> NDArray[np.uint8]:
    """A row of pictures for each of the first clips, evenly over its time, (H, W, 3) uint8 RGB.

    The visible part of each target has a box; the phrase of the first is below.
    """
    rows = []
    colours = ((255, 0, 255), (0, 255, 255), (255, 255, 0), (0, 255, 0))
    for index in range(clips):
        clip = load_clip(folder / clip_name(index))
        scale = width / clip.truth.width
        cells = []
        for frame in np.linspace(0, len(clip) - 1, columns).round().astype(int):
            picture = cv2.imread(str(clip.paths[frame]), cv2.IMREAD_COLOR_RGB)
            if picture is None:
                raise SourceError(f"{clip.paths[frame]} is damaged; remove its clip and run the command again")
            image = cv2.resize(np.asarray(picture, np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for target, colour in zip(clip.truth.targets, colours, strict=False):
                box = clip.truth.boxes_xyxy[frame, target.object] * scale
                if np.isfinite(box).all():
                    x0, y0, x1, y1 = (round(float(value)) for value in box)
                    cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
            cells.append(image)
        band = np.full((16, width * columns, 3), 250, np.uint8)
        phrases = "; ".join(target.phrase for target in clip.truth.targets)
        cv2.putText(
            band, f"{clip.name}: {phrases}", (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (20, 20, 20), 1, cv2.LINE_AA
        )
        rows += [np.hstack(cells), band]
    return np.asarray(np.vstack(rows), np.uint8)


def _start_frames(fps: float) -> list[int]:
    return [round(number * KEYFRAME_S * fps) for number in range(START_KEYFRAMES)]


def _draw(suite: Suite, scene: Scene, seed: int) -> Clip:
    frames = len(scene.camera.zoom)
    rng = np.random.Generator(np.random.PCG64([seed, SUITE_STREAM, 1]))
    degradation = sample_degradation(frames, *suite.size, CONFIG.degrade, CONFIG.jpeg, rng)
    return draw_scene(scene, degradation, size=suite.size[::-1], split="val", seed=seed)


def _targets(start: Clip, plan: ScenePlan, rng: np.random.Generator) -> tuple[StreamTarget, ...]:
    """A phrase for each target that has one; none at all without one for the first."""
    found: list[StreamTarget] = []
    for index in range(plan.targets):
        target = _phrase(start, index, rng)
        if target is not None and target.phrase not in [other.phrase for other in found]:
            found.append(target)
        elif index == 0:
            return ()
    return tuple(found)


def _phrase(start: Clip, index: int, rng: np.random.Generator) -> StreamTarget | None:
    """A phrase that matches this object alone in the first keyframes; by attributes only if it does so throughout."""
    views = [image_view(start, frame) for frame in range(len(start.frames))]
    family = list(FAMILIES)[int(rng.choice(len(FAMILIES), p=list(FAMILIES.values())))]
    for _ in range(PHRASE_TRIES):
        query = sample_query(family, views[0], "val", rng)
        if any(only_match(query.truth(view)) != index for view in views):
            continue
        lasts = isinstance(query, AttributeQuery) and only_match(query.truth(_all_in_view(views[0]))) == index
        if lasts or not isinstance(query, AttributeQuery):
            return StreamTarget(phrase=_verbalize(query, rng), object=index, kind=family, lasts=lasts)
    return None


def _verbalize(query: Query, rng: np.random.Generator) -> str:
    return verbalize(query, "val", rng).text


def _all_in_view(view: SceneView) -> SceneView:
    """As if every object were visible, including later ones; sizes as in this view."""
    everywhere = np.full(len(view.objects), YES, np.int8)
    return SceneView(view.objects, everywhere, everywhere, view.centres, view.sizes, {})


def _cause(clip: Clip, target: StreamTarget, frame: int) -> str:
    x0, y0, x1, y1 = clip.full_boxes_xyxy[frame, target.object]
    left, top = max(0, int(x0)), max(0, int(y0))
    right, bottom = min(clip.width, int(x1)), min(clip.height, int(y1))
    inside = max(0, right - left) * max(0, bottom - top) / max((x1 - x0) * (y1 - y0), 1.0)
    if inside < 0.2:
        return "exit"
    shown = clip.instances[frame, top:bottom, left:right]
    return "object" if float((shown > 0).mean()) > 0.5 else "post"


def _parameters(suite: Suite, index: int) -> dict[str, Any]:
    """Parameters that must agree for a clip on disk to be this one. The number of clips may grow."""
    numbers = {"seed": suite.seed, "size": list(suite.size), "fps": suite.fps, "seconds": list(suite.seconds)}
    return {"number": index, "suite": numbers}


def _is_there(folder: Path, suite: Suite, index: int) -> bool:
    path = folder / clip_name(index) / TRUTH_FILE
    if not path.exists():
        return False
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read: {error}; remove {path.parent} and run the command again") from error
    parameters = _parameters(suite, index)
    if not isinstance(document, dict) or {key: document.get(key) for key in parameters} != parameters:
        raise ConfigError(f"{path.parent} is a clip of another suite; choose an empty folder, or remove it")
    return True


def _render(folder: Path, suite: Suite, index: int) -> str:
    cv2.setNumThreads(1)
    made = compose(suite, index)
    place = folder / clip_name(index)
    shutil.rmtree(place, ignore_errors=True)  # of an interrupted run
    for number, image in enumerate(made.clip.frames):
        write_bytes(place / "frames" / FRAME_NAME.format(number), encode_jpeg(image, QUALITY))
    parameters = _parameters(suite, index)
    write_truth(
        place, truth_of(made, suite.fps), **parameters, plan=asdict(made.plan), occlusions=occlusions(made, suite.fps)
    )
    return clip_name(index)
