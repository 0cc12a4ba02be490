"""What a node holds goes when it is told to let go."""

import gc
import weakref

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState

from tests.ros.colour_model import ColourModel
from tests.ros.rig import Camera, running_node

pytestmark = pytest.mark.ros


def test_a_cleanup_lets_the_model_and_the_images_go(probe):
    """The model stayed until the next one had been loaded, and its images for minutes after that."""
    models = []

    def load(*_):
        model = ColourModel()
        models.append(weakref.ref(model))
        return model

    with running_node(load, model="colours") as node:
        camera = Camera(probe).connect()
        camera.run_until(lambda: bool(probe.tracks))
        gc.disable()
        try:
            port = node._ports[""]
            image = weakref.ref(port.last_frame.rgb)
            del port
            for transition in (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP):
                request = ChangeState.Request(transition=Transition(id=transition))
                assert probe.call(ChangeState, "perception/change_state", request).success
            probe.spin_until(lambda: models[0]() is None and image() is None, 30, "model and image to go")
        finally:
            gc.enable()
