"""Removal from a clip: other frames give what one hides, and what none shows is said."""

import cv2
import numpy as np
import pytest

from tests.modules.editing.clips import SIZE, covered, disc, moving_clip, texture
from vitron_ros.modules.editing.clip_filling import fill_clip
from vitron_ros.modules.editing.compositing import grown


def mean_psnr(images, truths, masks) -> float:
    """In the masks, dB."""
    errors = [
        np.mean((image[mask > 0].astype(float) - truth[mask > 0]) ** 2)
        for image, truth, mask in zip(images, truths, masks, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


@pytest.mark.parametrize("pan", [0, 1])
def test_what_other_frames_show_is_better_than_inpainting(pan):
    backgrounds, images, masks = moving_clip(pan=pan)
    holes = [grown(mask, 3) for mask in masks]
    filled = list(fill_clip(images, holes))
    ours = mean_psnr([frame.rgb for frame in filled], backgrounds, masks)
    flags = cv2.INPAINT_NS, cv2.INPAINT_TELEA
    plain = max(
        mean_psnr(
            [cv2.inpaint(*pair, 3, flag) for pair in zip(images, map(np.uint8, holes), strict=True)], backgrounds, masks
        )
        for flag in flags
    )
    assert ours > plain + 5
    for frame, image, hole in zip(filled, images, holes, strict=True):
        assert np.array_equal(frame.rgb[~hole], image[~hole])
    assert sum(frame.is_unseen.sum() for frame in filled) < 0.02 * sum(hole.sum() for hole in holes)


def test_a_change_of_exposure_is_followed():
    backgrounds, _, masks = moving_clip(pan=0)
    gains = 1 + 0.15 * np.array([0, 1, 0, -1, 0, 1, -1, 0])
    truths = [np.clip(rgb * gain, 0, 255).astype(np.uint8) for rgb, gain in zip(backgrounds, gains, strict=True)]
    images = [covered(rgb, mask) for rgb, mask in zip(truths, masks, strict=True)]
    filled = list(fill_clip(images, [grown(mask, 3) for mask in masks]))
    assert mean_psnr([frame.rgb for frame in filled], truths, masks) > 26


def test_what_no_frame_shows_is_marked_and_does_not_flicker():
    rgb, mask = texture(*SIZE), disc((64, 48))
    hole = grown(mask, 3)
    filled = list(fill_clip([covered(rgb, mask)] * 4, [hole] * 4))
    for frame in filled:
        assert np.array_equal(frame.is_unseen, hole)
    difference = np.abs(filled[3].rgb.astype(int) - filled[0].rgb)[hole].mean()
    assert difference < 3


def test_frames_without_a_hole_are_the_same_object():
    rgb = texture(*SIZE)
    hole = np.zeros(SIZE, bool)
    assert next(fill_clip([rgb], [hole])).rgb is rgb
