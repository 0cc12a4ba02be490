"""The default tracker on clips with exact truth: it follows, says when it has lost the target, and finds it again."""

import numpy as np
import pytest

from tests.tracking.scenes import HEIGHT, WIDTH, box_at, scene, texture
from vitron_ros.boxes import iou
from vitron_ros.config import LifeCycle
from vitron_ros.evaluation.datasets import load_sequence
from vitron_ros.evaluation.metrics import visible_frames
from vitron_ros.evaluation.one_pass import run_one_pass
from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.default_tracker import DefaultTracker

SEEN = LifeCycle().min_score


def follow(frames, box, tracker=None):
    """Boxes (T, 4) and scores (T,) of the default tracker; the first are those it is given."""
    tracker = tracker or DefaultTracker()
    tracker.start(View(frames[0]), box)
    estimates = [tracker.step(View(frame)) for frame in frames[1:]]
    boxes = np.array([box, *(estimate.box_xyxy for estimate in estimates)])
    return boxes, np.array([1.0, *(estimate.score for estimate in estimates)])


def test_follows_a_target_across_a_panning_camera():
    places = [(60 + 4 * i, 100 + 20 * np.sin(i / 6)) for i in range(45)]
    boxes, scores = follow([scene(i, place, pan=2 * i) for i, place in enumerate(places)], box_at(places[0]))
    overlap = iou(boxes, [box_at(place) for place in places])
    assert overlap.min() > 0.7
    assert scores.min() > 0.5


@pytest.mark.parametrize("growth", [1.02, 1 / 1.015])
def test_follows_a_target_that_comes_nearer_or_goes_away(growth):
    sizes = [round(48 * growth**i) for i in range(40)]
    boxes, _ = follow([scene(i, (160, 120), size=size) for i, size in enumerate(sizes)], box_at((160, 120)))
    overlap = iou(boxes, [box_at((160, 120), size) for size in sizes])
    assert overlap.min() > 0.6


def test_says_so_when_the_target_is_covered_and_takes_it_up_again_behind():
    places = [(60 + 2.5 * i, 120) for i in range(70)]
    cover = np.array([120, 60, 190, 180])
    boxes, scores = follow([scene(i, place, cover=cover) for i, place in enumerate(places)], box_at(places[0]))
    overlap = iou(boxes, [box_at(place) for place in places])
    assert scores[:18].min() > 0.7
    assert scores[34:42].max() < 0.3  # wholly covered from frame 34 to 42
    assert scores[62:].min() > 0.7
    assert overlap[62:].min() > 0.7


@pytest.mark.parametrize("returns_at", [(250, 60), (60, 180), (160, 120)])
def test_finds_a_target_that_returns_elsewhere(returns_at):
    places = [(60 + 4 * i, 120) if i < 12 else None if i < 35 else returns_at for i in range(65)]
    frames = [scene(i, place) for i, place in enumerate(places)]
    boxes, scores = follow(frames, box_at(places[0]))
    assert scores[12:35].max() < 0.3
    found = np.flatnonzero(scores[35:] >= SEEN)
    assert found[0] < 20
    assert iou(boxes[-8:], box_at(returns_at)).min() > 0.7
    assert scores[-8:].min() > 0.7


@pytest.mark.parametrize("decoy", [(70, 160, 190), (120, 120, 120)])
def test_takes_nothing_else_for_a_target_that_stays_away(decoy):
    """For four seconds the view pans and another object of the same size crosses it."""
    frames = [scene(i, (160, 120)) for i in range(12)]
    frames += [scene(i, (20 + 2 * i, 80), tint=decoy, pan=i) for i in range(12, 120)]
    _, scores = follow(frames, box_at((160, 120)))
    assert scores[12:].max() < SEEN


