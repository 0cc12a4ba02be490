"""Camera images to what a detector takes, and its boxes back to their pixels.

Shapes: B images, Q boxes of each.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.grounding.families.detections import Detections


def prepared(
    processor: Any, images: Sequence[NDArray[np.uint8]], device: torch.device, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The inputs of a network for images (H, W, 3) uint8 RGB; one that comes several times is prepared once."""
    distinct = {id(image): image for image in images}
    inputs = processor(images=list(distinct.values()), return_tensors="pt", input_data_format="channels_last")
    places = list(distinct)
    moved = {name: values.to(device, dtype if values.is_floating_point() else None) for name, values in inputs.items()}
    if len(places) == len(images):
        return moved
    index = torch.tensor([places.index(id(image)) for image in images], device=device)
    return {name: values[index] for name, values in moved.items()}


def pixel_boxes(boxes_cxcywh: Tensor, scores: Tensor, size: tuple[int, int]) -> list[Detections]:
    """Boxes (B, Q, 4), center and size in fractions of a width and a height in px, with their scores (B, Q)."""
    boxes = boxes_cxcywh.double().cpu()
    center, side = boxes[..., :2], boxes[..., 2:]
    corners = torch.cat([center - side / 2, center + side / 2], dim=-1).numpy()
    scale = np.array([*size, *size], np.float64)
    return [Detections(*found) for found in zip(corners * scale, scores.double().cpu().numpy(), strict=True)]
