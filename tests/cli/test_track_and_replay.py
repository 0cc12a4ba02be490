"""The commands as a user types them, each in a process of its own."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, said
from tests.grounding.families.tiny import grounding_dino
from vitron_ros.cli import run_goals
from vitron_ros.cli.main import main
from vitron_ros.grounding.request import ReplyStatus
from vitron_ros.images.codec import encode_jpeg, encode_png
from vitron_ros.recordings.sources import open_source

ROOT = Path(__file__).parents[2]
SAMPLE = str(ROOT / "bags" / "sample")


def vitron(*words):
    return subprocess.run(
        [sys.executable, "-m", "vitron_ros.cli.main", *words], capture_output=True, text=True, cwd=ROOT
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
            "replay",
            SAMPLE,
            "--goals",
            str(goals),
            "--frames",
            "60",
            "--masks",
            "--out",
            str(tmp_path / name),
            "--json",
        )
        assert done.returncode == 0, done.stderr
        outputs.append((done.stdout, (tmp_path / name / "tracks.json").read_bytes()))
    assert outputs[0] == outputs[1]
    result = json.loads(outputs[0][0])
    assert len(result["frames"]) == 60
    assert {track["phrase"] for track in result["frames"][-1]["tracks"]} == {"mug", "box"}
    seen = [track for frame in result["frames"] for track in frame["tracks"] if track["state"] == "TRACKED"]
    assert {tuple(track["mask"]["size"]) for track in seen} == {(480, 640)}


def test_track_writes_a_film_with_every_frame(tmp_path):
    done = vitron(
        "track", SAMPLE, "--box", "100,200,180,290", "--frames", "20", "--out", str(tmp_path / "new" / "folder")
    )
    assert done.returncode == 0, done.stderr
    assert "goal 1: seen in" in done.stdout
    assert len(list(open_source(str(tmp_path / "new" / "folder" / "tracks.mp4")))) == 20


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["track", SAMPLE], "say what to track with --box"),
        (["track", SAMPLE, "--prompt", " "], "say what to follow"),
        (["track", SAMPLE, "--prompt", "mug", "--model-latency", "soon"], "there is no latency"),
        (["track", SAMPLE, "--box", "1,2,30,40", "--export", "mot"], "give --out FOLDER"),
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

    monkeypatch.setattr(run_goals, "load_model", load)
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
    result_of(capsys, "track", SAMPLE, "--box", "100,200,180,290")
    assert names == []


def test_a_target_that_is_not_there_has_an_exit_code_of_its_own_and_words(monkeypatch, capsys):
    model = ScriptedModel(lambda request: said(request, ReplyStatus.ABSENT))
    monkeypatch.setattr(run_goals, "load_model", lambda name, run: model)
    words = ["track", SAMPLE, "--prompt", "the pink car", "--box", "100,200,180,290", "--frames", "30"]
    assert main(words) == 3
    printed = capsys.readouterr()
    assert 'goal 2 "the pink car": NOT_FOUND: "the pink car" was not found in the recording' in printed.out
    assert "deactivated" not in printed.out
    assert main([*words, "--json"]) == 3
    box, phrase = json.loads(capsys.readouterr().out)["goals"]
    assert (box["phrase"], box["outcome"], box["frames_tracked"]) == ("", "OK", 30)
    assert (phrase["phrase"], phrase["outcome"], phrase["frames_tracked"]) == ("the pink car", "NOT_FOUND", 0)


def test_a_film_that_cannot_be_made_costs_no_tracks(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for index in range(3):
        (tmp_path / "images" / f"{index}.png").write_bytes(encode_png(np.full((240, 1, 3), 40 * index, np.uint8)))
    out = tmp_path / "out"
    assert main(["track", str(tmp_path / "images"), "--box", "0,80,1,120", "--out", str(out)]) == 1
    assert "no video: images of 1x240 make no video" in capsys.readouterr().err
    result = json.loads((out / "tracks.json").read_text())
    assert len(result["frames"]) == 3
    assert result["film"] == {
        "file": "",
        "problem": "images of 1x240 make no video; it needs 2 pixels in each direction",
    }
    assert not (out / "tracks.mp4").exists()


def test_images_left_out_are_counted_and_named_in_text_and_json(tmp_path, capsys):
    for index in range(7):
        rgb = np.full((48, 64, 3), 30 * index, np.uint8)
        (tmp_path / f"{index}.jpg").write_bytes(b"cut" if 1 < index < 6 else encode_jpeg(rgb))
    words = ["track", str(tmp_path), "--box", "5,5,35,35"]
    main(words)
    printed = capsys.readouterr()
    assert "3 frames, 4 left out" in printed.out
    assert "image 2 was left out: 2.jpg: the image is not a JPEG, PNG or TIFF" in printed.err
    assert "1 more were left out" in printed.err
    main([*words, "--json"])
    bad = json.loads(capsys.readouterr().out)["bad_frames"]
    assert [item["index"] for item in bad] == [2, 3, 4, 5]
    assert all("not a JPEG, PNG or TIFF" in item["reason"] for item in bad)


def test_tracks_are_exported_and_their_paths_drawn(tmp_path, capsys):
    words = ["track", SAMPLE, "--box", "100,200,180,290", "--frames", "4", "--export", "mot", "--export", "csv"]
    assert main([*words, "--out", str(tmp_path / "plain")]) == 0
    assert main([*words, "--out", str(tmp_path / "paths"), "--trajectories"]) == 0
    mot = (tmp_path / "plain" / "tracks.txt").read_text().splitlines()
    assert mot[0] == "1,1,100.00,200.00,80.00,90.00,1.0000,-1,-1,-1"
    assert [line.split(",")[0] for line in mot] == ["1", "2", "3", "4"]
    header, *rows = (tmp_path / "plain" / "tracks.csv").read_text().splitlines()
    assert header.startswith("frame,stamp_ns,id,phrase,state,score,x_min") and len(rows) == 4
    assert (tmp_path / "plain" / "tracks.json").read_bytes() == (tmp_path / "paths" / "tracks.json").read_bytes()
    assert (tmp_path / "plain" / "tracks.mp4").read_bytes() != (tmp_path / "paths" / "tracks.mp4").read_bytes()


def test_without_a_display_show_says_what_to_do(monkeypatch, capsys):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["track", SAMPLE, "--box", "100,200,180,290", "--show"]) == 1
    printed = capsys.readouterr().err
    assert "there is no display" in printed and "--out" in printed and printed.count("\n") == 1


def test_closing_the_window_ends_the_run(monkeypatch, capsys):
    shown = []

    class Window:
        is_closed = False

        def __init__(self, title):
            pass

        def show(self, rgb, stamp_ns):
            shown.append(rgb.shape)
            self.is_closed = len(shown) == 3

        def close(self):
            shown.append("closed")

    monkeypatch.setattr(run_goals, "DisplayWindow", Window)
    assert main(["track", SAMPLE, "--box", "100,200,180,290", "--show", "--json"]) == 0
    assert shown == [(480, 640, 3)] * 3 + ["closed"]
    assert len(json.loads(capsys.readouterr().out)["frames"]) == 3


def test_help_of_every_command_has_an_example():
    commands = vitron("--help").stdout
    for command in ("track", "ask", "replay", "convert", "eval", "demo", "models", "doctor"):
        assert command in commands
        assert "example" in vitron(command, "--help").stdout


def test_phrases_are_found_by_a_detector_from_its_directory_and_replays_are_byte_identical(tmp_path):
    directory, goals = grounding_dino(tmp_path / "detector"), tmp_path / "goals.yaml"
    goals.write_text("goals: [{prompt: the red mug}, {prompt: all mugs, max_targets: 3}]")
    outputs = []
    for _ in range(2):
        done = vitron("replay", SAMPLE, "--goals", str(goals), "--model", str(directory), "--frames", "30", "--json")
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    phrases = [track["phrase"] for track in json.loads(outputs[0])["frames"][-1]["tracks"]]
    assert sorted(phrases) == ["all mugs"] * 3 + ["the red mug"]


def test_as_many_targets_are_followed_as_were_asked_for(capsys):
    boxes = [word for index in range(18) for word in ("--box", f"{10 + 30 * index},200,{40 + 30 * index},240")]
    assert len(result_of(capsys, "track", SAMPLE, *boxes, "--frames", "2")["frames"][-1]["tracks"]) == 18


def test_a_phrase_in_one_image_is_a_question(tmp_path, capsys):
    (tmp_path / "photo.png").write_bytes(encode_png(np.zeros((60, 80, 3), np.uint8)))
    assert main(["track", str(tmp_path / "photo.png"), "--prompt", "the mug", "--model", "nowhere"]) == 2
    assert "is one image, over before a model answers; ask where a thing is: vitron ask" in capsys.readouterr().err


@pytest.fixture
def interrupts():
    """Sets what Ctrl-C does in a process: a shell has it ignored by what it runs in the background."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


