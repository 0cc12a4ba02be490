"""Runs a suite: each missing sequence is predicted in a process or on a cluster, and its row put on the disk."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vitron_ros import __version__
from vitron_ros.boxes import Boxes
from vitron_ros.errors import VitronError
from vitron_ros.evaluation import datasets, fingerprint
from vitron_ros.evaluation.execution import Execute
from vitron_ros.evaluation.phrase_rows import model_folders, predict_phrase
from vitron_ros.evaluation.predictions import Header, Milliseconds, Row, Run, write_run
from vitron_ros.evaluation.suite import Suite
from vitron_ros.evaluation.tracking_rows import predict


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One sequence and what it is to be predicted with; it can be sent to another process."""

    settings: Mapping[str, str]
    sequence: datasets.Sequence


Result = tuple[Row, Milliseconds]


def run_suite(
    suite: Suite,
    data: Path,
    settings: Mapping[str, str],
    folder: Path,
    execute: Execute,
    *,
    retry_failed: bool = False,
    on_frames: Callable[[int, int], object] = lambda done, all_of_them: None,
) -> Run:
    """The finished run of a suite in a folder; what is there already is not done again.

    Args:
        settings: `split` of the data set, `tracker`, and those of a model, see `phrase_rows.py`.
        execute: see `execution.py`.
        retry_failed: sequences that failed before are done again.
        on_frames: told of how many frames are done since the last time, and how many there are.

    Raises:
        SourceError: the data cannot be read, or the folder not be made.
        PredictionError: the folder holds a run of something else, or cannot be written.
    """
    sequences = {sequence.name: sequence for sequence in suite.load(data, settings["split"])}
    frames = sum(map(len, sequences.values()))
    with write_run(folder, header_of(suite, settings, sequences.values()), retry_failed=retry_failed) as run:
        missing = [sequences[name] for name in run.missing]
        on_frames(frames - sum(map(len, missing)), frames)
        longest_first = sorted(missing, key=lambda sequence: -len(sequence))
        for row, ms in execute(run_task, [Task(settings, sequence) for sequence in longest_first]):
            run.append(row, ms)
            on_frames(len(sequences[row["name"]]), frames)
        return run.finish()


def header_of(suite: Suite, settings: Mapping[str, str], sequences: Collection[datasets.Sequence]) -> Header:
    """What a run of these sequences is made with."""
    return Header(
        suite=suite.name,
        settings=dict(settings),
        code_hash=fingerprint.code_hash(),
        settings_hash=fingerprint.settings_hash(settings, model_folders(settings)),
        data_hash=fingerprint.data_hash((one.name, one.paths, _truth(one)) for one in sequences),
        version=__version__,
        commit=fingerprint.commit(),
        libraries=fingerprint.library_versions(),
        names=tuple(one.name for one in sequences),
    )


def _truth(sequence: datasets.Sequence) -> Boxes:
    annotated = sequence.annotated_xyxy
    return sequence.boxes_xyxy if annotated is None else np.concatenate([sequence.boxes_xyxy, annotated])


def run_task(task: Task) -> Result:
    """The row of a sequence; that of a failure where its images, the tracker or OpenCV fail."""
    cv2.setNumThreads(1)
    try:
        return (predict_phrase if "model" in task.settings else predict)(task.settings, task.sequence)
    except (VitronError, cv2.error) as error:
        return {"name": task.sequence.name, "error": f"{type(error).__name__}: {error}"}, []
