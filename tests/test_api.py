"""The package in a few lines of Python."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import vitron_ros
from tests.fakes import ScriptedModel, found
from vitron_ros.cli.main import main
from vitron_ros.commands.failure import CommandFailure
from vitron_ros.errors import ConfigError, RegionError, SourceError, VitronError
from vitron_ros.grounding.request import Grounded, ModelReply, ReplyStatus
from vitron_ros.images.codec import encode_png
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.recordings.image_files import read_image
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome
from vitron_ros.tracking.track import EventKind

SAMPLE = Path(__file__).parents[1] / "bags" / "sample"
MUG = [94, 293, 170, 377]


@pytest.fixture
def folder(tmp_path):
    """Ten grey images of 80x60."""
    for index in range(10):
        (tmp_path / f"{index}.png").write_bytes(encode_png(np.full((60, 80, 3), 20 * index, np.uint8)))
    return tmp_path


def test_importing_the_package_brings_nothing_until_it_is_used():
    program = (
        "import sys, vitron_ros; print([n for n in ('torch', 'cv2', 'numpy', 'rclpy') if n in sys.modules]);"
        "vitron_ros.track; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"], done.stderr


def test_the_names_are_there_and_no_others():
    assert set(vitron_ros.__all__) <= set(dir(vitron_ros))
    assert all(getattr(vitron_ros, name).__doc__ for name in vitron_ros.__all__)
    with pytest.raises(AttributeError, match="no attribute 'follow'"):
        vitron_ros.follow  # noqa: B018


def test_tracks_are_those_of_the_command(tmp_path, capsys):
    words = ["track", str(SAMPLE), "--box", ",".join(map(str, MUG)), "--frames", "40", "--export", "mot", "--json"]
    assert main([*words, "--out", str(tmp_path), "--no-film"]) == 0
    expected = json.loads(capsys.readouterr().out)["frames"]
    stream = vitron_ros.track(SAMPLE, boxes=[MUG])
    results = [next(stream) for _ in range(40)]
    assert [result.stamp_ns for result in results] == [item["stamp_ns"] for item in expected]
    for result, item in zip(results, expected, strict=True):
        assert [np.round(track.box_xyxy, 2).tolist() for track in result.tracks] == [
            track["box_xyxy"] for track in item["tracks"]
        ]
    vitron_ros.write_mot(tmp_path / "mine.txt", results)
    assert (tmp_path / "mine.txt").read_bytes() == (tmp_path / "tracks.txt").read_bytes()


def test_a_result_says_what_is_in_the_image_and_draws_it():
    stream = vitron_ros.track(str(SAMPLE), boxes=np.array([MUG]), points=[[385, 260]])
    results = [next(stream) for _ in range(12)]
    assert (stream.source.width, stream.source.height, stream.goals) == (640, 480, [None, None])
    assert [event.kind for event in results[0].events] == [EventKind.STARTED] * 2
    assert str(results[0]).startswith("frame 0 at 1.000 s: #1 tentative [94, 293, 170, 377] 1.00; #2 ")
    plain, paths = results[-1].draw(), results[-1].draw(trajectories=True)
    assert plain.shape == (480, 640, 3) and not np.array_equal(plain, results[-1].frame.rgb)
    assert not np.array_equal(plain, paths)


def test_several_targets_of_a_prompt_are_in_the_results_and_in_their_files(tmp_path):
    candidates = np.array([MUG, [356, 195, 469, 335]], np.float64)

    def sees(request):
        boxes = np.full((len(request.frames), 4), np.nan)
        boxes[-1] = candidates[0]
        scores = np.array([0.9, 0.8])
        return found(request, boxes_xyxy=boxes, candidates_xyxy=candidates, candidate_scores=scores)

    stream = vitron_ros.track(SAMPLE, prompts="all things", max_targets=8, model=ScriptedModel(sees, max_frames=1))
    results = [next(stream) for _ in range(20)]
    assert [(track.id, track.phrase) for track in results[-1].tracks] == [(1, "all things"), (2, "all things")]
    vitron_ros.write_mot(tmp_path / "tracks.txt", results)
    vitron_ros.write_csv(tmp_path / "tracks.csv", results)
    last = [line.split(",") for line in (tmp_path / "tracks.txt").read_text().splitlines() if line.startswith("20,")]
    assert [row[1] for row in last] == ["1", "2"]
    assert (tmp_path / "tracks.csv").read_text().count("all things") == sum(len(item.tracks) for item in results)


def test_a_prompt_is_found_by_the_model_that_is_given():
    box = np.array([100.0, 200, 180, 290])
    model = ScriptedModel(lambda request: found(request, boxes_xyxy=np.tile(box, (len(request.frames), 1))))
    stream = vitron_ros.track(SAMPLE, prompts="the mug", model=model)
    first = next(result for result in stream if result.tracks)
    assert 1 < first.index < 20
    assert first.tracks[0].phrase == model.asked[0].text == "the mug"


def test_at_the_end_every_goal_has_its_outcome(folder):
    stream = vitron_ros.track(folder, boxes=[[10, 10, 40, 40]])
    assert len(list(stream)) == 10
    assert stream.goals[0].outcome in (Outcome.OK, Outcome.LOST)
    assert list(stream) == []


def test_a_closed_stream_lets_its_source_go(folder):
    stream = vitron_ros.track(folder, boxes=[[10, 10, 40, 40]])
    closed = []

    def frames(read=stream.source.frames):
        try:
            yield from read()
        finally:
            closed.append(True)

    object.__setattr__(stream.source, "frames", frames)
    next(stream)
    stream.close()
    assert closed == [True]
    assert list(stream) == []


def test_a_source_that_breaks_off_gives_what_it_has_and_then_raises(folder, monkeypatch):
    stream = vitron_ros.track(folder, boxes=[[10, 10, 40, 40]])
    frames = iter(list(stream.source))

    def broken():
        yield from (next(frames) for _ in range(3))
        raise SourceError("the disk is gone")

    object.__setattr__(stream.source, "frames", broken)
    seen = []
    with pytest.raises(SourceError, match="the disk is gone"):
        seen += [seen.append(result) for result in stream]
    assert len(seen) == 3
    assert stream.goals[0] is not None


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({}, ConfigError, "say what to track"),
        ({"boxes": []}, ConfigError, "say what to track"),
        ({"boxes": [1, 2, 30, 40]}, ConfigError, r"boxes must be \(N, 4\), such as \[\[230"),
        ({"boxes": [[1, 2, 30]]}, ConfigError, "boxes must be"),
        ({"boxes": [[1, 2, 3, 4], [1, 2]]}, ConfigError, "boxes must be"),
        ({"boxes": [["a", 2, 3, 4]]}, ConfigError, "boxes must be numbers"),
        ({"boxes": [[40, 40, 10, 10]]}, RegionError, "has no area"),
        ({"boxes": [[90, 10, 99, 20]]}, RegionError, "lies outside the image of 80x60"),
        ({"boxes": [[float("nan"), 10, 99, 20]]}, RegionError, "finite"),
        ({"points": [[90, 10]]}, RegionError, "lies outside"),
        ({"points": [3, 4]}, ConfigError, r"points must be \(N, 2\)"),
        ({"prompts": " "}, ConfigError, "say what to follow"),
        ({"prompts": ["a ring"], "model": "/nowhere"}, VitronError, "/nowhere"),
        ({"boxes": [[1, 2, 30, 40]], "tracker": "magic"}, ConfigError, "magic"),
        ({"boxes": [[1, 2, 30, 40]], "fps": 0}, SourceError, "not a frame rate"),
    ],
)
def test_what_cannot_be_tracked_is_refused_before_the_first_image(folder, arguments, error, says):
    with pytest.raises(error, match=says):
        vitron_ros.track(folder, **arguments)


def reply(request):
    return ModelReply(
        id=request.id, task=request.task, status=ReplyStatus.OK, text="I will cut it out.", score=0.75,
        grounded=(Grounded(label="a ring", box_xyxy=np.array([1.0, 2, 11, 22])),),
        invocation=Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: the ring",), (0.1, 0.2, 0.5, 0.4)),
    )  # fmt: skip


def test_an_answer_is_in_pixels(folder):
    model = ScriptedModel(reply)
    region = Region.from_polygon([[1, 1], [20, 1], [20, 20]])
    answer = vitron_ros.ask(folder, "Cut this out.", at=0.2, regions=[[5, 6, 20, 30], region], model=model)
    assert [item.index for item in answer.frames] == [5]
    assert model.asked[0].regions[1] is region
    assert answer.is_answered and answer.status is ReplyStatus.OK and answer.score == 0.75
    assert answer.boxes.tolist() == [[1, 2, 11, 22]]
    assert answer.invocation.module is Module.IMAGE_SEGMENTATION
    np.testing.assert_allclose(answer.invocation.box_xyxy, [8, 12, 40, 24])
    assert "a ring: 1,2,11,22" in str(answer)


def test_no_answer_says_why(folder):
    failed = ScriptedModel(
        lambda request: ModelReply(id=request.id, task=request.task, status=ReplyStatus.FAILED, message="no memory")
    )
    answer = vitron_ros.ask(folder, "What is it?", model=failed)
    assert not answer.is_answered and answer.boxes.shape == (0, 4)
    assert str(answer) == "failed: no memory"


@pytest.mark.parametrize(
    ("text", "arguments", "error", "says"),
    [
        (" ", {}, ConfigError, "the text is empty"),
        ("a" * 3000, {}, ConfigError, "3,000 characters"),
        ("What?", {"at": -1}, ConfigError, "0 or more"),
        ("What?", {"at": float("nan")}, ConfigError, "0 or more"),
        ("What?", {"at": 60}, SourceError, "the last image is at 0.360 s"),
        ("What?", {"frames": 0}, ConfigError, "from 1 to 8"),
        ("What?", {"min_score": 2}, ConfigError, "0 to 1"),
        ("What?", {"regions": [[1, 2, 3]]}, ConfigError, "regions must be"),
        ("What?", {"regions": [[90, 1, 95, 6]]}, RegionError, "lies outside the image of 80x60"),
    ],
)
def test_what_cannot_be_asked_is_refused(folder, text, arguments, error, says):
    with pytest.raises(error, match=says):
        vitron_ros.ask(folder, text, model=ScriptedModel(reply), **arguments)


def test_the_bundled_model_is_loaded_by_its_name():
    assert vitron_ros.load_model("vitron-tiny").max_frames == 8
    with pytest.raises(ConfigError):
        vitron_ros.load_model("vitron-tiny", backend="magic")


@pytest.fixture
def photo(tmp_path):
    """A red square from 20 to 60 px on grey."""
    rgb = np.full((90, 120, 3), 120, np.uint8)
    rgb[20:60, 20:60] = (210, 30, 30)
    (tmp_path / "photo.png").write_bytes(encode_png(rgb))
    return tmp_path / "photo.png"


SQUARE = [18, 18, 62, 62]


def test_a_command_gives_the_pictures_of_the_command_line(photo, tmp_path):
    box = ",".join(map(str, SQUARE))
    assert main(["do", str(photo), "make this blue", "--region", box, "--out", str(tmp_path / "out")]) == 0
    reply = vitron_ros.do(photo, "make this blue", regions=[SQUARE])
    assert reply.text == "make this blue: done"
    (image,) = reply.pictures.shown.images
    assert np.array_equal(image, read_image(tmp_path / "out" / "image.png"))


@pytest.mark.parametrize(
    ("texts", "channel"), [(["make this blue", "make it green"], 1), (["make this blue", "make it green", "undo"], 2)]
)
def test_a_conversation_gives_the_newest_pictures_that_were_not_undone(photo, texts, channel):
    reply = vitron_ros.do(photo, texts, regions=[SQUARE])
    assert reply.pictures.shown.images[0][40, 40].argmax() == channel


def test_where_all_is_undone_nothing_is_written(photo, tmp_path):
    words = ["make this blue", "undo", "--region", "18,18,62,62"]
    assert main(["do", str(photo), *words, "--out", str(tmp_path / "out")]) == 0
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "arguments", "error", "says"),
    [
        ([], {}, ConfigError, "give a sentence"),
        ("undo", {}, CommandFailure, "nothing to undo"),
        ("make this blue", {"at": -1}, ConfigError, "at is -1; it must be at least 0"),
        ("make this blue", {"backends": {"edit": "x"}}, ConfigError, "backends has edit; there are segmentation, "),
        ("make this blue", {"min_score": 2}, ConfigError, "min_score is 2; it must be at most 1"),
        ("make this blue", {"regions": [[1, 2, 3]]}, ConfigError, "regions must be"),
        ("make this blue", {"regions": [[900, 1, 950, 6]]}, RegionError, "lies outside the image of 120x90"),
    ],
)
def test_what_cannot_be_done_is_refused(photo, text, arguments, error, says):
    with pytest.raises(error, match=says):
        vitron_ros.do(photo, text, **arguments)
