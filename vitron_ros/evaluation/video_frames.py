"""The frames of a video that a model is asked about."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.recordings.sources import open_source


def evenly_spaced(video: Path, count: int) -> tuple[Frame, ...]:
    """So many frames of a video, from the first to the last; all of them if there are fewer.

    Raises:
        SourceError: the video cannot be read.
    """
    frames = _number_of_frames(video)
    return frames_at(
        video, tuple(np.unique(np.linspace(0, frames - 1, min(count, frames)).round().astype(int)).tolist())
    )


@lru_cache(maxsize=2)  # the sentences about a video follow each other
def frames_at(video: Path, indices: Sequence[int]) -> tuple[Frame, ...]:
    """The frames of these numbers, from 0 and rising.

    Raises:
        SourceError: the video cannot be read, or lacks one of them.
    """
    wanted, found = set(indices), []
    for index, frame in enumerate(open_source(str(video))):
        if index in wanted:
            found.append(frame)
        if len(found) == len(wanted):
            return tuple(found)
    raise SourceError(f"{video} ends before frame {indices[len(found)]}; fetch it again")


@lru_cache(maxsize=2)
def _number_of_frames(video: Path) -> int:
    """As they can be decoded; what a file says of itself is often wrong."""
    return sum(1 for _ in open_source(str(video)))
