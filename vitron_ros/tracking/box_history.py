"""The boxes of a track in each of the last images."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes

MAX_ENTRIES = 300  # 10 s at 30 Hz: a slow model's reply may be that old


class Entry(NamedTuple):
    """One image: its time, the box (4,) px, the score, and whether the target counted as seen."""

    time_ns: int
    box_xyxy: Boxes
    score: float
    is_seen: bool


@dataclass(frozen=True, slots=True, eq=False)
class TrackHistory:
    """The track at T times. NaN and False where nothing is known.

    Attributes:
        boxes_xyxy: (T, 4) px.
        scores: (T,).
        is_seen: (T,) bool.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]
    is_seen: NDArray[np.bool_]


class BoxHistory:
    """Entries in order of time, bounded in number."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        """The newest entry. Entries of its time or later are dropped."""
        while self._entries and self._entries[-1].time_ns >= entry.time_ns:
            self._entries.pop()
        self._entries.append(entry)

    def last_seen(self) -> Entry | None:
        """The newest entry in which the target was seen; None if it is further back than the history."""
        return next((entry for entry in reversed(self._entries) if entry.is_seen), None)

    def is_seen_since(self, time_ns: int) -> bool:
        """Whether the target was seen in every image after that time."""
        return all(entry.is_seen for entry in self._entries if entry.time_ns > time_ns)

    def at(self, times_ns: Iterable[int]) -> TrackHistory:
        """The track at exactly these times."""
        known = {entry.time_ns: entry for entry in self._entries}
        found = [known.get(time_ns) for time_ns in times_ns]
        nowhere = np.full(4, np.nan)
        return TrackHistory(
            np.array([nowhere if entry is None else entry.box_xyxy for entry in found]).reshape(-1, 4),
            np.array([np.nan if entry is None else entry.score for entry in found], np.float64),
            np.array([entry is not None and entry.is_seen for entry in found], bool),
        )
