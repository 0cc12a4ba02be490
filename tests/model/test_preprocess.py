"""Preparation of images, against Pillow and by hand."""

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest
import torch

from vitron_ros.errors import ModelError, RegionError
from vitron_ros.model.config import VisionConfig, profile
from vitron_ros.model.preprocess import CLIP_MEAN, CLIP_STD, mask_from_region, pixels_from_images
from vitron_ros.region import Region

FILTERS = {"bilinear": PIL.Image.Resampling.BILINEAR, "bicubic": PIL.Image.Resampling.BICUBIC}


def config(fit: str = "stretch", resample: str = "bilinear", size: int = 64) -> VisionConfig:
    return VisionConfig(
        image_size=size, patch_size=8, hidden_size=32, num_heads=4, num_layers=2, fit=fit, resample=resample
    )


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth shapes, hard edges and noise."""
    y, x = np.mgrid[:height, :width]
    rng = np.random.default_rng(seed)
    image = np.stack([128 + 100 * np.sin(x / 9), 255 * ((x // 7 + y // 5) % 2), rng.integers(0, 256, x.shape)], axis=-1)
    return image.clip(0, 255).astype(np.uint8)


def grey_levels(pixels: torch.Tensor) -> np.ndarray:
    """(T, 3, S, S) back to 0..255."""
    mean, std = torch.tensor(CLIP_MEAN)[:, None, None], torch.tensor(CLIP_STD)[:, None, None]
    return ((pixels * std + mean) * 255).numpy()


@pytest.mark.parametrize("resample", FILTERS)
@pytest.mark.parametrize("shape", [(480, 640), (64, 64), (37, 211), (20, 30), (1080, 1920)])
def test_stretch_agrees_with_pillow_within_one_grey_level(shape, resample):
    image = photo(*shape)
    ours = grey_levels(pixels_from_images([image], config(resample=resample)))[0]
    theirs = np.asarray(PIL.Image.fromarray(image).resize((64, 64), FILTERS[resample]), np.float64).transpose(2, 0, 1)
    assert np.abs(ours - theirs).max() <= 1.01


@pytest.mark.parametrize("shape", [(480, 640), (640, 480), (100, 301)])
def test_crop_is_the_middle_of_the_image_resized_by_its_short_side(shape):
    image = photo(*shape)
    height, width = shape
    scaled = (64 * width // min(shape), 64 * height // min(shape))
    left, top = round((scaled[0] - 64) / 2), round((scaled[1] - 64) / 2)
    theirs = PIL.Image.fromarray(image).resize(scaled, FILTERS["bicubic"]).crop((left, top, left + 64, top + 64))
    ours = grey_levels(pixels_from_images([image], config("crop", "bicubic")))[0]
    assert np.abs(ours - np.asarray(theirs, np.float64).transpose(2, 0, 1)).max() <= 1.01


def test_published_vitron_sees_only_the_pixels_around_each_new_one():
    """Reduced eight times, bicubic without antialiasing takes columns 2 to 5 of each 8, with weights that overshoot."""
    vision = replace(profile("vitron-7b-published").vision, image_size=64, patch_size=8, hidden_size=32, num_heads=4)
    image = np.zeros((512, 512, 3), np.uint8)
    image[:, [0, 1, 6, 7]] = 255
    assert np.abs(grey_levels(pixels_from_images([image], vision)))[0, 0, 0, 0] < 1e-3
    image[:] = 0
    image[:, 3::8] = 255  # the tap at -0.5, of weight 0.59375
    levels = grey_levels(pixels_from_images([image], vision))[0]
    np.testing.assert_allclose(levels, 0.59375 * 255, atol=0.1)
    image[:] = 255
    image[:, 2::8] = 0  # the tap at -1.5 is negative: brighter than white
    assert grey_levels(pixels_from_images([image], vision)).min() > 255


def test_pad_keeps_the_shape_of_things_and_fills_with_the_mean():
    white = np.full((60, 120, 3), 255, np.uint8)
    levels = grey_levels(pixels_from_images([white], config("pad")))[0]
    assert levels[:, 20:44].min() > 250  # the image: half the height of the square
    assert np.abs(levels[:, :12] - 255 * np.array(CLIP_MEAN)[:, None, None]).max() <= 1


def test_frames_of_different_sizes_and_cameras_go_together():
    pixels = pixels_from_images([photo(48, 64), photo(64, 48), photo(10, 300)], config())
    assert pixels.shape == (3, 3, 64, 64) and pixels.dtype == torch.float32


def test_an_image_that_shares_its_memory_is_not_written_to():
    image = photo(64, 64)
    image.flags.writeable = False
    before = image.copy()
    pixels_from_images([image], config())
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((48, 64), np.uint8),
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((0, 64, 3), np.uint8),
    ],
    ids=["grey", "rgba", "float", "empty"],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(ModelError, match=r"an image is \(H, W, 3\) uint8"):
        pixels_from_images([image], config())


def test_no_images_are_refused():
    with pytest.raises(ModelError, match="at least one frame"):
        pixels_from_images([], config())


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_a_mask_goes_the_way_of_its_image(fit):
    """A white thing on black: its mask covers what is white in the prepared image."""
    image = np.zeros((100, 150, 3), np.uint8)
    image[30:70, 60:90] = 255
    levels = grey_levels(pixels_from_images([image], config(fit)))[0]
    inside = levels.min(axis=0) > 200
    mask = mask_from_region(Region.from_box([60, 30, 90, 70]), 150, 100, config(fit)).numpy()
    assert (mask > 0.7)[inside].all() and inside.sum() > 100
    black = (levels.max(axis=0) < 5) | (fit == "pad") & (np.abs(np.arange(64) - 31.5) > 22)[:, None]
    assert mask[black].max() < 0.05


def test_one_pixel_of_a_large_image_is_still_a_mask():
    mask = mask_from_region(Region.from_point(1919, 1079), 1920, 1080, config())
    assert mask.argmax() == 64 * 64 - 1 and 0 < mask.max() < 1


def test_a_region_outside_the_crop_is_refused():
    with pytest.raises(RegionError, match="cuts off"):
        mask_from_region(Region.from_box([0, 0, 20, 20]), 640, 100, config("crop"))