@pytest.mark.parametrize("seed", [5, 6, 7])
@pytest.mark.parametrize("speed", [2, 3])
def test_stays_with_its_target_when_another_of_the_same_colours_passes_in_front(seed, speed):
    """It hides the target wholly. The tracker used to go away with it."""
    start, target = 40, (160, 120)
    passers = [(20 + speed * i, 120) for i in range(260 // speed)]
    frames = [scene(i, target) for i in range(start)]
    frames += [with_passer(scene(start + i, target), place, seed) for i, place in enumerate(passers)]
    boxes, scores = follow(frames, box_at(target))
    is_passer = iou(boxes[start:], [box_at(place) for place in passers]) >= 0.5
    is_clear = np.abs(np.array(passers)[:, 0] - target[0]) > 48
    assert not (is_passer & is_clear & (scores[start:] >= SEEN)).any()
    assert iou(boxes[-1], box_at(target)) > 0.8 and scores[-1] >= SEEN


def with_passer(frame, place, seed, size=48):
    """The frame with another object of the target's size and tint in front."""
    image = frame.rgb.copy()
    x, y = round(place[0] - size / 2), round(place[1] - size / 2)
    left, right = max(x, 0), min(x + size, WIDTH)
    image[y : y + size, left:right] = texture(seed, size, size, (190, 80, 70))[:, left - x : right - x]
    return Frame(rgb=image, stamp_ns=frame.stamp_ns, index=frame.index)


def test_leaving_the_view_keeps_the_box_in_the_image_and_lowers_the_score():
    places = [(260 + 5 * i, 120) for i in range(40)]
    boxes, scores = follow([scene(i, place) for i, place in enumerate(places)], box_at(places[0]))
    assert np.isfinite(boxes).all()
    assert (boxes >= 0).all()
    assert (boxes <= [WIDTH, HEIGHT, WIDTH, HEIGHT]).all()
    assert scores[25:].max() < SEEN


def test_same_frames_same_result_bit_for_bit_also_after_a_restart():
    places = [(60 + 2.5 * i, 120) for i in range(60)]
    frames = [scene(i, place, cover=np.array([120, 60, 190, 180])) for i, place in enumerate(places)]
    tracker = DefaultTracker()
    first = follow(frames, box_at(places[0]), tracker)
    again = follow(frames, box_at(places[0]), tracker)
    other = follow(frames, box_at(places[0]))
    for result in (again, other):
        assert first[0].tobytes() == result[0].tobytes()
        assert first[1].tobytes() == result[1].tobytes()


def test_targets_that_share_views_do_not_disturb_each_other():
    frames = [scene(i, (60 + 3 * i, 120)) for i in range(15)]
    alone = follow(frames, box_at((60, 120)))
    trackers = [DefaultTracker(), DefaultTracker()]
    views = [View(frame) for frame in frames]
    trackers[0].start(views[0], box_at((200, 60)))
    trackers[1].start(views[0], box_at((60, 120)))
    for index, view in enumerate(views[1:], 1):
        trackers[0].step(view)
        assert trackers[1].step(view).box_xyxy.tobytes() == alone[0][index].tobytes()


@pytest.mark.parametrize(
    ("width", "height", "box"),
    [
        (320, 240, (0, 0, 320, 240)),
        (320, 240, (100, 100, 101, 101)),
        (320, 240, (0, 100, 320, 102)),
        (320, 240, (318, 238, 320, 240)),
        (16, 12, (2, 2, 9, 9)),
        (1, 1, (0, 0, 1, 1)),
        (2000, 3, (5, 0, 50, 3)),
    ],
)
@pytest.mark.parametrize("level", [None, 0, 255])
def test_never_raises_on_a_valid_frame(width, height, box, level):
    """Whole images, single pixels, slivers, flat and noisy pictures, tiny frames."""
    rng = np.random.default_rng(0)
    tracker = DefaultTracker()
    for index in range(9):
        rgb = (
            rng.integers(0, 255, (height, width, 3), np.uint8)
            if level is None
            else np.full((height, width, 3), level, np.uint8)
        )
        view = View(Frame(rgb=rgb, stamp_ns=index, index=index))
        if index == 0:
            tracker.start(view, np.array(box, np.float64))
            continue
        estimate = tracker.step(view)
        assert np.isfinite(estimate.box_xyxy).all()
        assert 0 <= estimate.score <= 1


@pytest.mark.data
@pytest.mark.parametrize(("name", "least"), [("davis-car-shadow", 0.7), ("davis-blackswan", 0.7), ("vot15-bag", 0.4)])
def test_real_footage_is_followed(footage, name, least):
    """Far below what it reaches (docs/experiments.md): a guard against breaking it, no benchmark."""
    sequence = load_sequence(footage / name)
    result = run_one_pass({"default": DefaultTracker()}, sequence)["default"]
    assert visible_frames.success_auc(result.boxes_xyxy, sequence.boxes_xyxy) > least


def test_a_tracker_that_is_told_that_it_is_wrong_stays_away_from_what_it_followed():
    """The target has gone behind a cover, and the tracker has taken to the cover."""
    places = [(60 + 4 * i, 120) if i < 12 else None for i in range(40)]
    frames = [scene(i, place) for i, place in enumerate(places)]
    tracker = DefaultTracker()
    tracker.start(View(frames[0]), box_at(places[0]))
    for frame in frames[1:12]:
        tracker.step(View(frame))
    tracker.reject()
    scores = [tracker.step(View(frame)).score for frame in frames[12:]]
    assert max(scores) == 0
    back = scene(40, (250, 60))
    found = [tracker.step(View(back)) for _ in range(30)]
    assert iou(found[-1].box_xyxy, box_at((250, 60))) > 0.5
    assert found[-1].score > SEEN


def test_a_tracker_that_is_told_that_it_is_wrong_and_is_right_goes_on():
    frames = [scene(i, (60 + 2 * i, 120)) for i in range(60)]
    tracker = DefaultTracker()
    tracker.start(View(frames[0]), box_at((60, 120)))
    for frame in frames[1:30]:
        tracker.step(View(frame))
    tracker.reject()
    estimates = [tracker.step(View(frame)) for frame in frames[30:]]
    assert iou(estimates[-1].box_xyxy, box_at((60 + 2 * 59, 120))) > 0.6
    assert estimates[-1].score > SEEN


def test_a_lost_target_is_found_elsewhere_only_by_a_tracker_that_may_seek():
    frames = [scene(i, (60 + 2 * i, 120), size=24) for i in range(20)] + [scene(i, None) for i in range(20, 40)]
    back = View(scene(40, (250, 60), size=24))
    found = {}
    for redetect in (False, True):
        tracker = DefaultTracker()
        tracker.start(View(frames[0]), box_at((60, 120), 24))
        for frame in frames[1:]:
            tracker.step(View(frame))
        found[redetect] = [tracker.step(back, redetect=redetect) for _ in range(30)][-1]
    assert iou(found[True].box_xyxy, box_at((250, 60), 24)) > 0.5
    assert found[True].score > SEEN
    assert iou(found[False].box_xyxy, box_at((250, 60), 24)) == 0
    assert found[False].score < SEEN
