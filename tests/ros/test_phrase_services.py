"""The services track_phrase and stop, over real DDS: what a caller hears, and when."""

import pytest
from std_srvs.srv import Trigger
from vitron_msgs.srv import TrackPhrase

from tests.ros.colour_model import ColourModel
from tests.ros.rig import Camera, running_node
from vitron_ros.ros_tools.pattern_camera import circle_pictures

pytestmark = pytest.mark.ros
PHRASE = "the purple mug"  # the colour model looks for the colour alone


class Scene:
    """A node that knows colours, a camera with coloured circles, and clients of the node's services."""

    def __init__(self, probe, node):
        self.node = node
        self.camera = Camera(probe).connect()
        self.camera.pictures = circle_pictures(320, 240)
        self.track, self._stop = (
            probe.create_client(kind, name) for kind, name in ((TrackPhrase, "track_phrase"), (Trigger, "stop"))
        )
        probe.spin_until(lambda: self.track.service_is_ready() and self._stop.service_is_ready(), 20)
        probe.settle()

    def ask(self, prompt, **fields):
        """The answer of track_phrase while the camera runs."""
        return self._answer(self.track.call_async(TrackPhrase.Request(prompt=prompt, **fields)))

    def stop(self):
        """The answer of stop."""
        return self._answer(self._stop.call_async(Trigger.Request()))

    def _answer(self, future):
        self.camera.run_until(future.done)
        return future.result()


@pytest.fixture
def scene(probe, request):
    """The parameter, if any: s in which a phrase must be found."""
    timeout = getattr(request, "param", 60.0)
    with running_node(lambda name, run: ColourModel(), model="colours", timeout=timeout) as node:
        yield Scene(probe, node)


def test_a_phrase_is_followed_until_stop(probe, scene):
    answer = scene.ask(PHRASE)
    assert (answer.success, answer.message) == (True, f"follows {PHRASE}")
    scene.camera.run_until(
        lambda: probe.tracks and [track.id for track in probe.tracks[-1][1].tracks] == list(answer.track_ids)
    )
    stopped = scene.stop()
    assert (stopped.success, stopped.message) == (True, "phrases of track_phrase that are no longer followed: 1")
    scene.camera.run_until(lambda: not probe.tracks[-1][1].tracks)
    assert scene.stop().message.endswith(" 0")


@pytest.mark.parametrize("scene", [1.0], indirect=True)
def test_a_phrase_that_is_not_found_is_told_after_the_timeout(scene):
    scene.camera.pictures = [picture[:120, :160].copy() for picture in scene.camera.pictures]  # without that circle
    answer = scene.ask(PHRASE)
    assert not answer.success
    assert answer.message
    assert list(answer.track_ids) == []


def test_a_request_that_cannot_be_is_answered_at_once(scene):
    for fields, says in (
        ({"prompt": " "}, "say what to follow"),
        ({"prompt": PHRASE, "camera": "rear"}, "there is no camera 'rear'"),
        ({"prompt": "x" * 3000}, "3,000 characters"),
    ):
        answer = scene.ask(**fields)
        assert not answer.success
        assert says in answer.message


@pytest.mark.parametrize("transition", ["deactivate", "shutdown"])
def test_a_caller_that_waits_is_answered_when_the_node_goes(probe, scene, transition):
    future = scene.track.call_async(TrackPhrase.Request(prompt="the yellow circle"))
    scene.camera.run_until(lambda: scene.node._phrases._waiting)
    scene.node.executor.create_task(getattr(scene.node, f"trigger_{transition}"))
    probe.spin_until(future.done, 20)
    assert not future.result().success
