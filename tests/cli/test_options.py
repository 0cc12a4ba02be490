"""Options that several commands share, and numbers that cannot be meant."""

import argparse

import pytest

from vitron_ros.cli.main import main
from vitron_ros.cli.options import add_box_options

BOX = ["track", "x", "--box"]


def boxes(*words):
    parser = argparse.ArgumentParser()
    add_box_options(parser, "--box", "target")
    return [region.points.reshape(4).tolist() for region in parser.parse_args(words).box]


def test_boxes_are_two_corners_unless_the_option_says_width_and_height():
    assert boxes() == []
    assert boxes("--box", "1,2,31,42", "--box-xywh", "1,2,30,40", "--box=-1.5,0,9,9") == [
        [1, 2, 31, 42],
        [1, 2, 31, 42],
        [-1.5, 0, 9, 9],
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([*BOX, "1,2,3"], "must be 4 numbers X1,Y1,X2,Y2"),
        ([*BOX, "1,2,3,"], "'' is not a number"),
        ([*BOX, "a,b,c,d"], "'a' is not a number"),
        ([*BOX, "1,2,nan,4"], "nan is out of range"),
        ([*BOX, "94,293,76,84"], "give width and height to the -xywh form"),
        (["track", "x", "--box-xywh", "1,2,0,4"], "W and H must be greater than 0"),
        (["track", "x", "--point", "1"], "must be 2 numbers X,Y"),
        (["track", "x", "--export", "xml"], "invalid choice: 'xml'"),
        (["track", "x", "--frames", "0"], "at least 1"),
        (["track", "x", "--fps", "0"], "out of range"),
        (["track", "x", "--model-latency-ms", "-5"], "at least 0"),
        (["ask", "x", "What?", "--region", "1,2,3"], "must be 4 numbers"),
        (["ask", "x", "What?", "--frames", "0"], "at least 1"),
        (["ask", "x", "What?", "--at", "-1"], "at least 0"),
        (["ask", "x", "What?", "--at", "nan"], "nan"),
        (["ask", "x", "What?", "--min-score", "2"], "from 0 to 1"),
        (["convert", "x", "y", "--quality", "101"], "from 1 to 100"),
        (["demo", "x", "--targets", "0"], "at least 1"),
        (["eval", "stream", "x", "--clips", "0"], "at least 1"),
        (["eval", "stream", "x", "--oracle-miss", "2"], "from 0 to 1"),
        (["eval", "run", "sentences", "x", "--out", "y", "--min-score", "nan"], "nan"),
        (["bench", "model", "--frames", "0"], "at least 1"),
        (["bench", "model", "--tokens", "1"], "at least 2"),
        (["bench", "stream", "--seconds", "nan"], "nan"),
        (["bench", "soak", "--minutes", "-1"], "at least"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_values_that_cannot_be_meant_are_errors_of_usage(words, says, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err
