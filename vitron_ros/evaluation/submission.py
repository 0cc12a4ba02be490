"""The archives that evaluation servers take, from the predictions of a run. The same predictions give the same bytes.

got10k       <sequence>/<sequence>_001.txt, x,y,w,h a line, and <sequence>/<sequence>_time.txt, seconds a line. One
             repeat, which the server takes of a tracker that always answers the same; those here do.
trackingnet  <sequence>.txt, x,y,w,h a line
vot          unsupervised/<sequence>/<sequence>_001.txt, a 1 and then x,y,w,h a line, and ..._001_time.value, seconds a
             line: the results of a tracker in a workspace of the VOT toolkit, for its experiment without restarts
davis        <video>/<frame>.png, label images with a palette
youtube-vos  Annotations/<video>/<frame>.png, the same
mot16, mot17, dancetrack
             <sequence>.txt, frame,id,x,y,w,h,1,-1,-1,-1 a line, frames and pixels from 1; of dancetrack in tracker/

Boxes of the first three are in the origin of the data set's own files, which the toolkits do not shift.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.datasets.labels import write_labels
from vitron_ros.evaluation.mask_rows import mask_from_json
from vitron_ros.evaluation.predictions import Row, Run
from vitron_ros.recordings.output import write_bytes

EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP file can say

Files = Iterator[tuple[str, str | bytes]]


@dataclass(frozen=True, slots=True)
class Server:
    """What a server takes.

    Attributes:
        splits: of the data set.
        files: name and content, from the row of a sample and its milliseconds.
    """

    splits: tuple[str, ...]
    files: Callable[[Row, list[float]], Files]


def write_submission(run: Run, path: Path) -> int:
    """Write the archive for the run's suite; gives the number of sequences in it.

    Raises:
        PredictionError: no server is known for the suite, it takes another split, or a sequence failed.
        ConfigError: Pillow, which writes label images, is not installed.
        SourceError: the archive cannot be written.
    """
    suite, split = run.header.suite, run.header.settings["split"]
    if suite not in SERVERS:
        raise PredictionError(f"the truth of {suite} is with no server; archives are for {', '.join(SERVERS)}")
    server = SERVERS[suite]
    if split not in server.splits:
        wanted = " or ".join(server.splits)
        raise PredictionError(f"the server of {suite} takes the split {wanted}, and this run is of {split}; run that")
    if run.failed:
        raise PredictionError(f"{', '.join(run.failed)} failed, and the server wants all; run with --retry-failed")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in run.rows:
            for name, content in server.files(row, run.ms[row["name"]]):
                archive.writestr(zipfile.ZipInfo(name, EARLIEST), content, zipfile.ZIP_DEFLATED)
    write_bytes(path, file.getvalue())
    return len(run.rows)


def _got10k(row: Row, ms: list[float]) -> Files:
    name = row["name"]
    yield f"{name}/{name}_001.txt", _box_lines(row)
    yield f"{name}/{name}_time.txt", _seconds(ms)


def _trackingnet(row: Row, ms: list[float]) -> Files:
    yield f"{row['name']}.txt", _box_lines(row)


def _vot(row: Row, ms: list[float]) -> Files:
    stem = f"unsupervised/{row['name']}/{row['name']}_001"
    _, later = _box_lines(row).split("\n", 1)
    yield f"{stem}.txt", f"1\n{later}"  # where the tracker is given the box
    yield f"{stem}_time.value", _seconds(ms)


def _davis(row: Row, ms: list[float]) -> Files:
    objects = {int(number): masks for number, masks in row["masks"].items()}
    for index, frame in enumerate(row["frames"]):
        own = {number: masks[index] for number, masks in objects.items() if masks[index] is not None}
        where = f"{row['name']}, frame {frame}"
        shown = {number: mask_from_json(mask, where) for number, mask in own.items()}
        size = next((mask["size"] for masks in objects.values() for mask in masks if mask is not None), None)
        if size is None:
            raise PredictionError(f"{row['name']} has no mask of any object; run it again")
        labels = np.zeros(size, np.uint8)
        for number, mask in shown.items():
            labels[mask] = number
        yield f"{row['name']}/{frame}.png", write_labels(labels)


def _youtube_vos(row: Row, ms: list[float]) -> Files:
    for name, content in _davis(row, ms):
        yield f"Annotations/{name}", content


def _mot(row: Row, ms: list[float]) -> Files:
    lines = [
        f"{frame},{number},{x + 1:.2f},{y + 1:.2f},{width:.2f},{height:.2f},1,-1,-1,-1\n"
        for frame, tracks in enumerate(row["tracks"], 1)
        for number, x, y, width, height in tracks
    ]
    yield f"{row['name']}.txt", "".join(lines)


def _dancetrack(row: Row, ms: list[float]) -> Files:
    for name, content in _mot(row, ms):
        yield f"tracker/{name}", content


def _box_lines(row: Row) -> str:
    return "".join(",".join(f"{value:.4f}" for value in box) + "\n" for box in row["predicted_ltwh"])


def _seconds(ms: list[float]) -> str:
    return "".join(f"{value / 1000:.8f}\n" for value in ms)


SERVERS = {
    "got10k": Server(("test",), _got10k),
    "trackingnet": Server(("test",), _trackingnet),
    "vot": Server(("all",), _vot),
    "mot16": Server(("test",), _mot),
    "mot17": Server(("test",), _mot),
    "dancetrack": Server(("test",), _dancetrack),
    "davis": Server(("test-dev", "test-challenge"), _davis),
    "youtube-vos": Server(("valid", "test"), _youtube_vos),
}
