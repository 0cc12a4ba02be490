"""The services track_phrase and stop, over real DDS: what a caller hears, and when."""

import pytest
from std_srvs.srv import Trigger
from vitron_msgs.srv import TrackPhrase

from tests.ros.colour_model import ColourModel
from tests.ros.rig import Camera, running_node
from vitron_ros.ros_tools.pattern_camera import circle_pictures

pytestmark = pytest.mark.ros
PHRASE = "the purple mug"  # the colour model looks for the colour alone


@pytest.fixture
def scene(probe):
    with running_node(lambda name, run: ColourModel(), model="colours", timeout=2.0) as node:
        camera = Camera(probe).connect()
        camera.pictures = circle_pictures(320, 240)
        yield camera, node


def ask(probe, camera, prompt, **fields):
    """The answer of track_phrase while the camera runs."""
    client = probe.service(TrackPhrase, "track_phrase")
    future = client.call_async(TrackPhrase.Request(prompt=prompt, **fields))
    camera.run_until(future.done, 60)
    return future.result()


def test_a_phrase_is_followed_until_stop(probe, scene):
    camera, _ = scene
    answer = ask(probe, camera, PHRASE)
    assert (answer.success, answer.message) == (True, f"follows {PHRASE}")
    camera.run_until(lambda: probe.tracks and [track.id for track in probe.tracks[-1][1].tracks] == answer.track_ids)
    stopped = probe.call(Trigger, "stop", Trigger.Request())
    assert (stopped.success, stopped.message) == (True, "1 phrases of track_phrase are no longer followed")
    camera.run_until(lambda: not probe.tracks[-1][1].tracks)
    assert probe.call(Trigger, "stop", Trigger.Request()).message.startswith("0 phrases")


def test_a_phrase_that_is_not_found_is_told_after_the_timeout(probe, scene):
    camera, _ = scene
    camera.pictures = [picture[:120, :160].copy() for picture in camera.pictures]  # without the purple circle
    answer = ask(probe, camera, PHRASE)
    assert not answer.success
    assert answer.message
    assert list(answer.track_ids) == []


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"prompt": " "}, "say what to follow"),
        ({"prompt": PHRASE, "camera": "rear"}, "there is no camera 'rear'"),
        ({"prompt": "x" * 3000}, "2,000 characters"),
    ],
)
def test_a_request_that_cannot_be_is_answered_at_once(probe, scene, request_, says):
    answer = ask(probe, scene[0], **request_)
    assert not answer.success
    assert says in answer.message


def test_a_caller_that_waits_is_answered_when_the_node_is_deactivated(probe, scene):
    camera, node = scene
    client = probe.service(TrackPhrase, "track_phrase")
    future = client.call_async(TrackPhrase.Request(prompt="the yellow circle"))
    camera.run(5)
    node.executor.create_task(node.trigger_deactivate)
    probe.spin_until(future.done, 20)
    assert not future.result().success
