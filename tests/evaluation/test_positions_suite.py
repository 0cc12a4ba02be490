"""Positions from the bag with depth: exact where depth is good, and none where it is not what it seems."""

import re
from pathlib import Path

import pytest

from vitron_ros.cli.main import main
from vitron_ros.config import DepthConfig
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.positions import evaluate, read_recording

BAGS = Path(__file__).parents[2] / "bags"
TARGETS = {"purple mug", "red ring", "yellow stick", "blue square"}


@pytest.fixture(scope="module")
def figures():
    return evaluate(read_recording(BAGS / "depth", frames=36), DepthConfig())


@pytest.mark.parametrize(
    "condition", ["as recorded", "noise of 0.003 m x range^2", "30% holes", "noise and holes", "half the size",
                  "200 ms late", "no silhouettes, boxes alone"],
)  # fmt: skip
def test_every_target_is_within_two_percent_of_its_range(figures, condition):
    found = figures[condition]
    assert found["placed"] > 0.9
    assert found["mean_error"] < 0.01
    assert set(found["targets"]) == TARGETS
    for name, target in found["targets"].items():
        assert target["mean_error"] < 0.02, name


def test_depth_that_arrives_late_is_the_same_depth(figures):
    assert figures["200 ms late"] == figures["as recorded"]


def test_the_covariance_is_not_smaller_than_the_errors(figures):
    assert figures["noise and holes"]["squared_error_by_covariance"] < 1.5


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("missing", "NO_DEPTH"),
        ("cut to another shape", "DEPTH_MISMATCH"),
        ("millimetres in 32FC1", "WRONG_UNIT"),
        ("metres in 16UC1", "WRONG_UNIT"),
    ],
)
def test_no_position_comes_of_depth_that_is_not_what_it_seems(figures, condition, status):
    assert figures[condition]["placed"] == 0
    assert list(figures[condition]["statuses"]) == [status]
    assert figures[condition]["problem"]


def test_a_recording_without_depth_is_refused():
    with pytest.raises(SourceError, match="one of sensor_msgs/msg/Image for depth"):
        read_recording(BAGS / "sample")


def test_the_picture_shows_every_target(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    file = tmp_path / "positions.svg"
    assert main(["eval", "positions", str(BAGS / "depth"), "--picture", str(file), "--frames", "8"]) == 0
    assert set(re.findall(r">([a-z ]+)</text>", file.read_text())) >= TARGETS
    header, first, *_ = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["depth", "placed"]
    assert first.startswith("as recorded") and "100%" in first
