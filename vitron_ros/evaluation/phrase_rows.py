"""Rows of referring tracking (RSOT): the pipeline is told what the target is, and no box."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from vitron_ros.config import PipelineConfig
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets import Sequence
from vitron_ros.evaluation.one_pass import Run
from vitron_ros.evaluation.predictions import Result
from vitron_ros.evaluation.run_settings import model_of
from vitron_ros.evaluation.stream_clips import clip_of_sequence
from vitron_ros.evaluation.stream_modes import follow
from vitron_ros.evaluation.tracking_rows import tracking_row
from vitron_ros.recordings.frame_rates import DEFAULT_FPS

MODEL_LATENCY_S = 0.2  # of each call, in the time of the video, as in `vitron track`


def predict_phrase(settings: Mapping[str, str], sequence: Sequence, *, is_drawn: bool) -> Result:
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
    (published,) = follow("full", clip, config, model_of(settings), MODEL_LATENCY_S)
    scores = np.isfinite(published.boxes_xyxy).all(axis=1).astype(float)
    row, _ = tracking_row(sequence, Run(published.boxes_xyxy, scores, np.empty(0)), is_drawn=is_drawn)
    return row, []
