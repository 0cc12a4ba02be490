"""The patches of an image that a model's token selector lets through, for pictures that show them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image

SelectedPatches = Callable[[Image], NDArray[np.bool_]]
"""From an image to the patches of it that reach the language model, (G, G) bool."""


def selected_patches(source: str | Path) -> SelectedPatches | None:
    """Of the model in a folder, or of a bundled one by its name; None where its visual tokens are mixtures of patches.

    Raises:
        ModelError: there is no such model, or it cannot be read.
    """
    import torch  # not needed by those who never ask

    from vitron_ros.model.checkpoint import from_pretrained

    model = from_pretrained(source)
    grid, side = model.config.vision.grid, model.config.vision.image_size

    @torch.inference_mode()
    def indices(rgb: Image) -> NDArray[np.int64] | None:
        chosen = model.visual_tokens(model.features(model.pixels([rgb]))).indices
        return None if chosen is None else chosen[0].numpy()

    def kept(rgb: Image) -> NDArray[np.bool_]:
        result = np.zeros(grid * grid, np.bool_)
        result[indices(rgb)] = True
        return result.reshape(grid, grid)

    return None if indices(np.zeros((side, side, 3), np.uint8)) is None else kept
