"""Running trackers over sequences for one-pass evaluation, and the scores that come out."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.evaluation import datasets
from vitron_ros.evaluation.metrics import visible_frames
from vitron_ros.tracking.box_tracker import BoxTracker, View


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One tracker's pass over one sequence.

    Attributes:
        boxes_xyxy: (T, 4) px; the first is the box that was given.
        scores: (T,); the first is 1.
        ms: (T,), CPU time of the tracker's thread, its view of the frame included, decoding excluded.
    """

    boxes_xyxy: Boxes
    scores: Boxes
    ms: Boxes

    @property
    def ms_per_frame(self) -> float:
        """The mean of `ms`."""
        return float(self.ms.mean())


def run_one_pass(trackers: Mapping[str, BoxTracker], sequence: datasets.Sequence) -> dict[str, Run]:
    """Each tracker over the whole sequence, all of them on each frame before the next is decoded.

    So a load that comes and goes on the machine falls on all alike. Each tracker has a view of its own.
    """
    boxes: dict[str, list[Boxes]] = {name: [sequence.boxes_xyxy[0]] for name in trackers}
    scores = {name: [1.0] for name in trackers}
    spent_ns: dict[str, list[int]] = {name: [] for name in trackers}
    for frame in sequence.frames():
        for name, tracker in trackers.items():
            begin_ns = time.thread_time_ns()
            view = View(frame)
            if frame.index == 0:
                tracker.start(view, sequence.boxes_xyxy[0])
            else:
                estimate = tracker.step(view)
                boxes[name].append(estimate.box_xyxy)
                scores[name].append(estimate.score)
            spent_ns[name].append(time.thread_time_ns() - begin_ns)
    return {
        name: Run(np.array(boxes[name]), np.array(scores[name]), np.array(spent_ns[name]) / 1e6) for name in trackers
    }


def evaluate(
    names: Sequence[str],
    make_tracker: Callable[[str], BoxTracker],
    sequences: Sequence[datasets.Sequence],
    on_frames: Callable[[int], object],
    on_run: Callable[[str, datasets.Sequence, Run], object] = lambda name, sequence, run: None,
) -> list[dict[str, Any]]:
    """Scores of each named tracker: means over the sequences, and those of every sequence under `sequences`.

    Frames without the target are shown to the tracker and counted as `frames_absent`; they are not scored.

    Args:
        on_frames: told how many frames are done with each sequence.
        on_run: told of each tracker's pass over each sequence.
    """
    scores: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for sequence in sequences:
        for name, run in run_one_pass({name: make_tracker(name) for name in names}, sequence).items():
            on_run(name, sequence, run)
            seen = sequence.is_visible
            predicted, true = run.boxes_xyxy[seen], sequence.boxes_xyxy[seen]
            scores[name][sequence.name] = {
                "auc": visible_frames.success_auc(predicted, true),
                "precision_20px": visible_frames.precision(predicted, true),
                "norm_precision": visible_frames.norm_precision(predicted, true),
                "ms_per_frame": run.ms_per_frame,
                "frames": len(sequence),
                "frames_absent": int((~seen).sum()),
            }
        on_frames(len(sequence))
    return [
        {
            "name": name,
            "mean_auc": _mean(by_sequence, "auc"),
            "precision_20px": _mean(by_sequence, "precision_20px"),
            "norm_precision": _mean(by_sequence, "norm_precision"),
            "ms_per_frame": _mean(by_sequence, "ms_per_frame"),
            "sequences": by_sequence,
        }
        for name, by_sequence in scores.items()
    ]


def _mean(by_sequence: Mapping[str, Mapping[str, float]], key: str) -> float:
    return float(np.mean([values[key] for values in by_sequence.values()]))
