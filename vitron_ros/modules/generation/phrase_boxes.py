"""Where the things of a text go: phrases with boxes, for models that draw each phrase in its box."""

import numpy as np
from numpy.typing import NDArray

from vitron_ros.modules.generation.grammar import parse_scene
from vitron_ros.modules.generation.layout import half_extent, lay_out

Corners = NDArray[np.float64]


def phrase_boxes(text: str, width: int, height: int, seed: int) -> tuple[list[str], Corners]:
    """The N things that a text names, and their boxes (N, 4): x_min, y_min, x_max, y_max in parts of the image.

    Args:
        width, height: px of the image.

    Raises:
        BadJob: the text is not understood, or its things do not fit.
    """
    plan = parse_scene(text)
    scene = lay_out(plan, 1, width, height, np.random.Generator(np.random.PCG64(seed)))
    to_pixels = scene.camera.matrices(width, height)[0]
    boxes = []
    for thing in scene.objects:
        half = half_extent(thing.spec.shape) * thing.side
        corners = np.array([thing.centres[0] - half, thing.centres[0] + half])
        pixels = corners @ to_pixels[:2, :2].T + to_pixels[:2, 2] + 0.5
        boxes.append((pixels / [width, height]).reshape(4))
    phrases = [" ".join(filter(None, (thing.colour, thing.shape))) for thing in plan.things]
    return phrases, np.clip(np.array(boxes), 0, 1)
