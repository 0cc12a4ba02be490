"""The mask of a target: where it is, when there is one, and that it costs nothing while nobody wants it."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import ScriptedTracker
from tests.tracking.scenes import BACKGROUND, HEIGHT, WIDTH, texture
from vitron_ros.config import LifeCycle
from vitron_ros.frame import Frame
from vitron_ros.masks import CroppedMask, covered_pixels
from vitron_ros.recordings.bags import read_images
from vitron_ros.recordings.ground_truth import read_ground_truth
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.default_tracker import DefaultTracker
from vitron_ros.tracking.track_manager import TrackManager

RADIUS = 30
SURFACE = texture(2, HEIGHT, WIDTH, (190, 80, 70))
LIFE = LifeCycle()


def disc(x, y=120.0):
    """A view of a red disc, and which of its pixels are the disc's."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    is_disc = np.hypot(columns - x, rows - y) < RADIUS
    rgb = BACKGROUND[:HEIGHT, :WIDTH].copy()
    rgb[is_disc] = np.roll(SURFACE, round(x), axis=1)[is_disc]
    return View(Frame(rgb=rgb, stamp_ns=1)), is_disc


def box(x, y=120.0):
    return np.array([x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS])


def test_the_mask_of_a_disc_is_a_disc_that_moves_with_it():
    tracker = DefaultTracker()
    tracker.start(disc(100)[0], box(100))
    for x in range(102, 130, 2):
        view, is_disc = disc(x)
        estimate = tracker.step(view)
    mask = tracker.mask(estimate.box_xyxy)
    assert (mask.x, mask.y, mask.x + mask.pixels.shape[1], mask.y + mask.pixels.shape[0]) == covered_pixels(
        estimate.box_xyxy, WIDTH, HEIGHT
    )
    assert set(np.unique(mask.pixels)) == {0, 255}
    seen = mask.in_image(WIDTH, HEIGHT) > 0
    assert (seen & is_disc).sum() / (seen | is_disc).sum() > 0.9, "a filled box has 0.79"


def test_there_is_a_mask_of_the_first_frame_too_and_none_beside_the_target():
    tracker = DefaultTracker()
    tracker.start(disc(100)[0], box(100))
    assert tracker.mask(box(100)).pixels.mean() / 255 == pytest.approx(np.pi / 4, abs=0.1)
    assert tracker.mask(box(250)) is None
    assert tracker.mask(box(-200)) is None, "a box outside the image has no pixels"


def test_a_mask_at_the_border_lies_inside_the_image():
    tracker = DefaultTracker()
    tracker.start(disc(10)[0], np.array([0.0, 90, 40, 150]))
    mask = tracker.mask(np.array([-20.0, 90, 40, 150]))
    assert (mask.x, mask.y, *mask.pixels.shape) == (0, 90, 60, 40)


class MaskingTracker(ScriptedTracker):
    asked = 0

    def mask(self, box_xyxy):
        self.asked += 1
        x_min, y_min, x_max, y_max = covered_pixels(box_xyxy, WIDTH, HEIGHT)
        return CroppedMask(np.full((y_max - y_min, x_max - x_min), 255, np.uint8), x_min, y_min)


def managed(tracker):
    manager = TrackManager(lambda: tracker, itertools.count(1))
    view, _ = disc(100)
    manager.start(view, box(100), 1, LIFE)
    return manager, view


def test_a_mask_is_made_when_it_is_asked_for_and_of_a_target_that_is_seen():
    tracker = MaskingTracker([1.0, 0.0])
    manager, view = managed(tracker)
    manager.step(view, 2, LIFE)
    assert manager.report(2)[0].mask is None and tracker.asked == 0
    assert manager.report(2, with_masks=True)[0].mask.x == 71, "the tracker moved by one pixel"
    manager.step(view, 3, LIFE)
    assert manager.report(3, with_masks=True)[0].mask is None, "predicted is not seen"


def test_a_tracker_without_masks_is_no_failure():
    manager, _ = managed(ScriptedTracker())
    assert manager.report(1, with_masks=True)[0].mask is None


def test_what_covers_a_part_of_the_target_for_a_while_is_not_in_its_mask():
    """A mug passes in front of a ring in a recording, so a position by the ring's mask would be the mug's."""
    bag = Path(__file__).parents[2] / "bags" / "depth"
    truth = read_ground_truth(bag)
    tracker, shares = DefaultTracker(), []
    for frame in itertools.islice(read_images(bag), 50, 80):
        boxes = {true.label: true.box_xyxy for true in truth[frame.stamp_ns]}
        view = View(frame)
        if frame.index == 50:
            tracker.start(view, boxes["red ring"])
            continue
        mask = tracker.mask(tracker.step(view).box_xyxy)
        assert mask is not None
        rows, columns = np.nonzero(mask.pixels)
        x_min, y_min, x_max, y_max = boxes["purple mug"] - np.tile([mask.x, mask.y], 2)
        shares.append(((columns >= x_min) & (columns < x_max) & (rows >= y_min) & (rows < y_max)).mean())
    assert max(shares) < 0.2, "of its pixels"
