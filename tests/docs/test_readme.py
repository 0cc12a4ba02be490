"""Every command and every Python block of the README runs, or is checked for its form where it needs an apt ROS."""

import ast
import importlib.util
import json
import re
import shlex
from pathlib import Path

import cv2
import pytest
import yaml

from vitron_ros.boxes import ltwh_from_xyxy
from vitron_ros.cli.main import main
from vitron_ros.config import PerceptionConfig
from vitron_ros.recordings.bags import read_images
from vitron_ros.recordings.ground_truth import read_ground_truth
from vitron_ros.ros.launch_arguments import ARGUMENTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = (ROOT / "vitron_ros" / "assets" / "vitron-tiny" / "README.md").read_text(encoding="utf-8")
FIGURES = {
    "phrase to box (REC)": "rec_acc50",
    "colour-shape pairs in the training set": "rec_acc50_seen",
    "colour-shape pairs not in the training set": "rec_acc50_unseen",
    "phrase to track, 8 frames (RSOT)": "rsot_auc",
    "box to track, 8 frames (SOT)": "sot_auc",
    'absent target answered "none"': "absent_recall",
    'present target answered "none"': "false_none",
    "describe a marked object in an image (REG)": "reg",
    "describe a marked object in a clip (Video-REG)": "video_reg",
    "questions": "qa_em",
    "commands: module, instruction and region": "invocation_em",
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


LINES = [line for block in blocks("bash") for line in block.splitlines()]
COMMANDS = [shlex.split(line, comments=True) for line in LINES if not line.startswith("git ")]


def starting(*words: str) -> list[object]:
    found = [command for command in COMMANDS if tuple(command[: len(words)]) == words]
    return [pytest.param(command, id=" ".join(command)[:60]) for command in found]


def rows(text: str) -> dict[str, list[str]]:
    """The cells of every table row by the first of them."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {first: rest for first, *rest in cells}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with the bags in it, as a reader would stand in the checkout."""
    (tmp_path / "bags").symlink_to(ROOT / "bags")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def dataset(folder: Path) -> None:
    """Ten images of the sample bag as the sequence that `vitron eval ope` reads."""
    frames = folder / "DATASET" / "mug" / "frames"
    frames.mkdir(parents=True)
    truth, lines = read_ground_truth(ROOT / "bags" / "sample"), []
    for index, frame in zip(range(10), read_images(ROOT / "bags" / "sample"), strict=False):
        cv2.imwrite(str(frames / f"{index:04d}.jpg"), frame.rgb[..., ::-1])
        lines.append(",".join(map(str, ltwh_from_xyxy(truth[frame.stamp_ns][0].box_xyxy))))
    (frames.parent / "groundtruth.txt").write_text("\n".join(lines))


def test_no_command_is_left_unchecked():
    known = {"vitron", "ros2", "make"}
    assert {command[0] for command in COMMANDS} == known


@pytest.mark.usefixtures("dataset")
@pytest.mark.parametrize("command", starting("vitron"))
def test_a_vitron_command_runs_as_written(command, folder, capsys):
    is_doctor = command[1] == "doctor"  # exits with 1 where this machine lacks something
    assert main(command[1:]) in ({0, 1} if is_doctor else {0})
    assert capsys.readouterr().out
    if "--out" in command:
        out = Path(command[command.index("--out") + 1])
        assert any(out.rglob("*.png")) if command[1] == "do" else json.loads((out / "tracks.json").read_text())


def test_the_question_is_answered_as_the_readme_says(folder, capsys):
    line = next(line for line in LINES if line.startswith("vitron ask") and "left of" in line)
    assert main(shlex.split(line, comments=True)[1:]) == 0
    assert capsys.readouterr().out.splitlines()[0] == line.partition("#")[2].strip()


@pytest.mark.skipif(importlib.util.find_spec("vitron_ros.api") is None, reason="vitron_ros.api is not there")
@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", blocks("python"))
def test_a_python_block_runs(block, capsys):
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", starting("make"))
def test_a_make_target_exists(command):
    targets = re.search(r"^\.PHONY: (.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)[1].split()
    assert set(command[1:]) <= set(targets)


@pytest.mark.parametrize("command", starting("ros2", "launch"))
def test_a_launch_file_has_the_arguments(command):
    package, name, *arguments = command[2:]
    tree = ast.parse((ROOT / "launch" / name).read_text())
    own = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert package == "vitron_ros"
    assert {argument.partition(":=")[0] for argument in arguments} <= own | set(ARGUMENTS)


@pytest.mark.parametrize("command", starting("ros2", "run"))
def test_an_executable_has_the_options_and_parameters(command):
    package, name, *arguments = command[2:]
    assert package == "vitron_ros"
    assert f'f"{name} = {{NAME}}.ros.' in (ROOT / "setup.py").read_text()
    options, ros = arguments[: arguments.index("--ros-args")], arguments[arguments.index("--ros-args") + 1 :]
    if options:
        pytest.importorskip("rclpy")
        from vitron_ros.ros.bag_player import parser

        assert parser().parse_args(options).bag.name in {"demo", "sample"}
    for flag, value in zip(ros[::2], ros[1::2], strict=True):
        assert flag in {"-r", "-p"}
        left, _, right = value.partition(":=")
        assert right
        assert left in {"__ns", "image"} if flag == "-r" else PerceptionConfig(**{left: right})


def test_goals_that_write_files_have_a_folder_to_write_to():
    is_writing = any("output:" in word for command in COMMANDS if command[:2] == ["ros2", "action"] for word in command)
    launches = [command for command in COMMANDS if command[:2] == ["ros2", "launch"]]
    assert is_writing <= any(word.startswith("output_folder:=") for command in launches for word in command)


@pytest.mark.ros
@pytest.mark.parametrize("command", starting("ros2", "action", "send_goal"))
def test_a_goal_has_the_fields(command):
    import vitron_msgs.action

    topic, kind, goal, *_ = command[3:]
    assert topic in {"/vitron/track", "/vitron/converse", "/vitron/command"}
    assert kind.startswith("vitron_msgs/action/")
    fill(getattr(vitron_msgs.action, kind.rpartition("/")[2]).Goal, yaml.safe_load(goal))


def fill(message_type, values):
    """A message with these fields; a list of mappings is a list of regions."""
    from vitron_msgs.msg import Region

    is_nested = {name: isinstance(value, list) and isinstance(value[0], dict) for name, value in values.items()}
    return message_type(
        **{
            name: [fill(Region, item) for item in value] if is_nested[name] else as_float(value)
            for name, value in values.items()
        }
    )


def as_float(value):
    return [float(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("command", starting("ros2", "topic", "echo"))
def test_a_topic_is_one_of_the_table(command):
    assert f"`{command[-1].rpartition('/')[2]}`" in rows(README)


@pytest.mark.parametrize("label", FIGURES)
def test_the_figures_of_the_model_are_those_of_its_card(label):
    val, _, _, chance, _ = rows(CARD)[f"`{FIGURES[label]}`"]
    assert rows(README)[label][1:] == [val, chance]


def test_the_card_is_its_template_filled_in():
    text = (ROOT / "training" / "model_card.md").read_text(encoding="utf-8")
    pattern = re.sub(r"\\{\\{\w+\\}\\}", "(?s:.+)", re.escape(text))
    assert re.fullmatch(pattern, CARD)


@pytest.mark.parametrize("name", ["README.md", "docs/model.md"])
def test_models_have_the_sizes_that_the_command_counts(name, capsys):
    assert main(["models", "list", "--json"]) == 0
    written = rows((ROOT / name).read_text(encoding="utf-8"))
    for row in json.loads(capsys.readouterr().out)["profiles"]:
        size = f"{row['parameters'] / 1e6:,.2f}"
        assert f"{size} M" in written[f"`{row['name']}`"]
        assert not row["bundled"] or f"of {size} million parameters" in CARD
