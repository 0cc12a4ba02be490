"""The package from Python, without ROS: track targets, ask questions and give commands about a recording or webcam.

Boxes are x_min, y_min, x_max, y_max in pixels. A source is a video file, a folder of images, an image, a ROS 1 or ROS 2
bag, or the number of a webcam."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from vitron_ros.commands import chain
from vitron_ros.commands.chain import Reply
from vitron_ros.commands.conversation import Conversation
from vitron_ros.config import ModelRun, PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.module_registry import Node
from vitron_ros.modules.module import Progress
from vitron_ros.offline.export import write_csv, write_mot
from vitron_ros.offline.module_input import read_frames
from vitron_ros.offline.question import Answer, ask_about
from vitron_ros.offline.recorded_world import RecordedPictures, RecordedWorld
from vitron_ros.offline.track_stream import TrackResult, TrackStream
from vitron_ros.recordings.sources import open_source
from vitron_ros.region import Region
from vitron_ros.streaming import models
from vitron_ros.streaming.goals import TrackRequest

__all__ = [
    "Answer",
    "Reply",
    "TrackResult",
    "TrackStream",
    "ask",
    "do",
    "load_model",
    "track",
    "write_csv",
    "write_mot",
]

Model = str | Path | LanguageVision


def track(
    source: str | Path | int,
    *,
    boxes: ArrayLike = (),
    points: ArrayLike = (),
    prompts: str | Sequence[str] = (),
    max_targets: int | None = None,
    model: Model | None = None,
    tracker: str = "default",
    masks: bool = False,
    fps: float | None = None,
    topic: str | None = None,
) -> TrackStream:
    """Track targets; iterate over what this gives: one result for every image, as it comes.

    As in `vitron track`, each call of the model takes 0.2 s in the time of the recording, so results are repeatable.

    Args:
        boxes: (N, 4) px, targets in the first image.
        points: (N, 2) px, a point on each target of one colour.
        prompts: what to find and track, such as "the small red ring" or "all people".
        max_targets: of each prompt at most; None: one, or as many as the prompt says.
        model: finds prompts: a name, a folder, or what `load_model` gives; None: the bundled one, if there is a prompt.
        tracker: "default", "csrt", "kcf", "nano:FOLDER", "vit:FOLDER" or "sam2:FOLDER".
        masks: every target that is seen has a mask; the tracker must be "default" or "sam2:FOLDER".
        fps: images per second of a folder or webcam, or to assume instead of a video's own.
        topic: image topic of a bag that has several.

    Raises:
        ConfigError: nothing to track, no such tracker, `max_targets` below 1, or boxes or points of another shape.
        RegionError: a box or point lies outside the first image.
        SourceError: the source cannot be read.
        ModelError: the model cannot be loaded.
    """
    prompts = [prompts] if isinstance(prompts, str) else list(prompts)
    regions = [Region.from_box(box) for box in _rows(boxes, "boxes", 4)]
    regions += [Region.from_point(x, y) for x, y in _rows(points, "points", 2)]
    requests = [TrackRequest(region=region) for region in regions]
    requests += [TrackRequest(prompt=prompt, max_targets=max_targets) for prompt in prompts]
    if not requests:
        raise ConfigError("say what to track: give boxes, points or prompts")
    opened = open_source(str(source), fps=fps, topic=topic)
    for region in regions:
        region.bounding_box(opened.width, opened.height)
    if model is None and prompts:
        model = models.BUNDLED
    loaded = None if model is None else _loaded(model)
    return TrackStream(opened, requests, PipelineConfig(tracker=tracker, publish_masks=masks), loaded)


def ask(
    source: str | Path | int,
    text: str,
    *,
    at: float | None = None,
    regions: Sequence[ArrayLike | Region] = (),
    frames: int | None = None,
    min_score: float | None = None,
    model: Model = models.BUNDLED,
    fps: float | None = None,
    topic: str | None = None,
) -> Answer:
    """The model's answer to a question or command about an image or a moment of a recording.

    Args:
        at: s from the first image; None: the end.
        regions: what "this" means in that image: boxes (4,) px, or a `Region`.
        frames: images that the model is given at most; None: one with regions, else up to 8 over two seconds.
        min_score: below which the answer's status is UNSURE, 0 to 1; None: the node's default.
        model: a name as of `load_model`, or what that gives, which is quicker for more than one question.
        fps, topic: as for `track`.

    Raises:
        ConfigError: the text is empty or too long, `at` is not a valid time, or the model does not take so many.
        RegionError: a region lies outside the image.
        SourceError: the source cannot be read, or ends before `at`.
        ModelError: the model cannot be loaded.
    """
    marked = _regions(regions)
    opened = open_source(str(source), fps=fps, topic=topic)
    return ask_about(
        opened, text, _loaded(model), at_s=at, regions=marked, max_frames=frames, min_score=_least(min_score)
    )


def do(
    source: str | Path,
    text: str | Sequence[str],
    *,
    at: float | None = None,
    regions: Sequence[ArrayLike | Region] = (),
    min_score: float | None = None,
    model: Model = models.BUNDLED,
    backends: Mapping[Node, str] | None = None,
    seed: int = 0,
    fps: float | None = None,
    topic: str | None = None,
) -> Reply[RecordedPictures]:
    """Do what a sentence says with a picture or recording, as `vitron do`: track, cut out, remove, recolour, draw, ...

    Args:
        text: a sentence, which may ask for several things; or several sentences of one conversation.
        at: s from the first image, to work on that image alone; None: the whole recording.
        regions: what "this" means in the first image: boxes (4,) px, or a `Region`.
        min_score: below which nothing is done, 0 to 1; None: the node's default.
        model: finds things: a name as of `load_model`, or what that gives.
        backends: models of "segmentation", "editing" and "generation": folders or hub ids; else none is needed.
        seed: of what is drawn at random.
        fps, topic: as for `track`.

    Returns:
        The reply to the last sentence. `pictures` are the newest that were made and not undone, or else those on which
        what is followed is drawn: `pictures.shown` has `images`, `masks` and `boxes`.

    Raises:
        CommandFailure: something is not there, is refused, not understood or not sure enough, or a module fails.
        ConfigError, ModelError, RegionError, SourceError: as of `ask`.
        ModuleFailure: the recording is longer or larger than a module's node takes.
    """
    sentences = [text] if isinstance(text, str) else list(text)
    if not sentences:
        raise ConfigError("say what to do: give a sentence")
    if unknown := set(backends or ()) - set(get_args(Node)):
        raise ConfigError(f"backends has {', '.join(sorted(unknown))}; there are {', '.join(get_args(Node))}")
    marked = _regions(regions)
    frames = read_frames(str(source), fps=fps, topic=topic, at_s=at)
    for region in marked:
        region.bounding_box(frames[0].width, frames[0].height)
    world = RecordedWorld(
        frames=frames,
        load=lambda: _loaded(model),
        backends=backends or {},
        regions=marked,
        seed=seed,
        min_score=_least(min_score),
    )
    conversation: Conversation[RecordedPictures] = Conversation()
    replies = [chain.do(sentence, world, conversation, Progress()) for sentence in sentences]
    return replace(replies[-1], pictures=conversation.last_pictures or world.drawn())


def load_model(
    name: str | Path = models.BUNDLED,
    *,
    device: str = "cpu",
    backend: str = "auto",
    weights: str = "full",
    cache: str = "full",
) -> LanguageVision:
    """A model for `track` and `ask`: bundled, in a folder, of a hub id, behind an address, or several joined by " + ".

    Args:
        device: "cpu", "cuda" or "cuda:N".
        backend, weights, cache: as the options `--model-backend`, `--model-weights` and `--model-cache` of `vitron`.

    Raises:
        ConfigError: there is no such backend, or no such weights or cache.
        ModelError: there is no such model, or it cannot be read, or run as told.
    """
    return models.load_model(str(name), ModelRun(device=device, backend=backend, weights=weights, cache=cache))


def _loaded(model: Model) -> LanguageVision:
    return load_model(model) if isinstance(model, str | Path) else model


def _regions(values: Sequence[ArrayLike | Region]) -> tuple[Region, ...]:
    return tuple(
        item if isinstance(item, Region) else Region.from_box(_rows([np.asarray(item)], "regions", 4)[0])
        for item in values
    )


def _least(min_score: float | None) -> float:
    return PipelineConfig().model_min_score if min_score is None else min_score


def _rows(values: ArrayLike, name: str, columns: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values as (N, columns)."""
    try:
        rows = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name} must be numbers, (N, {columns}): {error}") from error
    if rows.size == 0:
        return np.zeros((0, columns))
    if rows.ndim != 2 or rows.shape[1] != columns:
        example = "[[230, 180, 320, 260]]" if columns == 4 else "[[320, 240]]"
        raise ConfigError(f"{name} must be (N, {columns}), such as {example}; this is {rows.shape}")
    return rows
