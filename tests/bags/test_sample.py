"""The sample bag: it is what its script makes, and its boxes are true."""

import importlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from vitron_ros.offline.goal_script import read_goals
from vitron_ros.recordings.bags import Bag, read_images
from vitron_ros.recordings.ground_truth import read_ground_truth

BAGS = Path(__file__).parents[2] / "bags"
SAMPLE = BAGS / "sample"


@pytest.fixture(scope="module")
def scene():
    return importlib.import_module("bags.scene")  # paints its textures, half a second


@pytest.fixture(scope="module")
def truth():
    return read_ground_truth(SAMPLE)


def test_the_bag_is_small_and_complete(scene, truth):
    assert sum(file.stat().st_size for file in SAMPLE.iterdir()) < 3_000_000
    counts = {name: topic.count for name, topic in Bag(SAMPLE).topics.items()}
    assert counts == dict.fromkeys(
        ["/camera/image_raw/compressed", "/camera/camera_info", "/ground_truth"], scene.FRAMES
    )
    stamps = [frame.stamp_ns for frame in read_images(SAMPLE)]
    assert stamps == list(truth)
    assert np.abs(np.diff(stamps) - 1e9 / 30).max() <= 1


@pytest.mark.parametrize("index", [0, 97, 239])
def test_the_script_makes_the_frames_that_are_in_the_bag(scene, truth, index):
    """Loosely, since builds of OpenCV differ in how they draw and code."""
    rgb, truths = scene.render(index)
    frame = next(frame for frame in read_images(SAMPLE) if frame.index == index)
    assert cv2.PSNR(np.ascontiguousarray(frame.rgb), rgb) > 28
    recorded = {true.id: true for true in truth[frame.stamp_ns]}
    assert sorted(recorded) == [true.id for true in truths]
    for true in truths:
        assert np.abs(recorded[true.id].box_xyxy - true.box_xyxy).max() <= 1.5
        assert abs(recorded[true.id].visibility - true.visibility) < 0.05


def test_a_frame_is_the_same_each_time(scene):
    (first, _), (again, _) = scene.render(50), scene.render(50)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("index", [20, 140])
def test_a_box_holds_just_the_pixels_that_its_object_changes(scene, monkeypatch, index):
    """The mug is taken out of the scene: what looks different then is the mug."""
    monkeypatch.setattr(scene, "_cast_shadow", lambda canvas, opacity: None)
    monkeypatch.setattr(scene, "TOYS", tuple(thing for thing in scene.TOYS if thing.label != "blue toy car"))
    with_mug, truths = scene.render(index)
    mug = next(true for true in truths if true.label == "red mug")
    rest = tuple(thing for thing in scene.TOYS if thing.label != "red mug")
    monkeypatch.setattr(scene, "TOYS", rest)
    without_mug, _ = scene.render(index)
    rows, columns = np.nonzero(np.abs(with_mug.astype(int) - without_mug).sum(axis=-1) > 60)
    changed = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert np.abs(mug.box_xyxy - changed).max() <= 2
    assert mug.visibility == 1


def test_the_ball_hides_and_returns_and_the_car_comes_late(truth):
    ball = [next(true.visibility for true in frame if true.label == "beach ball") for frame in truth.values()]
    hidden = np.array(ball) == 0
    assert (np.diff(hidden.astype(int)) == 1).sum() == 2  # there and back
    assert ball[0] == 1 and ball[-1] == 1
    has_car = [any(true.label == "blue toy car" for true in frame) for frame in truth.values()]
    assert not has_car[0] and any(has_car)


def test_every_goal_starts_on_the_true_box_of_its_target(scene, truth):
    stamps = np.array(list(truth))
    for goal in read_goals(BAGS / "goals.yaml"):
        first = stamps[np.searchsorted(stamps, stamps[0] + round(goal.at_s * 1e9))]
        boxes = {true.id: true.box_xyxy for true in truth[first]}
        box = goal.request.region.bounding_box(scene.WIDTH, scene.HEIGHT)
        assert np.abs(box - boxes[goal.targets[0]]).max() <= 1.5
