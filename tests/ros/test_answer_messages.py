"""What the model says of things that are followed names their tracks."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_ros.frame import Frame
from vitron_ros.grounding.request import Grounded, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.ros.answer_messages import answer_message

pytestmark = pytest.mark.ros

FRAME = Frame(rgb=np.zeros((100, 200, 3), np.uint8), stamp_ns=5, index=0)
REQUEST = ModelRequest(id="a", task=Task.ASK, frames=(FRAME,), text="cut it out")
CUP = np.array([20.0, 10.0, 60.0, 50.0])
BESIDE = CUP + 25


def answer(seen, region=(0.1, 0.1, 0.3, 0.5)):
    reply = ModelReply(
        id="a",
        task=Task.ASK,
        status=ReplyStatus.OK,
        text="I will.",
        grounded=(Grounded(label="cup", box_xyxy=CUP),),
        invocation=Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: cup",), region),
    )
    result = answer_message(REQUEST, reply, "talk", seen)
    return result.grounded[0].id, result.invocations[0].track_id


@pytest.mark.parametrize(
    ("seen", "track_id"),
    [
        pytest.param({}, 0, id="nothing is followed"),
        pytest.param({7: CUP}, 7, id="this is"),
        pytest.param({7: CUP + 3}, 7, id="the box is drawn a little otherwise"),
        pytest.param({7: BESIDE}, 0, id="something beside it is"),
        pytest.param({3: BESIDE, 7: CUP + 8, 9: CUP + 2}, 9, id="the nearest of several"),
    ],
)
def test_what_is_named_and_followed_has_the_id_of_its_track(seen, track_id):
    assert answer(seen) == (track_id, track_id)


def test_a_module_that_works_on_the_whole_image_concerns_no_target():
    assert answer({7: CUP}, region=None) == (7, 0)
