"""Runs a suite: each missing sample is predicted in a process or on a cluster, and its row put on the disk."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from vitron_ros import __version__
from vitron_ros.errors import VitronError
from vitron_ros.evaluation import fingerprint
from vitron_ros.evaluation.execution import Execute
from vitron_ros.evaluation.predictions import Header, Result, Run, write_run
from vitron_ros.evaluation.run_settings import settings_folders
from vitron_ros.evaluation.suite import Suite, find_suite

PICTURES = 1000  # at most, of large data sets


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One sample of a suite and what it is to be predicted with; it can be sent to another process."""

    suite: str
    settings: Mapping[str, str]
    record: Any
    is_drawn: bool

    @property
    def name(self) -> str:
        return str(self.record.name)


def run_suite(
    suite: Suite,
    data: Path,
    settings: Mapping[str, str],
    folder: Path,
    execute: Execute,
    *,
    limit: int | None = None,
    retry_failed: bool = False,
    on_done: Callable[[int, int], object] = lambda done, all_of_them: None,
) -> Run:
    """The finished run of a suite in a folder; what is there already is not done again.

    Args:
        settings: `split` of the data set, and those that the suite's task has as inputs.
        execute: see `execution.py`.
        limit: the first so many samples of the split; None: all.
        retry_failed: samples that failed before are done again.
        on_done: told of how much is done since the last time, and how much there is, in units of the task.

    Raises:
        ConfigError: no sample could be predicted with such settings.
        SourceError: the data cannot be read, or the folder not be made.
        PredictionError: the folder holds a run of something else, or cannot be written.
    """
    suite.task.check(settings)
    records = {record.name: record for record in suite.dataset.read(data, settings["split"])[:limit]}
    drawn = {name for place, name in enumerate(records) if place % math.ceil(len(records) / PICTURES) == 0}
    sizes = {name: suite.task.size(record) for name, record in records.items()}
    with write_run(folder, header_of(suite, settings, records.values()), retry_failed=retry_failed) as run:
        on_done(sum(sizes[name] for name in run.done), sum(sizes.values()))
        longest_first = sorted(run.missing, key=lambda name: -sizes[name])
        items = [Item(suite.name, settings, records[name], name in drawn) for name in longest_first]
        for row, ms in execute(run_item, items):
            run.append(row, ms)
            on_done(sizes[row["name"]], sum(sizes.values()))
        return run.finish()


def header_of(suite: Suite, settings: Mapping[str, str], records: Collection[Any]) -> Header:
    """What a run of these records is made with."""
    task = suite.task
    return Header(
        suite=suite.name,
        settings=dict(settings),
        code_hash=fingerprint.code_hash(),
        settings_hash=fingerprint.settings_hash(settings, settings_folders(settings)),
        data_hash=fingerprint.data_hash((one.name, task.files(one), task.truth(one)) for one in records),
        version=__version__,
        commit=fingerprint.commit(),
        libraries=fingerprint.library_versions(),
        names=tuple(one.name for one in records),
    )


def run_item(item: Item) -> Result:
    """The row of a sample; that of a failure where its images, the tracker, the model or OpenCV fail."""
    cv2.setNumThreads(1)
    try:
        return find_suite(item.suite).task.predict(item.settings, item.record, is_drawn=item.is_drawn)
    except (VitronError, cv2.error) as error:
        return {"name": item.name, "error": f"{type(error).__name__}: {error}"}, []
