"""A real node whose model is a saved Grounding DINO directory with random weights: one that finds, and nothing else."""

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track

from tests.grounding.families.tiny import grounding_dino
from tests.ros.rig import Camera, running_node
from vitron_ros.grounding.request import Task
from vitron_ros.streaming.models import load_model

pytestmark = pytest.mark.ros
PHRASE = "the red square on the left"
PARAMETERS = {"feedback_rate": 1000.0, "model_timeout": 60.0}


def test_a_goal_is_found_asked_about_again_and_cancelled(probe, tmp_path):
    asked, models = [], []

    def load(name, run):
        model = load_model(name, run)
        answer = model.reply
        model.reply = lambda requests: asked.extend(requests) or answer(requests)
        models.append(model)
        return model

    with running_node(load, model=str(grounding_dino(tmp_path)), **PARAMETERS):
        camera = Camera(probe).connect()
        camera.run_until(lambda: probe.tracks)
        handle = probe.send(TrackObject.Goal(prompt=PHRASE))
        camera.run_until(lambda: [track.state for track in probe.tracks[-1][1].tracks] == [Track.TRACKED])
        (track,) = probe.tracks[-1][1].tracks
        assert track.phrase == PHRASE
        before, found = len(asked), probe.tracks[-1][1].grounded
        camera.run_until(lambda: len(asked) - before > 1)  # it is asked whether the target is still right
        assert {(request.task, request.text) for request in asked} == {(Task.FIND, PHRASE)}
        camera.run_until(lambda: probe.feedback and probe.tracks[-1][1].grounded != found)  # the model confirms it
        assert camera.answer().tracks[0].id == track.id
        several = probe.send(TrackObject.Goal(prompt="all red squares", max_targets=3))
        camera.run_until(lambda: len(probe.tracks[-1][1].tracks) >= 3)
        assert len({track.id for track in probe.tracks[-1][1].tracks}) == len(probe.tracks[-1][1].tracks)
        results = [probe.cancel(goal) for goal in (handle, several)]
        assert {result.error_code for result in results} == {TrackObject.Result.CANCELED}
        assert len(results[0].tracks) == 1 and 2 <= len(results[1].tracks) <= 3
        camera.run_until(lambda: not probe.tracks[-1][1].tracks)
    assert models[0].tasks == {Task.FIND}
