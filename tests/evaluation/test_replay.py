import json

from tests.fakes import frame
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.goal_script import ScriptedGoal
from vitron_ros.evaluation.replay import replay
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome, TrackRequest


def textured(count):
    """Frames with a target that moves over a wall; see pattern_camera for the like over DDS."""
    import numpy as np

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
    counts = [len(tracks) for _, tracks in recording.frames]
    assert counts == [0] * 10 + [1] * 11 + [0] * 9  # the eleventh is the ended track's last report
    assert recording.results[0].outcome is Outcome.CANCELED


def test_a_goal_past_the_end_never_starts():
    assert replay(textured(3), [goal(at_s=9)], PipelineConfig()).results == {}


def test_a_source_that_breaks_off_keeps_what_was_tracked():
    def broken():
        yield from textured(5)
        raise SourceError("the bag breaks off")

    recording = replay(broken(), [goal()], PipelineConfig())
    assert len(recording.frames) == 5
    assert recording.broken_off == "the bag breaks off"
    assert recording.results[0].outcome is Outcome.SHUTDOWN
