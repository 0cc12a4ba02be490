"""`vitron ask`: what the model is shown, and how its answer is told."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_language import bpe
from tiny_vitron import tiny_vitron

from tests.fakes import ScriptedModel
from vitron_ros.cli.main import main
from vitron_ros.config import ModelRun
from vitron_ros.grounding.request import Grounded, ModelReply, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.model.checkpoint import save_pretrained
from vitron_ros.module_registry import Module

SECOND = 1_000_000_000
SAMPLE = str(Path(__file__).parents[2] / "bags" / "sample")


def answer(status: ReplyStatus = ReplyStatus.OK, **values):
    return lambda request: ModelReply(
        **{"id": request.id, "task": request.task, "status": status, "score": 0.9, **values}
    )


@pytest.fixture
def asked(monkeypatch):
    """`asked(answer)` is what the model says; it gives the requests that reach the model."""
    names = []

    def script(*answers, **options):
        model = ScriptedModel(*answers, **options)
        monkeypatch.setattr("vitron_ros.cli.ask.load_model", lambda *name: names.append(name) or model)
        return model

    script.names = names
    return script


@pytest.fixture
def photo(tmp_path: Path) -> str:
    rgb = np.zeros((60, 80, 3), np.uint8)
    rgb[:, :, 0] = 200
    cv2.imwrite(str(tmp_path / "photo.png"), rgb[..., ::-1])
    return str(tmp_path / "photo.png")


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """Three seconds at 25 Hz; the grey value tells the index."""
    (tmp_path / "clip").mkdir()
    for index in range(75):
        cv2.imwrite(str(tmp_path / "clip" / f"{index:04}.png"), np.full((60, 80, 3), 3 * index, np.uint8))
    return str(tmp_path / "clip")


def test_of_a_picture_it_sees_the_picture(asked, photo, capsys):
    model = asked(answer(text="a red wall"))
    assert main(["ask", photo, "What is this?", "--region", "10,20,40,40"]) == 0
    assert capsys.readouterr().out == "a red wall\nscore: 0.90\n"
    (request,) = model.asked
    assert request.task is Task.ASK and request.text == "What is this?"
    assert len(request.frames) == 1 and request.frames[0].rgb[0, 0].tolist() == [200, 0, 0]
    assert request.regions[0].points.tolist() == [[10, 20], [40, 40]]
    assert asked.names == [("vitron-tiny", ModelRun())]


@pytest.mark.parametrize(
    ("words", "indices"),
    [
        ([], [28, 35, 42, 49, 56, 63, 70, 74]),
        (["--frames", "3"], [63, 70, 74]),
        (["--frames", "1"], [74]),
        (["--at", "1"], [0, 7, 14, 21, 25]),
        (["--at", "0"], [0]),
        (["--region", "10,20,40,40"], [74]),
        (["--region", "10,20,40,40", "--frames", "2", "--at", "2.0"], [42, 50]),
        (["--fps", "4", "--at", "1.1"], [0, 1, 2, 3, 4]),
    ],
)
def test_of_what_moves_it_sees_the_last_images_a_quarter_of_a_second_apart(asked, folder, words, indices):
    model = asked(answer(text="left"))
    assert main(["ask", folder, "Which way?", *words]) == 0
    assert [frame.index for frame in model.asked[0].frames] == indices
    assert [int(frame.rgb[0, 0, 0]) for frame in model.asked[0].frames] == [3 * index for index in indices]


SMALL = ("--model-weights", "int8", "--model-cache", "fp8")


def test_of_a_bag_it_sees_a_clip(asked, capsys):
    model = asked(answer(text="yes"))
    assert main(["ask", SAMPLE, "Is there a mug?", "--at", "2", "--model", "some/folder", *SMALL]) == 0
    stamps = [frame.stamp_ns for frame in model.asked[0].frames]
    assert len(stamps) == 8
    assert np.diff(stamps).min() >= 0.12 * SECOND and 1.4 * SECOND < stamps[-1] - stamps[0] <= 2 * SECOND
    assert asked.names == [("some/folder", ModelRun(weights="int8", cache="fp8"))]


REPLY = {
    "text": "I will cut it out.",
    "score": 0.75,
    "grounded": (Grounded(label="a ring", box_xyxy=np.array([1.0, 2, 11, 22])),),
    "invocation": Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: red ring",), (0.1, 0.2, 0.5, 0.4)),
}


def test_boxes_and_modules_are_told_in_pixels(asked, photo, capsys):
    asked(answer(**REPLY))
    assert main(["ask", photo, "Cut out the red ring."]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "I will cut it out.",
        "a ring: 1,2,11,22",
        "module: image segmentation",
        "instruction: segmentation: red ring",
        "region: 8,12,40,24",
        "score: 0.75",
    ]
    asked(answer(text="I will draw it.", invocation=Invocation(Module.IMAGE_GENERATION, ("generate: a star",))))
    assert main(["ask", photo, "Draw a star."]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == ["region: the whole image", "score: 0.90"]


def test_json_has_it_all(asked, photo, capsys):
    asked(answer(**REPLY, seconds=0.25))
    assert main(["ask", photo, "Cut out the red ring.", "--region-xywh", "1,2,3,4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "source": photo,
        "model": "vitron-tiny",
        "text": "Cut out the red ring.",
        "regions_xyxy": [[1, 2, 4, 6]],
        "frames": [{"index": 0, "stamp_ns": SECOND}],
        "width": 80,
        "height": 60,
        "status": "ok",
        "message": "",
        "reply": "I will cut it out.",
        "score": 0.75,
        "grounded": [{"label": "a ring", "box_xyxy": [1, 2, 11, 22]}],
        "invocation": {
            "module": "image_segmentation",
            "instructions": ["segmentation: red ring"],
            "region_xyxy": [8, 12, 40, 24],
        },
        "seconds": 0.25,
    }


def test_that_it_is_not_there_is_an_answer(asked, photo, capsys):
    asked(answer(ReplyStatus.ABSENT, text="none", message="tiny does not see it"))
    assert main(["ask", photo, "Where is the mug?"]) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[0] == "none" and "tiny does not see it" in shown.err


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (ReplyStatus.UNKNOWN, 3),
        (ReplyStatus.UNSURE, 3),
        (ReplyStatus.REFUSED, 3),
        (ReplyStatus.UNREADABLE, 1),
        (ReplyStatus.FAILED, 1),
    ],
)
def test_the_exit_code_tells_refused_from_failed(asked, photo, capsys, status, code):
    asked(answer(status, message="tiny was never taught that"))
    assert main(["ask", photo, "Who stands there?"]) == code
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == "vitron ask: tiny was never taught that\n"
    assert main(["ask", photo, "Who stands there?", "--json"]) == code
    assert json.loads(capsys.readouterr().out)["status"] == status.value


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["photo", " "], "the text is empty"),
        (["photo", "What?", "--frames", "9"], "9 frames: this model takes from 1 to 8"),
        (["photo", "What?", "--region", "90,1,95,6"], "lies outside the image of 80x60 pixels"),
        (["nowhere.mp4", "What?"], "nowhere.mp4 does not exist"),
        (["folder", "What?", "--at", "60"], "the last image is at 2.960 s, before 60 s"),
        (["broken.png", "What?"], "broken.png cannot be read"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_reason(asked, photo, folder, tmp_path, capsys, words, says):
    asked(answer(text="?"))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG nothing")
    places = {"photo": photo, "folder": folder, "broken.png": str(tmp_path / "broken.png")}
    assert main(["ask", places.get(words[0], words[0]), *words[1:]]) == 1
    assert says in capsys.readouterr().err


def test_a_real_model_answers_something_or_says_why_not(tmp_path, photo, capsys):
    torch.manual_seed(0)
    save_pretrained(tiny_vitron(), tmp_path / "model", tokenizer=bpe())
    code = main(["ask", photo, "What is this?", "--model", str(tmp_path / "model"), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert (code, said["status"]) in {(0, "ok"), (0, "absent"), (1, "unreadable"), (3, "unsure")}
    assert main(["ask", photo, "What?", "--region", "90,1,95,6", "--model", str(tmp_path / "model")]) == 1
    assert "lies outside the image of 80x60 pixels" in capsys.readouterr().err
    assert main(["ask", photo, "What?", "--model", str(tmp_path / "nowhere")]) == 1


def test_a_model_that_only_finds_says_that_it_answers_no_questions(asked, photo, capsys):
    model = asked(tasks=frozenset([Task.FIND]))
    assert main(["ask", photo, "What colour is the mug?"]) == 3
    printed = capsys.readouterr()
    assert "this model cannot answer questions; it can only find what a phrase describes" in printed.err
    assert not printed.out and not model.asked
    assert main(["ask", photo, "Where is the mug?"]) == 0
    assert capsys.readouterr().out.startswith("the mug: ")
