"""What `vitron demo` prints, and which commands it gives."""

from argparse import Namespace
from pathlib import Path

import pytest

from vitron_ros.cli.demo import commands_of, summary

FIGURES = {
    "frames_in": 375,
    "frames_tracked": 370,
    "frames_dropped": 2,
    "fps": 29.9,
    "latency_ms": {"p50": 9.0, "p95": 20.0, "p99": 30.0},
    "model_latency_ms": {"p50": 210.0, "p95": 300.0, "p99": 400.0},
    "commands": [
        {"command": "track x", "words": "followed as #1", "right": True, "has_run": True, "iou": 0.873, "seconds": 0.4},
        {"command": "what is it?", "words": '"a cup"', "right": False, "has_run": True, "iou": None, "seconds": 0.3},
        {"command": "cut", "words": "no model", "right": False, "has_run": False, "iou": None, "seconds": None},
    ],
}


def test_the_table_tells_right_wrong_and_failed_apart():
    assert summary(FIGURES).splitlines() == [
        "command      outcome         right   IoU   after",
        "track x      followed as #1  yes     0.87  0.40 s",
        'what is it?  "a cup"         no      -     0.30 s',
        "cut          no model        failed  -     -",
        "",
        "images   375 in, 370 with all targets, 2 dropped, 29.9 a second",
        "latency  p50 9.0, p95 20.0, p99 30.0 ms from image to track",
        "model    p50 210.0, p95 300.0, p99 400.0 ms from question to reply",
    ]


def test_a_long_reply_is_cut_in_the_table():
    item = FIGURES["commands"][1] | {"words": "Frame 1: [1,2,3,4], " * 8}
    table = summary(FIGURES | {"commands": [item]})
    assert max(map(len, table.splitlines())) < 120
    assert " ... " in table.splitlines()[1]


def test_without_a_model_no_line_speaks_of_it():
    assert summary(FIGURES | {"model_latency_ms": None}).splitlines() == summary(FIGURES).splitlines()[:-1]


@pytest.fixture
def bag(tmp_path) -> Path:
    (tmp_path / "walk").mkdir()
    return tmp_path / "walk"


SCRIPT = "commands: [{at: 1, track: 'the cup', target: 1}]"


def arguments(bag: Path, **changes) -> Namespace:
    return Namespace(**{"source": str(bag), "commands": None, "targets": None} | changes)


def test_commands_beside_the_bag_are_given_unless_boxes_are_wanted(bag):
    assert commands_of(arguments(bag)) is None
    bag.with_suffix(".yaml").write_text(SCRIPT)
    assert [command.text for command in commands_of(arguments(bag))] == ["the cup"]
    assert commands_of(arguments(f"{bag}/")) == commands_of(arguments(bag))
    assert commands_of(arguments(bag, targets=2)) is None


def test_a_file_of_commands_can_be_named(bag, tmp_path):
    (tmp_path / "other.yaml").write_text(SCRIPT.replace("cup", "mug"))
    bag.with_suffix(".yaml").write_text(SCRIPT)
    assert [command.text for command in commands_of(arguments(bag, commands=tmp_path / "other.yaml"))] == ["the mug"]
