"""The demo's bag: it is what its script makes, its boxes are true, and each command has one right answer in it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bags.demo_scene import FPS, FRAMES, OBJECTS, SIDE, draw
from bags.make_demo import images_and_truth
from training.worlds.facts import MAYBE, SceneView, image_view, seen, video_view
from training.worlds.queries import AttributeQuery, Moving, beside, only_match
from training.worlds.splits import is_held_out_pair
from vitron_ros.boxes import norm_from_xyxy
from vitron_ros.module_registry import Module
from vitron_ros.offline.command_script import read_commands
from vitron_ros.recordings.bags import Bag, read_images
from vitron_ros.recordings.ground_truth import read_ground_truth
from vitron_ros.worlds.clip import Clip

DEMO = Path(__file__).parents[2] / "bags" / "demo"
SPACING = round(0.25 * FPS)  # frames between those of a clip that the model sees
CLIP = 8
PATIENCE_S = 0.5  # for which a command must keep its right answer: the model is slow


@pytest.fixture(scope="module")
def clip() -> Clip:
    return draw()


def cut(clip: Clip, newest: int) -> Clip:
    """What the model may be shown when a frame is the newest."""
    chosen = [newest - SPACING * back for back in range(CLIP - 1, -1, -1)]
    arrays = ("frames", "instances", "boxes_xyxy", "full_boxes_xyxy", "visible", "scales", "world_centers")
    parts = {name: getattr(clip, name)[chosen] for name in arrays}
    return Clip(**parts, objects=clip.objects, depth=clip.depth, split=clip.split, seed=clip.seed)


def command(text: str):
    return next(command for command in read_commands(DEMO.with_suffix(".yaml")) if text in command.text)


def newest_frames(text: str) -> range:
    first = round(command(text).at_s * FPS)
    return range(first, first + round(PATIENCE_S * FPS) + 1, 3)


def item(index: int | None):
    return None if index is None else OBJECTS[index]


def test_the_bag_is_small_and_complete():
    assert sum(file.stat().st_size for file in DEMO.iterdir()) < 4_000_000
    counts = {name: topic.count for name, topic in Bag(DEMO).topics.items()}
    assert counts == dict.fromkeys(["/camera/image_raw/compressed", "/camera/camera_info", "/ground_truth"], FRAMES)
    stamps = [frame.stamp_ns for frame in read_images(DEMO)]
    assert stamps == list(read_ground_truth(DEMO))
    assert np.abs(np.diff(stamps) - 1e9 / FPS).max() <= 1


def test_the_script_makes_what_is_in_the_bag(clip):
    """Loosely, since builds of OpenCV differ in how they draw and code."""
    recorded = read_ground_truth(DEMO)
    for frame, (rgb, truths) in zip(read_images(DEMO), images_and_truth(clip), strict=True):
        if frame.index % 25:
            continue
        assert cv2.PSNR(np.ascontiguousarray(frame.rgb), rgb) > 32
        found = {true.id: true for true in recorded[frame.stamp_ns]}
        assert sorted(found) == [true.id for true in truths]
        for true in truths:
            assert found[true.id].label == true.label
            assert np.abs(found[true.id].box_xyxy - true.box_xyxy).max() <= 1.5
            assert abs(found[true.id].visibility - true.visibility) < 0.05


def test_nothing_in_it_is_of_a_kind_that_the_model_never_saw():
    assert not any(is_held_out_pair(one.spec.colour, one.spec.shape) for one in OBJECTS)


def test_one_object_is_the_small_red_ring_and_others_are_nearly(clip):
    ring = AttributeQuery(shape="ring", colour="red", size="small")
    for newest in newest_frames("small red ring"):
        view = video_view(cut(clip, newest))
        assert item(only_match(ring.truth(view))).id == command("small red ring").target
        for alike in (AttributeQuery(shape="ring", colour="red"), AttributeQuery(shape="ring", size="small")):
            assert (alike.truth(view) > 0).sum() == 2


def test_one_object_is_a_purple_mug_that_hides_twice_after_it_was_asked_for(clip):
    mug = AttributeQuery(shape="mug", colour="purple")
    for newest in newest_frames("purple mug"):
        match = only_match(mug.truth(image_view(clip, newest)))
        assert item(match).id == command("purple mug").target
    assert times_hidden(clip, command("purple mug")) == 2


def times_hidden(clip: Clip, wish) -> int:
    """How often a command's target hides and is seen again, after the command."""
    later = seen(clip.visible[round(wish.at_s * FPS) :, wish.target - 1])
    changes = later[later != MAYBE]
    assert changes[0] and changes[-1]
    return int((np.diff((changes > 0).astype(int)) != 0).sum()) // 2


def left_of(view: SceneView, anchor: AttributeQuery) -> int | None:
    truth = beside(view, "left", only_match(anchor.truth(view)))
    return only_match(np.minimum(truth, view.present))


def test_one_object_is_left_of_the_blue_square(clip):
    square = AttributeQuery(shape="square", colour="blue")
    for newest in newest_frames("left of the blue square"):
        view = image_view(clip, newest)
        spec = view.objects[left_of(view, square)]
        assert f"a {spec.colour} {spec.shape}" == command("left of the blue square").answer


def test_one_object_comes_back_after_hiding_and_is_seen_again_when_asked_for(clip):
    returning = Moving(AttributeQuery(), "returns")
    for newest in newest_frames("comes back after hiding"):
        shown = cut(clip, newest)
        match = only_match(returning.truth(video_view(shown)))
        assert item(match).id == command("comes back after hiding").target
        assert shown.visible[-1, match] == 1


def test_the_one_that_comes_back_hides_once_more_after_it_was_asked_for(clip):
    assert times_hidden(clip, command("comes back")) == 1


def test_one_object_is_the_green_star_and_all_of_it_is_in_sight(clip):
    wish = command("green star")
    for newest in newest_frames("green star"):
        match = only_match(AttributeQuery(shape="star", colour="green").truth(image_view(clip, newest)))
        assert item(match).id == wish.target
        assert clip.visible[newest, match] == 1
        assert (AttributeQuery(shape="star").truth(image_view(clip, newest)) > 0).sum() == 2
    assert (wish.module, wish.instruction) == (Module.IMAGE_SEGMENTATION, "segmentation: green star")


def test_a_box_holds_just_the_pixels_of_its_object(clip):
    """The green star is found by its colour."""
    rgb = clip.frames[round(command("green star").at_s * FPS)].astype(int)
    rows, columns = np.nonzero((rgb[..., 1] > rgb[..., 0] + 60) & (rgb[..., 1] > rgb[..., 2] + 60))
    found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float64)
    true = clip.full_boxes_xyxy[round(command("green star").at_s * FPS), 6]
    assert np.abs(norm_from_xyxy(found, SIDE, SIDE) - norm_from_xyxy(true, SIDE, SIDE)).max() < 0.01
