"""Tracks as text files that other tools read: CSV, and the MOTChallenge format of results (motchallenge.net)."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from vitron_ros.boxes import ltwh_from_xyxy
from vitron_ros.offline.coco_rle import CocoRle
from vitron_ros.recordings.output import write_bytes
from vitron_ros.tracking.track import TrackSnapshot

COLUMNS = (
    "frame", "stamp_ns", "id", "phrase", "state", "score", "x_min", "y_min", "x_max", "y_max",
    "velocity_x", "velocity_y", "mask",
)  # fmt: skip


class HasTracks(Protocol):
    """The tracks in one frame, such as a `FrameTracks` or a `TrackResult`. `index`: of the frame, from 0."""

    @property
    def index(self) -> int: ...
    @property
    def stamp_ns(self) -> int: ...
    @property
    def tracks(self) -> Sequence[TrackSnapshot]: ...
    @property
    def masks(self) -> Mapping[int, CocoRle]: ...


def write_csv(path: str | Path, frames: Iterable[HasTracks]) -> None:
    """Write a line with COLUMNS for every track in every frame, whatever its state. Frames count from 0; boxes in px.

    `mask` holds the counts of a mask in COCO's run-length encoding, whose size is the image's; empty: there is none.

    Raises:
        ConfigError: there are masks, and pycocotools is missing.
        SourceError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame in frames:
        for track in frame.tracks:
            numbers = [f"{value:.2f}" for value in (*track.box_xyxy, *track.velocity)]
            about = [frame.index, frame.stamp_ns, track.id, track.phrase, track.state.name, f"{track.score:.4f}"]
            mask = frame.masks[track.id]["counts"] if track.id in frame.masks else ""
            writer.writerow([*about, *numbers, mask])
    write_bytes(Path(path), text.getvalue().encode())


def write_mot(path: str | Path, frames: Iterable[HasTracks]) -> None:
    """Write `frame,id,left,top,width,height,confidence,-1,-1,-1` for every target that is seen. Frames count from 1.

    Predicted and lost targets are left out: their boxes show where they may be, and an evaluation would count them.

    Raises:
        SourceError: the file cannot be written.
    """
    lines = []
    for frame in frames:
        for track in frame.tracks:
            if track.is_seen:
                box = ",".join(f"{value:.2f}" for value in ltwh_from_xyxy(track.box_xyxy))
                lines.append(f"{frame.index + 1},{track.id},{box},{track.score:.4f},-1,-1,-1\n")
    write_bytes(Path(path), "".join(lines).encode())


EXPORTS: dict[str, tuple[str, Callable[[Path, Iterable[HasTracks]], None]]] = {
    "mot": ("tracks.txt", write_mot),
    "csv": ("tracks.csv", write_csv),
}
"""By the name of the format: the file's name and what writes it."""
