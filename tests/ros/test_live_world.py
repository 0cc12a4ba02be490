"""The world of a command where this node is behind perception."""

import threading

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_msgs.action import Command

from tests.ros.test_image_history import history, push, stamps
from vitron_ros.clock import SECOND_NS
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Target
from vitron_ros.commands.settings import CommandConfig
from vitron_ros.modules.module import Progress
from vitron_ros.region import Region
from vitron_ros.ros import live_world
from vitron_ros.ros.live_world import Links, LiveWorld


def world_with(kept):
    links = Links(node=None, converse=None, track=None, modules={}, histories={"": kept}, tracks={}, play=print)
    return LiveWorld(links, CommandConfig(), Command.Goal(), "default")


def target(second):
    return Target(phrase="", region=Region.from_box([1, 1, 9, 9]), stamp_ns=second * SECOND_NS)


def test_an_image_that_was_answered_for_and_is_still_in_the_queue_is_waited_for():
    """The answer overtakes it where the executor was held up: it takes one image in a turn, and the answer at once."""
    kept = history()
    push(kept, 5)
    late = threading.Timer(0.1, push, (kept, 6, 7, 8))
    late.start()
    images, _ = world_with(kept)._image(target(7), Progress())
    assert stamps(images) == [7]
    late.join()


@pytest.mark.parametrize(("second", "says"), [(9, "has not come to this node"), (7, "not from 7.000 s")])
def test_an_image_that_was_missed_is_told(monkeypatch, second, says):
    monkeypatch.setattr(live_world, "MARGIN_S", 0.05)
    kept = history()
    push(kept, 6, 8)
    with pytest.raises(CommandFailure, match=says) as caught:
        world_with(kept)._image(target(second), Progress())
    assert caught.value.outcome is Outcome.INPUT_STALE
