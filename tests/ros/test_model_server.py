"""A real node whose model is behind a server that goes away and comes back."""

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_msgs.action import TrackObject

from tests.grounding.families.fake_server import FakeServer, image_of, parts
from tests.ros.rig import Camera, running_node
from vitron_ros.grounding.families.box_text import QWEN3_VL, write_boxes
from vitron_ros.ros_tools.pattern_camera import target_boxes

pytestmark = pytest.mark.ros
SIZE = (320, 240)
PARAMETERS = {"model_timeout": 5.0, "model_tries": 50, "feedback_rate": 1000.0, "diagnostics_period": 0.1}


def test_goals_go_on_while_the_server_is_gone_and_new_ones_are_served_when_it_is_back(probe):
    camera = Camera(probe)

    def see(body):
        number = int("second" in str(body["messages"]))
        return write_boxes(target_boxes(shown(body), 2, *SIZE)[number], ["square"], QWEN3_VL, SIZE)

    def shown(body):
        """Number of the picture that the newest image of a request is of; the camera may be ahead of it."""
        image = cv2.resize(image_of(parts(body, "image_url")[-1]), SIZE)[::4, ::4].astype(int)
        return int(np.argmin([np.abs(image - picture[::4, ::4]).mean() for picture in camera.pictures]))

    def phrases():
        return {track.phrase for track in probe.tracks[-1][1].tracks}

    def model_says(words):
        statuses = [status for _, message in probe.diagnostics for status in message.status]
        return any(words in status.message for status in statuses)

    with FakeServer(see) as server, running_node(model=server.url, **PARAMETERS):
        camera.connect()
        camera.run_until(lambda: probe.tracks)
        first = probe.send(TrackObject.Goal(prompt="the first square"))
        camera.run_until(lambda: phrases() == {"the first square"})
        server.__exit__()
        second = probe.send(TrackObject.Goal(prompt="the second square"))
        camera.run_until(lambda: model_says("cannot connect to http://127.0.0.1"))
        assert phrases() == {"the first square"}, "what is followed needs no server"
        with server:
            camera.run_until(lambda: phrases() == {"the first square", "the second square"})
            error_codes = {probe.cancel(handle).error_code for handle in (first, second)}
        assert error_codes == {TrackObject.Result.CANCELED}