def test_a_run_in_the_background_goes_on_ignoring_ctrl_c(monkeypatch, tmp_path, interrupts):
    interrupts(signal.SIG_IGN)

    def draw(rgb, overlays):
        signal.raise_signal(signal.SIGINT)
        return rgb

    monkeypatch.setattr(run_goals, "draw_tracks", draw)
    out = tmp_path / "out"
    assert main(["track", SAMPLE, "--box", "100,200,180,290", "--frames", "4", "--out", str(out)]) == 0
    assert open_source(str(out / "tracks.mp4")).count == 4
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_ends_a_run_with_its_results_and_a_second_one_without(
    monkeypatch, tmp_path, capsys, interrupts, presses
):
    interrupts(signal.default_int_handler)
    drawn = []

    def draw(rgb, overlays):
        drawn.append(rgb)
        for _ in range(presses if len(drawn) == 3 else 0):
            signal.raise_signal(signal.SIGINT)  # while an image is worked on, not while one is read
        return rgb

    monkeypatch.setattr(run_goals, "draw_tracks", draw)
    out = tmp_path / "out"
    code = main(["track", SAMPLE, "--box", "100,200,180,290", "--frames", "9", "--out", str(out), "--json"])
    written = sorted(path.name for path in out.iterdir())
    if presses == 1:
        assert (code, written) == (0, ["tracks.json", "tracks.mp4"])
        assert len(json.loads(capsys.readouterr().out)["frames"]) == open_source(str(out / "tracks.mp4")).count
        assert len(drawn) == 3
    else:
        assert (code, written) == (130, [])
        assert capsys.readouterr().err.endswith("vitron track: interrupted\n")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
