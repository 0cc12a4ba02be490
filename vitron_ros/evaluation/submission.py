"""The archives that evaluation servers take, from the predictions of a run. The same predictions give the same bytes.

got10k       <sequence>/<sequence>_001.txt, x,y,w,h a line, and <sequence>/<sequence>_time.txt, seconds a line. One
             repeat, which the server takes of a tracker that always answers the same; those here do.
trackingnet  <sequence>.txt, x,y,w,h a line

Boxes are in the origin of the data set's own files, which neither toolkit shifts.
"""

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.predictions import Row, Run
from vitron_ros.recordings.output import write_bytes

EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP file can say

Files = Iterator[tuple[str, str]]


def write_submission(run: Run, path: Path) -> int:
    """Write the archive for the run's suite; gives the number of sequences in it.

    Raises:
        PredictionError: no server is known for the suite, it takes another split, or a sequence failed.
        SourceError: the archive cannot be written.
    """
    suite, split = run.header.suite, run.header.settings["split"]
    if suite not in SERVERS:
        raise PredictionError(f"the truth of {suite} is with no server; archives are for {', '.join(SERVERS)}")
    if split != "test":
        raise PredictionError(f"the server of {suite} takes the split test, and this run is of {split}; run that")
    if run.failed:
        raise PredictionError(f"{', '.join(run.failed)} failed, and the server wants all; run with --retry-failed")
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for row in run.rows:
            for name, text in SERVERS[suite](row, run.ms[row["name"]]):
                archive.writestr(zipfile.ZipInfo(name, EARLIEST), text, zipfile.ZIP_DEFLATED)
    write_bytes(path, file.getvalue())
    return len(run.rows)


def _got10k(row: Row, ms: list[float]) -> Files:
    name = row["name"]
    yield f"{name}/{name}_001.txt", _box_lines(row)
    yield f"{name}/{name}_time.txt", "".join(f"{value / 1000:.8f}\n" for value in ms)


def _trackingnet(row: Row, ms: list[float]) -> Files:
    yield f"{row['name']}.txt", _box_lines(row)


def _box_lines(row: Row) -> str:
    return "".join(",".join(f"{value:.4f}" for value in box) + "\n" for box in row["predicted_ltwh"])


SERVERS: dict[str, Callable[[Row, list[float]], Files]] = {"got10k": _got10k, "trackingnet": _trackingnet}
