"""Rows of referring tracking (RSOT): the pipeline is told what the target is, and no box."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from vitron_ros.config import ModelRun, PipelineConfig
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.one_pass import Run
from vitron_ros.evaluation.predictions import Milliseconds, Row
from vitron_ros.evaluation.stream_clips import clip_of_sequence
from vitron_ros.evaluation.stream_modes import follow
from vitron_ros.evaluation.tracking_rows import tracking_row
from vitron_ros.grounding.families import check_config, is_address
from vitron_ros.grounding.families.composite import part_names
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.recordings.sources import DEFAULT_FPS
from vitron_ros.streaming.models import load_model

MODEL_LATENCY_S = 0.2  # of each call, in the time of the video, as in `vitron track`


def predict_phrase(settings: Mapping[str, str], sequence: Sequence) -> tuple[Row, Milliseconds]:
    """The row of the pipeline with a model and a tracker; null where it shows no box. It has no milliseconds.

    Args:
        settings: `tracker`, `model`, and how that is run: `device`, `backend`, `weights`, `cache`.

    Raises:
        SourceError: an image cannot be read, or the sequence has no sentence.
        ModelError: the model cannot be loaded.
    """
    if not sequence.language:
        raise SourceError(f"{sequence.name} has no sentence that says what its target is")
    clip = clip_of_sequence(sequence, DEFAULT_FPS)
    target = replace(clip.truth.targets[0], phrase=sequence.language)
    clip = replace(clip, truth=replace(clip.truth, targets=(target,)))
    config = PipelineConfig(tracker=settings["tracker"])
    (published,) = follow("full", clip, config, _model(tuple(settings.items())), MODEL_LATENCY_S)
    scores = np.isfinite(published.boxes_xyxy).all(axis=1).astype(float)
    row, _ = tracking_row(sequence, Run(published.boxes_xyxy, scores, np.empty(0)))
    return row, []


def model_folders(settings: Mapping[str, str]) -> list[Path]:
    """The folders with the weights of the model, which is fetched if need be; a server has none.

    Raises:
        ModelError: there is no such model.
    """
    from vitron_ros.model.checkpoint import find_checkpoint

    parts = part_names(settings["model"]) if "model" in settings else ()
    return [find_checkpoint(part, check_config) for part in parts if not is_address(part)]


@lru_cache(maxsize=1)
def _model(settings: tuple[tuple[str, str], ...]) -> LanguageVision:
    values = dict(settings)
    return load_model(
        values["model"], ModelRun(**{key: values[key] for key in ("device", "backend", "weights", "cache")})
    )
