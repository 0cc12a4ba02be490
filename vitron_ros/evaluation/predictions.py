"""The raw predictions of a run, on disk: one JSON line a sequence, after a header that says what they were made with.

    <folder>/predictions.jsonl        finished: every sequence has its row, in the order of the data set
    <folder>/timings.jsonl            the same of what the clock said, apart, so that equal runs have equal predictions
    <folder>/predictions.jsonl.part   unfinished: rows as they came
    <folder>/judge/                   a run of the same form, whose rows are a judge's replies to the answers

A row is {"name": ..., and what the suite predicts} or {"name": ..., "error": the reason}. Every row is on the disk
before the next is waited for. After a crash the part is taken up again; a last line that was cut off is done again. A
finished file appears in one step. Files of other code, settings or data are refused.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

from vitron_ros.backends.manifest import sha256
from vitron_ros.errors import PredictionError
from vitron_ros.recordings.output import make_folder, replace_bytes

FORMAT = 2
JUDGE = "judge"
FILE, PART, TIMINGS = "predictions.jsonl", "predictions.jsonl.part", "timings.jsonl"

Row = dict[str, Any]
Milliseconds = list[float]
Result = tuple[Row, Milliseconds]


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a run was made with.

    Attributes:
        settings: tracker, model and the like, by name.
        code_hash, settings_hash, data_hash: see `fingerprint.py`.
        version: of vitron_ros.
        commit: None: not known.
        libraries: name -> version.
        names: of the sequences, in order.
    """

    format: int = FORMAT
    suite: str
    settings: dict[str, str]
    code_hash: str
    settings_hash: str
    data_hash: str
    version: str
    commit: str | None
    libraries: dict[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """A finished run: a row for each of the header's names, in their order, and the milliseconds of each frame.

    Attributes:
        verdicts: a judge's replies to the answers, see `judging.py`; None: nobody judged them.
    """

    header: Header
    rows: tuple[Row, ...]
    ms: Mapping[str, Milliseconds]
    verdicts: "Run | None" = None

    @property
    def predicted(self) -> list[Row]:
        """The rows that are no failures."""
        return [row for row in self.rows if "error" not in row]

    @property
    def failed(self) -> dict[str, str]:
        """Name -> reason."""
        return {row["name"]: row["error"] for row in self.rows if "error" in row}


def read_run(folder: Path) -> Run:
    """A finished run.

    Raises:
        PredictionError: there is none, it is unfinished, cut off or damaged, or a sequence is missing.
    """
    path = folder / FILE
    if not path.is_file():
        if (folder / PART).is_file():
            raise PredictionError(f"the run in {folder} is not finished; start the same command again")
        raise PredictionError(f"{folder} holds no {FILE}; write it with: vitron eval run SUITE DATA --out {folder}")
    first, *rows = _read_lines(path)
    header = _header(first, path)
    ms = {str(line.get("name")): line.get("ms", []) for line in _read_lines(folder / TIMINGS)}
    for file, names in ((path, [row.get("name") for row in rows]), (folder / TIMINGS, list(ms))):
        if names != list(header.names):
            missing = [name for name in header.names if name not in names]
            what = f"lacks {', '.join(missing)}" if missing else "has other sequences than its header says"
            raise PredictionError(f"{file} {what}; delete it and run again")
    return Run(header=header, rows=tuple(rows), ms=ms, verdicts=_read_verdicts(folder))


def predictions_hash(folder: Path) -> str:
    """Of the predictions of a finished run, byte for byte."""
    return sha256(folder / FILE)


def _read_verdicts(folder: Path) -> Run | None:
    if not (folder / JUDGE / FILE).is_file():
        return None
    verdicts = read_run(folder / JUDGE)
    if verdicts.header.data_hash != predictions_hash(folder):
        raise PredictionError(f"{folder / JUDGE} is stale: it judged other predictions; delete it and judge again")
    return verdicts


class RunWriter:
    """The rows of a run that are there, and the file to which more are appended. `write_run` opens it."""

    def __init__(self, folder: Path, header: Header, file: BinaryIO, done: dict[str, Result]) -> None:
        self.header = header
        self.done = done
        self._folder = folder
        self._file = file

    @property
    def missing(self) -> list[str]:
        """Names of the sequences without a row, in order."""
        return [name for name in self.header.names if name not in self.done]

    def append(self, row: Row, ms: Milliseconds) -> None:
        """Put a row on the disk.

        Raises:
            PredictionError: it cannot be written.
        """
        try:
            self._file.write(_line({"row": row, "ms": ms}))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise PredictionError(f"cannot write {self._folder / PART}: {error.strerror}") from error
        self.done[row["name"]] = row, ms

    def finish(self) -> Run:
        """The finished run, now on the disk as such; every row is there. Raises SourceError if it cannot be written."""
        assert not self.missing, self.missing
        rows, ms = zip(*(self.done[name] for name in self.header.names), strict=True)
        timings = [{"name": name, "ms": values} for name, values in zip(self.header.names, ms, strict=True)]
        replace_bytes(self._folder / TIMINGS, b"".join(map(_line, timings)))
        replace_bytes(self._folder / FILE, b"".join(map(_line, [asdict(self.header), *rows])))
        (self._folder / PART).unlink()
        return Run(header=self.header, rows=rows, ms=dict(zip(self.header.names, ms, strict=True)))


@contextmanager
def write_run(folder: Path, header: Header, *, retry_failed: bool = False) -> Iterator[RunWriter]:
    """The run of that header in a folder: new, or taken up where it ended. One process at a time.

    Args:
        retry_failed: sequences that failed count as missing.

    Raises:
        PredictionError: what is there was made with other code, settings or data, is damaged, or is being written.
        SourceError: the folder cannot be made.
    """
    make_folder(folder)
    finished, part = folder / FILE, folder / PART
    done: dict[str, Result] = {}
    if finished.is_file():
        run = read_run(folder)
        _refuse_stale(run.header, header, finished)
        header = run.header
        done = {row["name"]: (row, run.ms[row["name"]]) for row in run.rows}
    try:
        file = part.open("a+b")
    except OSError as error:
        raise PredictionError(f"cannot write {part}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PredictionError(f"another run is writing {part}; wait for it, or choose another folder") from error
        if not done:
            header, done = _take_up(file, part, header)
        if retry_failed:
            done = {name: (row, ms) for name, (row, ms) in done.items() if "error" not in row}
        yield RunWriter(folder, header, file, done)


def _take_up(file: BinaryIO, path: Path, header: Header) -> tuple[Header, dict[str, Result]]:
    file.seek(0)
    data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    file.truncate(len(whole))
    if not whole:
        file.write(_line(asdict(header)))
        file.flush()
        return header, {}
    first, *lines = _parse_lines(whole, path)
    written = _header(first, path)
    _refuse_stale(written, header, path)
    try:
        return written, {line["row"]["name"]: (line["row"], line["ms"]) for line in lines}
    except (KeyError, TypeError) as error:
        raise PredictionError(f"{path} is damaged: a line holds no row; delete it and run again") from error


def _refuse_stale(written: Header, wanted: Header, path: Path) -> None:
    names = {"format": "format", "suite": "suite", "settings": "settings", "settings_hash": "settings"}
    names |= {"code_hash": "code", "data_hash": "data", "names": "sequences"}
    differ = list(dict.fromkeys(word for key, word in names.items() if getattr(written, key) != getattr(wanted, key)))
    if differ:
        made = written.commit or f"version {written.version}"
        raise PredictionError(
            f"{path} is stale: made at {made} with other {' and '.join(differ)}; choose another --out, or delete it"
        )


def _header(line: Row, path: Path) -> Header:
    wanted = {field.name for field in fields(Header)}
    if line.get("format") != FORMAT or set(line) != wanted:
        raise PredictionError(f"{path} has no header of format {FORMAT}; it is of another version, or no predictions")
    return Header(**{**line, "names": tuple(line["names"])})


def _read_lines(path: Path) -> list[Row]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PredictionError(f"{path} cannot be read: {error.strerror}; run again") from error
    return _parse_lines(data, path)


def _parse_lines(data: bytes, path: Path) -> list[Row]:
    """At least one; each a JSON object."""
    *lines, rest = data.split(b"\n")
    if rest or not lines:
        raise PredictionError(f"{path} is cut off in line {len(lines) + 1}; delete it and run again")
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise PredictionError(f"{path}, line {number} is not JSON: {error}; delete it and run again") from error
        if not isinstance(row, dict):
            raise PredictionError(f"{path}, line {number} is not a JSON object; delete it and run again")
        rows.append(row)
    return rows


def _line(row: Row) -> bytes:
    return json.dumps(row, allow_nan=False, separators=(",", ":")).encode() + b"\n"
