"""Writes the sample bag `bags/sample`: python -m bags.make_sample [DIRECTORY]

The frames come from `scene.py` and are the same on every run; their JPEG bytes may differ between builds of OpenCV.
"""

import sys
from pathlib import Path

from tqdm import tqdm

from bags.ground_truth_bag import write_bag
from bags.scene import FPS, FRAMES, render

QUALITY = 36  # keeps the bag below 3 MB


if __name__ == "__main__":
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample"
    write_bag(directory, FPS, QUALITY, (render(index) for index in tqdm(range(FRAMES), unit="frame")))
