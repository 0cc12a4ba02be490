"""Numbered names in the order of their numbers, wherever files are listed."""

import random
from pathlib import Path

import pytest

from vitron_ros.natural_sort import natural_sorted

ORDERS = {
    "unpadded": ["frame_0.png", "frame_1.png", "frame_2.png", "frame_10.png", "frame_11.png"],
    "padded": ["000.jpg", "001.png", "002.jpeg", "010.jpg"],
    "padded and not": ["1.jpg", "02.jpg", "3.jpg", "010.jpg"],
    "two numbers": ["cam2_9.png", "cam2_10.png", "cam10_1.png"],
    "seconds": ["9.5.png", "9.96.png", "10.00.png", "10.0000001.png"],
    "seconds without padding": ["1699.png", "1699.25.png", "1699.5.png", "1700.png"],
    "copies": ["image.png", "image (2).png", "image (10).png"],
    "parts of a recording": ["run_0.db3", "run_9.db3", "run_10.db3", "run_11.db3.zstd"],
    "folders": ["day2/9.jpg", "day2/10.jpg", "day10/1.jpg"],
    "a date": ["2024-01-09_5.jpg", "2024-01-09_10.jpg", "2024-01-10_1.jpg"],
    "capitals": ["Frame0.png", "frame1.PNG", "Frame2.png", "frame10.png"],
    "steps": ["step-90000", "step-100000", "step-1000000"],
}


@pytest.mark.parametrize("names", ORDERS.values(), ids=ORDERS.keys())
def test_numbers_are_compared_by_their_value(names):
    mixed = [Path(name) for name in names]
    random.Random(0).shuffle(mixed)
    assert [str(path) for path in natural_sorted(mixed)] == names
