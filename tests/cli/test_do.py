"""`vitron do`, `segment`, `edit` and `generate`: files from a sentence, and from a job."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.recordings.sources import open_source

DEMO = str(Path(__file__).parents[2] / "bags" / "demo")


@pytest.fixture
def photo(tmp_path):
    """A red square from 20 to 60 px on grey."""
    bgr = np.full((90, 120, 3), 120, np.uint8)
    bgr[20:60, 20:60] = (30, 30, 210)
    cv2.imwrite(str(tmp_path / "photo.png"), bgr)
    return str(tmp_path / "photo.png")


def test_a_conversation_about_a_moment_of_the_demo_leaves_its_last_picture(tmp_path, capsys):
    texts = ["cut out the green star and make it blue", "again, but red"]
    assert main(["do", DEMO, *texts, "--at", "10.8", "--out", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["done"][1]["reply"] == "make it red: done" and told["path"] == str(tmp_path / "out")
    x_min, y_min, x_max, y_max = map(int, told["done"][0]["target"]["box_xyxy"])
    picture = cv2.imread(str(tmp_path / "out" / "image.png"))
    blue, green, red = picture[(y_min + y_max) // 2, (x_min + x_max) // 2].astype(int)
    assert red > blue + 50 and red > green + 50


def test_a_marked_thing_of_a_photo(photo, tmp_path, capsys):
    arguments = ["--region", "18,18,62,62", "--out", str(tmp_path / "out")]
    assert main(["do", photo, "make this blue", *arguments]) == 0
    assert "make this blue: done" in capsys.readouterr().out
    assert (cv2.imread(str(tmp_path / "out" / "image.png"))[40, 40, 0] > 100).all()
    assert main(["do", photo, "make this blue", *arguments]) == 1
    assert "choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [("make it blue", 3, "what is meant"), ("undo", 3, "nothing to undo"), ("draw a zebra", 1, "zebra")],
)
def test_what_cannot_be_done_is_one_sentence(photo, tmp_path, capsys, text, code, says):
    assert main(["do", photo, text, "--out", str(tmp_path / "out")]) == code
    assert says in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_what_was_done_before_a_sentence_failed_is_written(photo, tmp_path, capsys):
    texts = ["make this blue", "play it back", "draw a zebra"]
    assert main(["do", photo, *texts, "--region", "18,18,62,62", "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "zebra" in said.err and f"look at {tmp_path / 'out'}" in said.out
    assert (cv2.imread(str(tmp_path / "out" / "image.png"))[40, 40, 0] > 100).all()


def test_a_job_for_scripts(photo, tmp_path, capsys):
    def look(*arguments):
        code = main([*arguments, "--out", str(tmp_path / arguments[0])])
        return code, capsys.readouterr().out

    assert look("segment", photo, "--region", "18,18,62,62")[0] == 0
    mask = cv2.imread(str(tmp_path / "segment" / "mask.png"), cv2.IMREAD_GRAYSCALE)
    assert mask[40, 40] == 255 and mask[80, 100] == 0
    code, out = look("edit", photo, "remove", "--region", "18,18,62,62", "--json")
    assert (code, json.loads(out)["module"]) == (0, "image_editing")
    assert cv2.imread(str(tmp_path / "edit" / "image.png"))[40, 40, 2] < 180
    assert look("generate", "a red ball moving up", "--clip", "--frames", "3", "--size", "64x48")[0] == 0
    assert [image.rgb.shape for image in open_source(str(tmp_path / "generate" / "images.mp4"))] == [(48, 64, 3)] * 3


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["edit", "PHOTO", "recolour", "to plaid", "--region", "18,18,62,62"], 1, "no new colour"),
        (["edit", "PHOTO", "remove"], 1, "needs an object"),
        (["segment", "PHOTO", "--region", "1,1,9,9", "--region", "2,2,9,9"], 1, "one object"),
        (["segment", "PHOTO", "--region", "500,1,900,9"], 1, "outside the image"),
        (["generate", "a ball", "--region", "1,1,9,9"], 2, "--animate"),
        (["generate", "a ball", "--frames", "3"], 2, "give --clip, too"),
        (["generate", "it falls", "--animate", "PHOTO", "--size", "64x48"], 2, "leave it out"),
        (["generate", "a ball", "--size", "9000x9000"], 1, "max_pixels"),
        (["generate", "a ball", "--formats", "gif"], 1, "not as 'gif'"),
        (["edit", "PHOTO", "remove", "--at", "9"], 1, "before 9 s"),
        (["segment", "PHOTO", "--backend", "nowhere"], 1, "not a directory"),
    ],
)
def test_a_job_that_cannot_be_is_refused(photo, tmp_path, capsys, arguments, code, says):
    given = [photo if word == "PHOTO" else word for word in arguments]
    assert main([*given, "--out", str(tmp_path / "out")]) == code
    assert says in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["photo.png/out", "photo.png/deep/out"])
def test_a_place_where_nothing_can_be_written_is_told_before_the_work(photo, monkeypatch, capsys, place):
    monkeypatch.setattr("vitron_ros.cli.module_job.load_backend", lambda *_: pytest.fail("the backend was loaded"))
    out = str(Path(photo).parent / place)
    assert main(["segment", photo, "--region", "18,18,62,62", "--out", out]) == 1
    assert "is no folder that you may write to" in capsys.readouterr().err
