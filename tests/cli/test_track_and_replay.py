"""The commands as a user types them, each in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.fakes import ScriptedModel, found
from vitron_ros.cli import replay as replay_command
from vitron_ros.cli.main import main

ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "bags" / "sample")


def vitron(*words):
    return subprocess.run(
        [sys.executable, "-m", "vitron_ros.cli.main", *words], capture_output=True, text=True, timeout=170, cwd=ROOT
    )


@pytest.fixture(scope="module")
def goals(tmp_path_factory):
    path = tmp_path_factory.mktemp("goals") / "goals.yaml"
    path.write_text(
        "goals: [{prompt: mug, box: [100, 200, 180, 290]}, {at: 0.5, prompt: box, box: [345, 200, 470, 350]}]"
    )
    return path


def test_two_replays_of_a_bag_are_byte_identical(goals, tmp_path):
    outputs = []
    for name in ("first", "second"):
        done = vitron(
            "replay", SAMPLE, "--goals", str(goals), "--frames", "60", "--out", str(tmp_path / name), "--json"
        )
        assert done.returncode == 0, done.stderr
        outputs.append((done.stdout, (tmp_path / name / "tracks.json").read_bytes()))
    assert outputs[0] == outputs[1]
    result = json.loads(outputs[0][0])
    assert len(result["frames"]) == 60
    assert {track["phrase"] for track in result["frames"][-1]["tracks"]} == {"mug", "box"}


def test_track_writes_a_film_with_every_frame(tmp_path):
    done = vitron(
        "track", SAMPLE, "--box", "100,200,80,90", "--frames", "20", "--out", str(tmp_path / "new" / "folder")
    )
    assert done.returncode == 0, done.stderr
    assert "goal 1: seen in" in done.stdout
    film = cv2.VideoCapture(str(tmp_path / "new" / "folder" / "tracks.mp4"))
    assert int(film.get(cv2.CAP_PROP_FRAME_COUNT)) == 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["track", SAMPLE], "say what to follow with --box"),
        (["track", SAMPLE, "--box", "1,2,3"], "give 4 numbers"),
        (["track", SAMPLE, "--prompt", " "], "say what to follow"),
        (["track", SAMPLE, "--prompt", "mug", "--model-latency-ms", "-5"], "not a number of seconds"),
        (["track", SAMPLE, "--prompt", "mug", "--model-latency", "soon"], "there is no latency"),
        (["track", SAMPLE, "--box", "a,b,c,d"], "give 4 numbers"),
        (["track", "nowhere.mp4", "--box", "1,2,3,4"], "nowhere.mp4 does not exist"),
        (["track", SAMPLE, "--box", "1,2,30,40", "--tracker", "magic"], "magic"),
        (["track", SAMPLE, "--box", "1,2,30,40", "--out", "/proc/vitron"], "/proc/vitron"),
        (["replay", SAMPLE, "--goals", "nowhere.yaml"], "nowhere.yaml"),
    ],
)
def test_mistakes_get_one_sentence_and_exit_code_1(words, says):
    done = vitron(*words)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def scripted(monkeypatch):
    """A model that sees the same box in every frame, in the place of any that is loaded."""
    boxes = np.array([100.0, 200, 180, 290])
    model = ScriptedModel(lambda request: found(request, boxes_xyxy=np.tile(boxes, (len(request.frames), 1))))
    names = []

    def load(name, run):
        names.append((name, run.device, run.backend))
        return model

    monkeypatch.setattr(replay_command, "load_model", load)
    return model, names


def result_of(capsys, *words):
    assert main([*words, "--frames", "30", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_prompt_is_asked_of_the_bundled_model_and_followed(scripted, capsys):
    model, names = scripted
    result = result_of(capsys, "track", SAMPLE, "--prompt", "the mug", "--model-latency-ms", "100")
    assert names == [("vitron-tiny", "cpu", "auto")]
    assert model.asked[0].text == "the mug"
    shown = [index for index, item in enumerate(result["frames"]) if item["tracks"]]
    assert 1 < shown[0] < 8
    assert result["frames"][-1]["tracks"][0]["phrase"] == "the mug"


def test_goals_with_prompts_are_replayed_and_another_model_may_be_chosen(scripted, capsys, tmp_path):
    _, names = scripted
    path = tmp_path / "goals.yaml"
    path.write_text("goals: [{prompt: the mug}, {at: 0.2, prompt: the mug, box: [100, 200, 180, 290]}]")
    latency = tmp_path / "latency.txt"
    latency.write_text("0.05\n0.1\n")
    words = ["replay", SAMPLE, "--goals", str(path), "--model", "some/folder", "--model-latency", f"file:{latency}"]
    results = [result_of(capsys, *words) for _ in range(2)]
    assert results[0] == results[1]
    assert names[0] == ("some/folder", "cpu", "auto")
    assert [track["id"] for track in results[0]["frames"][-1]["tracks"]] == [1, 2]


def test_boxes_alone_load_no_model(scripted, capsys):
    _, names = scripted
    result_of(capsys, "track", SAMPLE, "--box", "100,200,80,90")
    assert names == []


def test_help_of_every_command_has_an_example():
    commands = vitron("--help").stdout
    for command in ("track", "ask", "replay", "convert", "eval", "demo", "models", "doctor"):
        assert command in commands
        assert "example" in vitron(command, "--help").stdout
