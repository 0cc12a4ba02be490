import json
from dataclasses import replace

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, frame, said
from vitron_ros.boxes import iou
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.grounding.request import ReplyStatus
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replay import replay
from vitron_ros.offline.replayed_model import fixed, read_latency
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome, TrackRequest


def textured(count):
    """Frames with a target that moves over a wall; see pattern_camera for the like over DDS."""
    rng = np.random.default_rng(3)
    wall = rng.integers(0, 90, (120, 160, 3), np.uint8)
    face = rng.integers(120, 255, (32, 32, 3), np.uint8)
    for index in range(count):
        made = frame(index)
        rgb = wall.copy()
        rgb[40:72, 20 + index : 52 + index] = face
        yield type(made)(rgb=rgb, stamp_ns=made.stamp_ns, index=index)


def goal(at_s=0.0, **kwargs):
    x = 20 + round(at_s / 0.033)
    request = TrackRequest(region=Region.from_box([x, 40, x + 32, 72]), **kwargs)
    return ScriptedGoal(request=request, at_s=at_s)


def test_two_replays_give_the_same_bytes():
    goals = [goal(prompt="a"), goal(at_s=0.5, prompt="b")]
    runs = [json.dumps(replay(textured(30), goals, PipelineConfig()).as_json()) for _ in range(2)]
    assert runs[0] == runs[1]
    assert '"phrase": "b"' in runs[0]


def test_goals_start_and_end_when_the_script_says():
    script = ScriptedGoal(request=goal(0.33).request, at_s=0.33, cancel_at_s=0.66)
    recording = replay(textured(30), [script], PipelineConfig())
    counts = [len(item.tracks) for item in recording.frames]
    assert counts == [0] * 10 + [1] * 11 + [0] * 9  # the eleventh is the ended track's last report
    assert recording.results[0].outcome is Outcome.CANCELED


def test_a_goal_past_the_end_never_starts():
    recording = replay(textured(3), [goal(), goal(at_s=9, prompt="late")], PipelineConfig())
    assert set(recording.results) == {0}
    assert not recording.found_all
    late = recording.as_json()["goals"][1]
    assert (late["phrase"], late["outcome"], late["message"]) == (
        "late",
        "NOT_STARTED",
        "the recording ended before its time",
    )


def test_a_file_ends_with_what_became_of_its_goals():
    model = ScriptedModel(lambda request: said(request, ReplyStatus.ABSENT))
    goals = [goal(prompt="a"), ScriptedGoal(request=TrackRequest(prompt="b"))]
    recording = replay(textured(60), goals, PipelineConfig(), model=model)
    assert [recording.results[index].outcome for index in range(2)] == [Outcome.OK, Outcome.NOT_FOUND]
    assert recording.results[0].message == "followed to the last image"
    assert "was not found in the recording" in recording.results[1].message
    assert not any("node" in event.text for event in recording.events)


def test_a_file_that_ends_before_the_model_answers_says_so():
    late = ScriptedGoal(request=TrackRequest(prompt="b"), at_s=0.1)
    recording = replay(textured(8), [late], PipelineConfig(), model=ScriptedModel(sees), latency=fixed(3.0))
    assert recording.results[0].outcome is Outcome.TIMEOUT
    assert "ended before the model had answered" in recording.results[0].message


def test_images_that_are_out_of_order_are_left_out_and_named():
    frames = list(textured(6))
    frames[3] = replace(frames[3], stamp_ns=frames[2].stamp_ns - 6_000_000)
    left_out = LeftOut()
    recording = replay(frames, [goal()], PipelineConfig(), on_bad=left_out.note)
    assert [item.index for item in recording.frames] == [0, 1, 2, 4, 5]
    assert left_out.reasons == {3: "it is out of order: an image 6.0 ms newer came before it"}


