"""Tracks as files for other tools."""

import csv

import numpy as np
import pytest

from vitron_ros.errors import SourceError
from vitron_ros.offline.export import COLUMNS, write_csv, write_mot
from vitron_ros.offline.replay import FrameTracks
from vitron_ros.tracking.track import TrackSnapshot, TrackState


def track(track_id, state=TrackState.TRACKED, phrase="a cup, red"):
    return TrackSnapshot(
        id=track_id, phrase=phrase, label="", state=state, box_xyxy=np.array([10.0, 20, 40.5, 60]), score=0.91234,
        velocity=np.array([3.0, -4]), grounded_ns=0, age_ns=0,
    )  # fmt: skip


COUNTS = "fbY118<l\\\\O`^"  # no sign that a spreadsheet takes for its own
FRAMES = [
    FrameTracks(0, 1_000, (track(1), track(2, TrackState.TENTATIVE)), {1: {"size": [60, 80], "counts": COUNTS}}),
    FrameTracks(1, 2_000, ()),
    FrameTracks(3, 4_000, (track(1, TrackState.PREDICTED), track(2, TrackState.LOST), track(3, TrackState.ENDED))),
]


def test_mot_has_what_is_seen_with_frames_from_1(tmp_path):
    write_mot(tmp_path / "new" / "tracks.txt", FRAMES)
    assert (tmp_path / "new" / "tracks.txt").read_text().splitlines() == [
        "1,1,10.00,20.00,30.50,40.00,0.9123,-1,-1,-1",
        "1,2,10.00,20.00,30.50,40.00,0.9123,-1,-1,-1",
    ]


def test_csv_has_every_state_and_can_be_read_back(tmp_path):
    write_csv(str(tmp_path / "tracks.csv"), iter(FRAMES))
    with (tmp_path / "tracks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["frame"], row["id"], row["state"]) for row in rows] == [
        ("0", "1", "TRACKED"),
        ("0", "2", "TENTATIVE"),
        ("3", "1", "PREDICTED"),
        ("3", "2", "LOST"),
        ("3", "3", "ENDED"),
    ]
    assert rows[0]["phrase"] == "a cup, red"
    assert [float(rows[0][name]) for name in COLUMNS[6:-1]] == [10, 20, 40.5, 60, 3, -4]
    assert [row["mask"] for row in rows] == [COUNTS, "", "", "", ""]


@pytest.mark.parametrize("write", [write_csv, write_mot])
def test_a_file_that_cannot_be_written_is_named(write):
    with pytest.raises(SourceError, match="/proc/nothing"):
        write("/proc/nothing/tracks", FRAMES)
