"""Cluttered backgrounds: busy, repeatable, and beside the objects' truth, which they leave alone."""

import cv2
import numpy as np

from training.worlds import draw_clutter, make_clip


def clutter(seed: int) -> np.ndarray:
    return draw_clutter(160, 120, np.random.default_rng(seed))


def edges(image: np.ndarray) -> float:
    """Share of pixels on an edge."""
    return float((cv2.Canny(cv2.GaussianBlur(image, (0, 0), 1.0), 60, 120) > 0).mean())


def test_the_same_numbers_give_the_same_picture_and_others_another() -> None:
    assert clutter(1).shape == (120, 160, 3) and clutter(1).dtype == np.uint8
    assert np.array_equal(clutter(1), clutter(1))
    assert not np.array_equal(clutter(1), clutter(2))


def test_it_is_busy_and_no_two_are_alike() -> None:
    images = [clutter(seed) for seed in range(40)]
    assert np.median([edges(image) for image in images]) > 0.02
    means = np.array([image.mean(axis=(0, 1)) for image in images])
    assert means.std(axis=0).min() > 15


def test_objects_before_it_keep_their_truth() -> None:
    plain, cluttered = make_clip(4, frames=3), make_clip(4, frames=3, background=[clutter(5)])
    assert np.array_equal(plain.boxes_xyxy, cluttered.boxes_xyxy, equal_nan=True)
    assert plain.objects == cluttered.objects
    behind = (plain.instances == 0).mean()
    assert (plain.frames != cluttered.frames).any(axis=3).mean() > 0.8 * behind
