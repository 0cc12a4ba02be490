"""Writes the bag of the demo, `bags/demo`: python -m bags.make_demo [DIRECTORY]

The frames come from `demo_scene.py`, the same on every run; their JPEG bytes may differ between builds of OpenCV.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bags.demo_scene import FPS, OBJECTS, SIDE, draw
from bags.ground_truth_bag import Rgb, write_bag
from training.worlds.queries import AttributeQuery
from training.worlds.templates import kind_name
from vitron_ros.recordings.ground_truth import TrueBox
from vitron_ros.worlds.clip import Clip

QUALITY = 50  # keeps the bag below 4 MB


def images_and_truth(clip: Clip) -> Iterator[tuple[Rgb, list[TrueBox]]]:
    """Every image of the clip with its ground truth, without objects entirely outside."""
    labels = [kind_name(AttributeQuery(item.spec.shape, item.spec.colour, item.spec.size)) for item in OBJECTS]
    boxes = np.clip(clip.full_boxes_xyxy, 0, SIDE)
    for rgb, places, shares in zip(clip.frames, boxes, clip.visible, strict=True):
        yield (
            rgb,
            [
                TrueBox(item.id, label, box, float(share))
                for item, label, box, share in zip(OBJECTS, labels, places, shares, strict=True)
                if (box[2:] - box[:2] >= 1).all()
            ],
        )


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "demo"
    write_bag(directory, FPS, QUALITY, images_and_truth(draw()))
