"""A data set of three sequences of a moving square, and its finished run."""

import numpy as np

from vitron_ros.images.codec import encode_jpeg

NAMES = ("a", "b", "c")
FRAMES = 4


def write_data(root, frames=FRAMES):
    texture = np.random.default_rng(0).integers(0, 255, (20, 20, 3), np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    for number, name in enumerate(NAMES):
        (root / name / "frames").mkdir(parents=True)
        step = 1 + number
        for index in range(frames):
            image = np.full((120, 160, 3), 90, np.uint8)
            image[30:70, 40 + step * index : 80 + step * index] = texture
            (root / name / "frames" / f"{index:06d}.jpg").write_bytes(encode_jpeg(image, 95))
        lines = [f"{40 + step * index},30,40,40\n" for index in range(frames)]
        (root / name / "groundtruth.txt").write_text("".join(lines))
    return root
