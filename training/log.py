"""The log of a run: mean losses and throughput, a row every few steps, in a CSV file and for TensorBoard."""

import csv
import logging
from collections import defaultdict
from pathlib import Path
from typing import Any

from vitron_ros.errors import ConfigError, SourceError

LOG = "log.csv"
EVENTS = "tensorboard"

logger = logging.getLogger(__name__)


class TrainingLog:
    """Rows after the step of a resumption are dropped."""

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = False) -> None:
        """
        Args:
            step: the last one that is kept of an existing log.

        Raises:
            ConfigError: TensorBoard is not installed.
        """
        self._path = folder / LOG
        self._sums: dict[str, list[float]] = defaultdict(list)
        self._rows = _rows_until(self._path, step)
        self._events = _event_writer(folder / EVENTS, step) if tensorboard else None
        self.last: dict[str, float] = {}

    def add(self, terms: dict[str, float]) -> None:
        for name, value in terms.items():
            self._sums[name].append(value)

    def write(self, step: int, seconds: float, rate: float) -> dict[str, float]:
        """Ends a row; gives its means."""
        self.last = {name: sum(values) / len(values) for name, values in self._sums.items()}
        self._sums.clear()
        values = {name: f"{value:.6g}" for name, value in self.last.items()}
        self._rows.append({"step": str(step), "seconds": f"{seconds:.1f}", "learning_rate": f"{rate:.3e}", **values})
        if self._events is not None:
            for name, value in {**self.last, "learning_rate": rate}.items():
                self._events.add_scalar(name, value, step)
        self.flush()
        return self.last

    def flush(self) -> None:
        """Rewrites the file atomically. Raises SourceError if that cannot be done."""
        names = list(dict.fromkeys(name for row in self._rows for name in row))
        partial = self._path.with_name(f".{self._path.name}")
        try:
            with partial.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names or ["step"])
                writer.writeheader()
                writer.writerows(self._rows)
            partial.replace(self._path)
        except OSError as error:
            raise SourceError(f"{self._path} cannot be written: {error.strerror}; make room and start again") from error
        finally:
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        if self._events is not None:
            self._events.close()


def _event_writer(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("tensorboard is set: pip install 'vitron_ros[tensorboard]'; or set it to false") from error
    return SummaryWriter(str(folder), purge_step=step + 1)


def _rows_until(path: Path, step: int) -> list[dict[str, str]]:
    """The rows of a log up to a step; none of a damaged log, which the run does not need."""
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [row for row in csv.DictReader(file, restval="") if int(row["step"]) <= step]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        logger.warning("%s is damaged (%s); starting a new one", path, error)
        return []
