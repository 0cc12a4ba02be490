"""The bag with depth: small, complete, and its truth agrees with its images."""

from pathlib import Path

import numpy as np
import pytest

from bags.depth_scene import FOCAL, FRAMES, MIDDLE, OBJECTS, render
from vitron_ros.geometry.camera_model import camera_model
from vitron_ros.geometry.depth_image import depth_image
from vitron_ros.recordings.bags import Bag, stamp_of
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_3D_TOPIC, read_ground_truth

BAG = Path(__file__).parents[2] / "bags" / "depth"


@pytest.fixture(scope="module")
def bag():
    return Bag(BAG)


def test_it_is_small_and_every_topic_has_a_message_for_every_image(bag):
    assert sum(path.stat().st_size for path in BAG.iterdir()) < 3_000_000
    assert {topic.count for topic in bag.topics.values()} == {FRAMES}
    assert bag.image_topic().name == "/camera/image_raw/compressed", "depth is no image to track in"


def test_boxes_and_positions_of_the_truth_are_one_and_the_same(bag):
    camera = camera_model(next(iter(bag.messages(["/camera/camera_info"]))).value)
    boxes = read_ground_truth(BAG)
    for message in bag.messages([GROUND_TRUTH_3D_TOPIC]):
        for box, track in zip(boxes[stamp_of(message.value.header)], message.value.tracks, strict=True):
            position = np.array([track.position.x, track.position.y, track.position.z])
            middle = (box.box_xyxy[:2] + box.box_xyxy[2:]) / 2
            np.testing.assert_allclose(camera.project(position[:2] / position[2]), middle, atol=1e-3)
            assert box.label == track.label


@pytest.mark.parametrize("index", [0, 75, 149])
def test_it_holds_what_the_scene_draws(bag, index):
    _, depth, truths = render(index)
    message = list(bag.messages(["/camera/depth"]))[index].value
    np.testing.assert_array_equal(depth_image(message).values, depth)
    for item, (_, position) in zip(OBJECTS, truths, strict=True):
        assert position[2] == pytest.approx(item.position(index / 15)[2])
        assert np.abs(position[:2] - item.position(index / 15)[:2]).max() < 0.15 * item.side + 2 * position[2] / FOCAL
    assert (MIDDLE == (160, 120)).all()