def test_a_source_that_breaks_off_keeps_what_was_tracked():
    def broken():
        yield from textured(5)
        raise SourceError("the bag breaks off")

    recording = replay(broken(), [goal()], PipelineConfig())
    assert len(recording.frames) == 5
    assert recording.broken_off == "the bag breaks off"
    assert recording.results[0].outcome is Outcome.OK
    assert recording.results[0].message == "followed to the last image"


def truth(index):
    return np.array([20.0 + index, 40, 52 + index, 72])


def sees(request, **values):
    boxes = np.array([truth(item.index) for item in request.frames])
    return found(request, boxes_xyxy=boxes, **values)


PROMPT = ScriptedGoal(request=TrackRequest(prompt="the patch"), at_s=0.1)


def test_a_prompt_becomes_a_track_and_two_replays_give_the_same_bytes():
    runs = [
        json.dumps(replay(textured(60), [PROMPT], PipelineConfig(), model=ScriptedModel(sees)).as_json())
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    (track,) = json.loads(runs[0])["frames"][-1]["tracks"]
    assert track["phrase"] == "the patch"
    assert float(iou(track["box_xyxy"], truth(59))) > 0.8
    assert track["grounded_ns"] > frame(4).stamp_ns


@pytest.mark.parametrize(("latency", "first"), [(0.0, 5), (0.2, 12), (1.0, 42)])
def test_the_reply_comes_after_the_latency_and_the_box_is_of_now(latency, first):
    recording = replay(textured(60), [PROMPT], PipelineConfig(), model=ScriptedModel(sees), latency=fixed(latency))
    shown = [index for index, item in enumerate(recording.frames) if item.tracks]
    assert first - 1 <= shown[0] <= first + 1, "4 frames until the goal, the latency, and some to catch up"
    for index in shown:
        assert float(iou(recording.frames[index].tracks[0].box_xyxy, truth(index))) > 0.7


def test_a_model_that_is_too_slow_is_a_timeout():
    recording = replay(
        textured(60), [PROMPT], PipelineConfig(model_timeout=0.5), model=ScriptedModel(sees), latency=fixed(0.9)
    )
    assert recording.results[0].outcome is Outcome.TIMEOUT


def test_questions_that_come_while_the_model_is_busy_go_as_one_batch():
    model = ScriptedModel(sees)
    goals = [ScriptedGoal(request=TrackRequest(prompt=f"mug {number}"), at_s=0.1 * number) for number in range(4)]
    replay(textured(40), goals, PipelineConfig(), model=model, latency=fixed(0.5))
    assert model.batches[:2] == [1, 2 * 3], "each is looked for in the newest image and in the clip"


def test_a_model_that_fails_ends_the_goal_with_its_words():
    def fail(request):
        raise RuntimeError("out of memory")

    recording = replay(textured(60), [PROMPT], PipelineConfig(), model=ScriptedModel(fail), latency=fixed(0.01))
    assert recording.results[0].outcome is Outcome.MODEL_ERROR
    assert "out of memory" in recording.results[0].message


def test_a_latency_file_is_gone_through_again_and_again(tmp_path):
    path = tmp_path / "latency.txt"
    path.write_text("0.1\n0.3\n")
    latency = read_latency(f"file:{path}")
    assert [latency(9.0) for _ in range(3)] == [0.1, 0.3, 0.1]
    assert read_latency("fixed:0.2")(9.0) == 0.2
    assert read_latency("measured")(9.0) == 9.0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no latency"),
        ("0.2", "fixed:SECONDS"),
        ("fixed:", "not a number"),
        ("fixed:-1", "not a number"),
        ("fixed:nan", "not a number"),
        ("fixed:inf", "not a number"),
        ("file:nowhere.txt", "nowhere.txt"),
        ("measured:2", "there is no latency"),
    ],
)
def test_wrong_latencies_are_named(text, says):
    with pytest.raises(ConfigError, match=says):
        read_latency(text)


def test_an_empty_latency_file_is_named(tmp_path):
    path = tmp_path / "empty.txt"
    path.write_text("\n")
    with pytest.raises(ConfigError, match="no latencies"):
        read_latency(f"file:{path}")
