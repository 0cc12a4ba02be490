"""Positions of a recording's targets on the command line: the same on every run, and what is missing is named."""

import json
from pathlib import Path

import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.errors import SourceError
from vitron_ros.offline.recorded_depth import RecordedDepth
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import Bag, stamp_of
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_3D_TOPIC

BAGS = Path(__file__).parents[2] / "bags"
TRACK = ["track", str(BAGS / "depth"), "--box", "150,114,178,142", "--depth", "/camera/depth", "--frames", "30"]


def test_tracks_have_positions_the_same_on_every_run(tmp_path, capsys):
    outputs = []
    for name in ("one", "two"):
        assert main([*TRACK, "--out", str(tmp_path / name), "--no-film"]) == 0
        outputs.append((tmp_path / name / "tracks.json").read_bytes())
    assert outputs[0] == outputs[1]
    assert "positions: OK 30" in capsys.readouterr().out
    truth = {
        stamp_of(message.value.header): message.value.tracks[0].position
        for message in Bag(BAGS / "depth").messages([GROUND_TRUTH_3D_TOPIC])
    }
    frames = json.loads(outputs[0])["frames"]
    for frame in frames:
        (track,) = frame["tracks"]
        true = truth[frame["stamp_ns"]]
        miss = np.linalg.norm(np.array(track["position"]) - [true.x, true.y, true.z])
        assert miss < 0.02 * np.linalg.norm([true.x, true.y, true.z])
    assert frames[0]["tracks"][0]["velocity_3d"] is None
    assert len(frames[-1]["tracks"][0]["velocity_3d"]) == 3
    assert "mask" not in frames[-1]["tracks"][0]


@pytest.mark.parametrize(
    ("bag", "topic", "said"),
    [
        ("depth", "/camera/deep", "no depth on /camera/deep; there is /camera/depth"),
        ("depth", "/camera/camera_info", "no depth on /camera/camera_info"),
        ("sample", "/camera/depth", "no depth on /camera/depth; there is no image topic"),
    ],
)
def test_a_topic_without_depth_is_refused_by_name(bag, topic, said):
    with pytest.raises(SourceError, match=said):
        RecordedDepth(BAGS / bag, topic)


def test_a_recording_without_calibration_is_refused(tmp_path):
    pixels = np.full((48, 64), 2000, np.uint16)
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/camera/image_raw", bag_messages.image_of(np.zeros((48, 64, 3), np.uint8), 1), 1)
        bag.write("/camera/depth", bag_messages.image_of(pixels, 1), 1)
    with pytest.raises(SourceError, match="no /camera/camera_info"):
        RecordedDepth(tmp_path / "bag", "camera/depth")


def test_depth_belongs_to_bags(tmp_path, capsys):
    assert main(["track", str(BAGS / "language"), "--box", "1,1,9,9", "--depth", "/d"]) != 0
    assert "is not a bag, and has no depth" in capsys.readouterr().err
