"""Images as networks take them that see a square: stretched, and in the scale of their training.

Does what image processors of transformers do that need torchvision.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vitron_ros.errors import ModelError
from vitron_ros.frame import Image
from vitron_ros.model.files import is_file, read_json

PREPROCESSORS = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")


class Normalisation(NamedTuple):
    """Mean and standard deviation (3,) of the RGB values in 0 to 1 that a model was trained on."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]


class SquareImage:
    """Makes images of `side` px for a network, on its device and in its type."""

    def __init__(self, side: int, normalisation: Normalisation, network: Any) -> None:
        self._side = (side, side)
        self._network = network
        self._mean, self._std = (
            torch.tensor(values, dtype=torch.float32, device=network.device).view(3, 1, 1) for values in normalisation
        )

    def __call__(self, rgb: Image) -> torch.Tensor:
        """(1, 3, S, S) of an image (H, W, 3) uint8."""
        image = torch.from_numpy(np.ascontiguousarray(rgb)).to(self._network.device).permute(2, 0, 1)[None]
        if image.device.type != "cpu":  # which alone resizes bytes, in a fifth of the time
            image = image.float()
        square = torch.nn.functional.interpolate(image, self._side, mode="bilinear", antialias=True)
        pixels = (square.float().round() / 255 - self._mean) / self._std
        return pixels.to(self._network.dtype)


def read_normalisation(directory: Path) -> Normalisation:
    """That of a model's directory.

    Raises:
        ModelError: no file of its processor is there, or it does not say.
    """
    for name in PREPROCESSORS:
        if not is_file(directory / name):
            continue
        values = read_json(directory / name)
        nested = values.get("image_processor", values)
        found = [nested.get(key) for key in ("image_mean", "image_std")] if isinstance(nested, dict) else []
        try:
            mean, std = (np.array(value, np.float64).reshape(3) for value in found)
        except (TypeError, ValueError):
            raise ModelError(f"{directory / name} holds no image_mean and image_std of three; fetch it again") from None
        if not (np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()):
            raise ModelError(f"{directory / name} holds an image_mean or image_std that is no scale; fetch it again")
        return Normalisation(mean, std)
    raise ModelError(f"{directory} has no image processor: none of {', '.join(PREPROCESSORS)}; fetch it again")
