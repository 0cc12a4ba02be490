"""The demo as a user runs it: real processes, real DDS, the bag of the repository."""

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from tests.ros.colour_model import find
from vitron_ros.boxes import iou
from vitron_ros.cli.main import main
from vitron_ros.recordings.bags import Bag, read_images
from vitron_ros.recordings.ground_truth import read_ground_truth
from vitron_ros.ros_tools.demo import session

pytestmark = pytest.mark.ros
ROOT = Path(__file__).parents[2]
DEMO, SAMPLE = ROOT / "bags" / "demo", ROOT / "bags" / "sample"
MAY_DROP = 0.05  # share of the images; a machine that is too busy for more is no place to judge tracks


@contextmanager
def colour_node(module: str, *arguments: str):
    """In place of the perception node, one whose model knows the bag."""
    if module != "ros.perception_node":
        with NODE_PROCESS(module, *arguments) as process:
            yield process
        return
    process = subprocess.Popen([sys.executable, "-m", "tests.ros.colour_model", *arguments], cwd=ROOT)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


NODE_PROCESS = session.node_process


def test_the_scripted_model_finds_what_is_there():
    """Else the test below would say nothing."""
    truth = read_ground_truth(DEMO)
    for frame in list(read_images(DEMO))[::60]:
        boxes = {true.id: true for true in truth[frame.stamp_ns] if true.visibility == 1}
        for colour, number in (("red", 1), ("purple", 6), ("green", 7)):
            if number in boxes:
                assert iou(find(frame.rgb, colour), boxes[number].box_xyxy) > 0.75, (frame.index, colour)


@pytest.mark.slow
def test_a_model_that_is_right_gets_every_command_right(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "node_process", colour_node)
    monkeypatch.setattr("vitron_ros.cli.demo.model_folder", lambda model: model)
    monkeypatch.setattr("vitron_ros.cli.demo.selected_patches", lambda source: lambda rgb: np.eye(8, dtype=bool))
    assert main(["demo", str(DEMO), "--model", "colours", "--out", str(tmp_path / "out")]) == 0

    figures = json.loads((tmp_path / "out" / "demo.json").read_text())
    ring, mug, square, hider, star = figures["commands"]
    assert figures["frames_in"] == 375
    assert square["right"] and star["right"]
    if figures["frames_dropped"] <= MAY_DROP * 375:
        assert ring["right"] and mug["right"] and hider["right"], figures["commands"]
        assert [item["track_ids"] for item in (ring, mug, hider)] == [[1], [2], [3]]  # though two of them hid
        assert mug["times_reacquired"] >= 1
    assert square["reply"] == "a yellow heart"
    assert star["iou"] > 0.75 and star["words"].endswith("image segmentation, segmentation: green star")
    assert figures["model_latency_ms"]["p50"] > 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["command", "outcome", "right", "IoU", "after"]
    assert [line.split("  ")[0] for line in table[1:6]] == [item["command"] for item in figures["commands"]]

    topics = {name: topic.count for name, topic in Bag(tmp_path / "out" / "demo.mcap").topics.items()}
    assert topics["/image/compressed"] == 375
    assert topics["/invocations"] == 1
    assert topics["/events"] >= 2
    assert {"/tracks", "/diagnostics"} <= set(topics)
    film = cv2.VideoCapture(str(tmp_path / "out" / "demo.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == 375
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (800, 546)


@pytest.mark.slow
def test_targets_given_by_boxes_need_no_model(tmp_path):
    assert main(["demo", str(SAMPLE), "--out", str(tmp_path)]) == 0
    figures = json.loads((tmp_path / "demo.json").read_text())
    assert figures["model"] is None and figures["model_latency_ms"] is None
    assert figures["frames_in"] == 240
    (mug,) = figures["commands"]
    assert (mug["command"], mug["outcome"], mug["track_ids"]) == ("track red mug", "CANCELED", [1])
    if figures["frames_dropped"] <= MAY_DROP * 240:
        assert mug["right"] and figures["mean_iou"] > 0.7


@pytest.mark.parametrize("config", [None, "{}"])
def test_a_model_that_is_not_there_is_told_before_anything_starts(tmp_path, capsys, config):
    if config is not None:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "config.json").write_text(config)
    assert main(["demo", str(DEMO), "--model", str(tmp_path / "model"), "--out", str(tmp_path / "out")]) == 1
    assert str(tmp_path / "model") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
