"""A module's node on a tiny pipeline of diffusers, over real DDS: cancelled, unloaded when idle, and loaded again."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from std_msgs.msg import Header
from vitron_msgs.action import RunModule
from vitron_msgs.msg import Invocation

from tests.ros.rig import running
from vitron_ros.module_registry import Module
from vitron_ros.modules.backends import load_backend
from vitron_ros.region import Region
from vitron_ros.ros.conversions import image_message, outcome_name, region_message
from vitron_ros.ros.module_node import ModuleNode
from vitron_ros.ros.remote_action import RemoteAction

pytestmark = pytest.mark.ros


def goal(**fields):
    pixels = np.full((48, 80, 3), 40, np.uint8)
    pixels[16:30, 30:50] = (220, 30, 30)
    invocation = Invocation(
        module=int(Module.IMAGE_EDITING),
        instructions=["replace: the mug with a blue star"],
        region=[region_message(Region.from_box([28, 14, 52, 32]))],
    )
    return RunModule.Goal(invocation=invocation, images=[image_message(pixels, Header())], **fields)


def load_small(*args):
    """The backend, as if its model had been trained on small images."""
    backend = load_backend(*args)
    backend._pipeline.kind = replace(backend._pipeline.kind, pixels=64 * 64)
    return backend


def test_a_goal_on_a_pipeline_is_cancelled_and_the_pipeline_reloaded(probe, tmp_path):
    pytest.importorskip("diffusers")
    from tests.modules.backends.tiny_pipelines import save_pipeline

    directory = str(save_pipeline("sd-inpaint", tmp_path / "sd-inpaint"))
    make = partial(ModuleNode, "editing", load_small)
    with running(make, backend=directory, idle_unload=1.0, niceness=0) as node:
        client = RemoteAction(probe, RunModule, "editing/run", "editing")

        def run(asked, on_feedback=None):
            call = client.run(asked, on_feedback and (lambda feedback: on_feedback(call, feedback)))
            probe.spin_until(call.result.done, 60)
            return call.result.result()

        def cancel_within(call, feedback):
            if 0 < feedback.progress < 1:
                call.cancel()

        first = run(goal(steps=2))
        assert (outcome_name(first), first.backend) == ("OK", "sd-inpaint (unknown, see the model's page)")
        assert outcome_name(run(goal(steps=500), cancel_within)) == "CANCELED"
        probe.spin_until(lambda: not node._worker.is_loaded, 30)
        again = run(goal(steps=2))
        assert [bytes(image.data) for image in again.images] == [bytes(image.data) for image in first.images]
        client.destroy()
