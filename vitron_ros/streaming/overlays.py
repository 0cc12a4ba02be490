"""What to draw of tracks, in annotated videos and debug images alike."""

from collections import deque
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import center
from vitron_ros.clock import SECOND_NS
from vitron_ros.images.draw import Overlay
from vitron_ros.tracking.track import TrackSnapshot, TrackState

Points = NDArray[np.float64]
MOST_POINTS = 256  # of one trajectory


class Trajectories:
    """The recent path of every target. After a loss it begins anew.

    Args:
        seconds: how far back it reaches.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self._length_ns = round(seconds * SECOND_NS)
        self._paths: dict[int, deque[tuple[int, Points]]] = {}

    def update(self, tracks: Iterable[TrackSnapshot], stamp_ns: int) -> dict[int, Points]:
        """Take in the tracks of the next image; gives the centres of each target by its id, (N, 2) px, oldest first."""
        going_on = {}
        for track in tracks:
            if track.is_seen or track.state is TrackState.PREDICTED:
                going_on[track.id] = self._paths.get(track.id) or deque(maxlen=MOST_POINTS)
            if track.is_seen:
                going_on[track.id].append((stamp_ns, center(track.box_xyxy)))
        for path in going_on.values():
            while path and not 0 <= stamp_ns - path[0][0] <= self._length_ns:
                path.popleft()
        self._paths = going_on
        return {track_id: np.array([point for _, point in path]).reshape(-1, 2) for track_id, path in going_on.items()}


def overlays(tracks: Iterable[TrackSnapshot], trajectories: Mapping[int, Points] | None = None) -> list[Overlay]:
    return [
        Overlay(
            id=track.id,
            box_xyxy=track.box_xyxy,
            label=track.phrase or track.label,
            state=track.state.name.lower(),
            score=track.score,
            mask=track.mask,
            trajectory=None if trajectories is None else trajectories.get(track.id),
        )
        for track in tracks
    ]
