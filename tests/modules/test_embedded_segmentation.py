"""Segmentation without weights: every kind of mark, clips, tracks that are passed on, and what is refused."""

import cv2
import numpy as np
import pytest

from vitron_ros.boxes import iou
from vitron_ros.config import ModelRun
from vitron_ros.evaluation.metrics.segmentation import region_similarity
from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.backends import load_backend
from vitron_ros.modules.module import BadJob, Cancelled, ModuleJob, Progress
from vitron_ros.modules.segmentation.image_mask import segment_image
from vitron_ros.region import Region

WIDTH, HEIGHT = 200, 150
CENTER, AXES, STEP = (80, 75), (34, 22), 3


def texture(seed, colour):
    grain = np.random.default_rng(seed).normal(0, 18, (HEIGHT // 5, WIDTH // 5, 1))
    grain = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)[..., None]
    return np.clip(colour + grain, 0, 255).astype(np.uint8)


def true_mask(index=0):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.ellipse(mask, (CENTER[0] + STEP * index, CENTER[1]), AXES, 0, 0, 360, 255, -1)
    return mask > 0


def scene(index=0, colour=(190, 60, 60)):
    """A grained ellipse that goes to the right over a grained background that does not move."""
    grain = np.roll(texture(1, colour), STEP * index, axis=1)
    return np.where(true_mask(index)[..., None], grain, texture(2, (70, 120, 80)))


def clip(count=6):
    return tuple(Frame(rgb=scene(index), stamp_ns=0, index=index) for index in range(count))


def box(index=0):
    x, y = CENTER[0] + STEP * index, CENTER[1]
    return np.array([x - AXES[0], y - AXES[1], x + AXES[0] + 1, y + AXES[1] + 1], np.float64)


def clip_job(**settings):
    return ModuleJob(module=Module.VIDEO_SEGMENTATION, action="segment", **{"frames": clip(), **settings})


@pytest.fixture
def backend():
    return load_backend("segmentation", "embedded", ModelRun())


MARKS = {
    "point": Region.from_point(*CENTER),
    "box": Region.from_box(box()),
    "polygon": Region.from_polygon([(80, 50), (116, 75), (80, 100), (44, 75)]),
    "scribble": Region.from_scribble([(60, 72), (80, 78), (100, 74)]),
    "mask": Region.from_mask(cv2.erode(true_mask().astype(np.uint8), np.ones((5, 5))) > 0),
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_a_mark_becomes_the_mask_of_the_object(backend, mark):
    job = ModuleJob(module=Module.IMAGE_SEGMENTATION, action="segment", frames=clip(1), region=mark)
    result = backend.run(job, Progress())
    (mask,) = result.masks
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    assert region_similarity(mask > 0, true_mask()) > 0.85
    assert iou(result.boxes[0], box()) > 0.8
    assert result.message == ""


def test_motion_shows_an_object_of_the_background_s_colour():
    same = (70, 120, 80)
    still = segment_image(scene(0, same), MARKS["box"])
    moving = segment_image(scene(0, same), MARKS["box"], scene(2, same))
    scores = [region_similarity(mask, true_mask()) for mask in (still, moving)]
    assert scores[1] > scores[0]
    assert scores[1] > 0.75


def test_a_mask_is_carried_through_a_clip(backend):
    told = []
    result = backend.run(clip_job(region=MARKS["box"]), Progress(lambda fraction, preview: told.append(fraction)))
    assert told == sorted(told)
    assert told[-1] == 1.0
    for index, mask in enumerate(result.masks):
        assert region_similarity(mask > 0, true_mask(index)) > 0.8, index
        assert iou(result.boxes[index], box(index)) > 0.8, index


def test_the_same_job_gives_the_same_bytes_whatever_was_drawn_at_random_before(backend):
    jobs = []
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        jobs.append(backend.run(clip_job(region=MARKS["scribble"]), Progress()))
    assert all(np.array_equal(*pair) for pair in zip(*(result.masks for result in jobs), strict=True))


def test_it_stops_between_two_frames_and_serves_again(backend):
    def stop(fraction, preview):
        if fraction > 0.4:
            progress.cancel()

    progress = Progress(stop)
    with pytest.raises(Cancelled):
        backend.run(clip_job(region=MARKS["box"]), progress)
    assert progress.fraction < 0.6
    assert len(backend.run(clip_job(region=MARKS["box"]), Progress()).masks) == 6


def test_where_a_track_is_away_there_is_no_mask(backend):
    boxes = [None, box(1), box(2), None, box(4), box(5)]
    result = backend.run(clip_job(boxes=tuple(boxes)), Progress())
    assert [mask.any() for mask in result.masks] == [box is not None for box in boxes]
    assert [found is None for found in result.boxes] == [box is None for box in boxes]
    assert region_similarity(result.masks[5] > 0, true_mask(5)) > 0.8
    assert result.message == "the object is not seen in 2 of 6 images"


def test_the_first_mask_of_a_track_is_followed_as_it_is(backend):
    masks = (None, np.where(true_mask(1), 255, 0).astype(np.uint8), *(None,) * 4)
    result = backend.run(clip_job(masks=masks), Progress())
    assert not result.masks[0].any()
    assert np.array_equal(result.masks[1], masks[1])
    assert region_similarity(result.masks[5] > 0, true_mask(5)) > 0.8


@pytest.mark.parametrize(
    ("frame", "region", "reason"),
    [
        (scene(), None, "mark the object"),
        (scene(), Region.from_box([300, 10, 320, 30]), "outside the image"),
        (scene(), Region.from_point(-1, 5), "outside the image"),
        (np.full((80, 80, 3), 90, np.uint8), Region.from_point(40, 40), "draw a box"),
        (np.full((80, 80, 3), 90, np.uint8), Region.from_scribble([(30, 40), (50, 40)]), "draw a box"),
    ],
)
def test_what_marks_nothing_is_refused(backend, frame, region, reason):
    frames = (Frame(rgb=frame, stamp_ns=0),)
    job = ModuleJob(module=Module.IMAGE_SEGMENTATION, action="segment", frames=frames, region=region)
    with pytest.raises(BadJob, match=reason):
        backend.run(job, Progress())


@pytest.mark.parametrize("size", [(1, 1), (2, 40), (40, 3), (9, 9), (33, 17)])
def test_small_images_are_no_harder(backend, size):
    height, width = size
    images = np.random.default_rng(0).integers(0, 255, (3, height, width, 3), np.uint8)
    frames = tuple(Frame(rgb=image, stamp_ns=0) for image in images)
    whole = Region.from_box([0, 0, width, height])
    result = backend.run(clip_job(frames=frames, region=whole), Progress())
    assert [mask.shape for mask in result.masks] == [size] * 3
