"""Camera images to the pixels that a vision model takes: square, resized, with CLIP's mean and deviation.

The resize is torch's with antialiasing, which follows Pillow's: on the images of the test both differ by at most one
grey level of 255. VITRON's released code resizes tensors (torchvision 0.15): without antialiasing, and with bicubic
overshoot. A mask is resized like its image, so that a region stays on its object.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.errors import ModelError, RegionError
from vitron_ros.frame import Frame, Image
from vitron_ros.model.config import VisionConfig
from vitron_ros.region import Region

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


def pixels_from_images(images: Sequence[Frame | Image], config: VisionConfig) -> Tensor:
    """Pixels of frames or (H, W, 3) uint8 rgb arrays of any sizes: (T, 3, S, S) float32, S the image size of the model.

    Raises:
        ModelError: there is no image, or one is not (H, W, 3) uint8.
    """
    if not len(images):
        raise ModelError("there are no images; give at least one frame")
    mean, std = torch.tensor(CLIP_MEAN)[:, None, None], torch.tensor(CLIP_STD)[:, None, None]
    fill = [int(255 * value) for value in CLIP_MEAN]
    squares = [_square(_channels_first(image), config, fill, config.resample).float() for image in images]
    return (torch.stack(squares) / 255 - mean) / std


def mask_from_region(region: Region, width: int, height: int, config: VisionConfig) -> Tensor:
    """The share of each model pixel that the region covers, (S, S) float32 in [0, 1], somewhere above 0.

    Args:
        width, height: px, of the image on which the region was drawn.

    Raises:
        RegionError: nothing of the region lies inside the image, or inside the part of it that the model sees.
    """
    drawn: NDArray[np.bool_] = region.binary_mask(width, height)
    mask = _square(torch.from_numpy(drawn)[None].float(), config, [0], "bilinear")[0]
    if not mask.any():
        raise RegionError(
            f"the {region.kind.name.lower()} lies in the border of the {width}x{height} image that this model cuts off"
        )
    return mask


def _channels_first(image: Frame | Image) -> Tensor:
    rgb = image.rgb if isinstance(image, Frame) else np.asarray(image)
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or not rgb.size:
        raise ModelError(f"an image is (H, W, 3) uint8 rgb with pixels, this is {rgb.shape} {rgb.dtype}")
    return torch.tensor(rgb).permute(2, 0, 1)


def _square(image: Tensor, config: VisionConfig, fill: Sequence[int], resample: str) -> Tensor:
    """A (channels, H, W) image fitted into (channels, S, S): 1280x720 at S = 336 becomes

    stretch: 336x336, the shape of things changes;
    pad: 1280x1280 with `fill` above and below, then 336x336;
    crop: 597x336, then the 336x336 in its middle.
    """
    size, (height, width) = config.image_size, image.shape[1:]
    if config.fit == "stretch":
        return _resize(image, size, size, resample, config.antialias)
    if config.fit == "pad":
        side = max(height, width)
        canvas = torch.tensor(fill, dtype=image.dtype)[:, None, None].repeat(1, side, side)
        top, left = (side - height) // 2, (side - width) // 2
        canvas[:, top : top + height, left : left + width] = image
        return _resize(canvas, size, size, resample, config.antialias)
    short = min(height, width)
    scaled = _resize(image, size * height // short, size * width // short, resample, config.antialias)
    top, left = round((scaled.shape[1] - size) / 2), round((scaled.shape[2] - size) / 2)
    return scaled[:, top : top + size, left : left + size]


def _resize(image: Tensor, height: int, width: int, resample: str, antialias: bool) -> Tensor:
    if image.shape[1:] == (height, width):
        return image
    image = image if antialias else image.float()
    return F.interpolate(image[None], (height, width), mode=resample, align_corners=False, antialias=antialias)[0]
