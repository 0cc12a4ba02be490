"""Commands in a file: what is refused, and with which words."""

import pytest

from vitron_ros.errors import ConfigError
from vitron_ros.module_registry import Module
from vitron_ros.offline.command_script import Command, read_commands


def write(tmp_path, text: str):
    path = tmp_path / "commands.yaml"
    path.write_text(text)
    return path


def test_commands_come_in_order_of_time_with_what_is_right(tmp_path):
    path = write(
        tmp_path,
        """
commands:
  - {at: 5, ask: "cut out the cup", module: image_segmentation, instruction: "segmentation: cup", target: 2}
  - {at: 1.5, track: "the cup", target: 2}
  - {at: 3, ask: "what is this?", answer: "a cup"}
""",
    )
    assert read_commands(path) == [
        Command(at_s=1.5, kind="track", text="the cup", target=2),
        Command(at_s=3, kind="ask", text="what is this?", answer="a cup"),
        Command(
            at_s=5,
            kind="ask",
            text="cut out the cup",
            target=2,
            module=Module.IMAGE_SEGMENTATION,
            instruction="segmentation: cup",
        ),
    ]
    assert [command.spoken for command in read_commands(path)] == ["track the cup", "what is this?", "cut out the cup"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "needs a list"),
        ("commands: []", "needs a list"),
        ("commands: {at: 1}", "needs a list"),
        ("commands: [", "is not YAML, line 1"),
        ("commands: [hello]", "must be a mapping"),
        ("commands: [{at: 1, trak: x}]", "unknown keys ['trak']"),
        ("commands: [{at: 1, target: 1}]", "either `track` or `ask`"),
        ("commands: [{at: 1, track: x, ask: y, target: 1}]", "either `track` or `ask`"),
        ("commands: [{track: x, target: 1}]", "needs `at`"),
        ("commands: [{at: soon, track: x, target: 1}]", "needs `at`"),
        ("commands: [{at: 1, track: x, target: cup}]", "needs `at`"),
        ("commands: [{at: -1, track: x, target: 1}]", "a time from 0 on"),
        ("commands: [{at: .nan, track: x, target: 1}]", "a time from 0 on"),
        ("commands: [{at: 1, track: ' ', target: 1}]", "words to say"),
        ("commands: [{at: 1, track: x}]", "needs `target`"),
        ("commands: [{at: 1, track: x, target: 1, answer: y}]", "has no answer"),
        ("commands: [{at: 1, ask: x}]", "either `answer` or `module`"),
        ("commands: [{at: 1, ask: x, answer: y, module: text}]", "either `answer` or `module`"),
        ("commands: [{at: 1, ask: x, module: mending}]", "the module 'mending'; there are text, image_generation"),
    ],
)
def test_a_file_that_says_something_impossible_is_refused(tmp_path, text, says):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_commands(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        read_commands(tmp_path / "none.yaml")
