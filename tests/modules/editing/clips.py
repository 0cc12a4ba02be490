"""Clips with a known background, and jobs about them."""

import cv2
import numpy as np

from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import ModuleJob

SIZE = (96, 128)


def texture(height: int, width: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    fine, coarse = (rng.integers(0, 256, (height // n, width // n, 3)).astype(np.float32) for n in (4, 16))
    layers = [cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) for grid in (fine, coarse)]
    return np.clip(0.4 * layers[0] + 0.6 * layers[1], 0, 255).astype(np.uint8)


def disc(centre: tuple[int, int], radius: int = 12) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    cv2.circle(mask, centre, radius, 255, cv2.FILLED)
    return mask


def covered(rgb: np.ndarray, mask: np.ndarray, colour=(200, 40, 40)) -> np.ndarray:
    """The image with a shaded object over it."""
    shade = np.linspace(0.6, 1.1, mask.shape[1])[None, :, None]
    return np.where(mask[..., None] > 0, np.clip(np.array(colour) * shade, 0, 255), rgb).astype(np.uint8)


def moving_clip(count: int = 8, pan: int = 1) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Background, images and masks of an object that goes from left to right before a panning camera."""
    wide = texture(SIZE[0], SIZE[1] + 40)
    backgrounds = [np.ascontiguousarray(wide[:, pan * t : pan * t + SIZE[1]]) for t in range(count)]
    masks = [disc((24 + 10 * t, 48)) for t in range(count)]
    return backgrounds, [covered(rgb, mask) for rgb, mask in zip(backgrounds, masks, strict=True)], masks


def job(action: str, text: str, images, masks, **rest) -> ModuleJob:
    """An editing job; an image is a list of one."""
    module = Module.IMAGE_EDITING if len(images) == 1 else Module.VIDEO_EDITING
    frames = tuple(Frame(rgb=image, stamp_ns=index) for index, image in enumerate(images))
    return ModuleJob(module=module, action=action, text=text, frames=frames, masks=tuple(masks), **rest)
