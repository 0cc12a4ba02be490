"""Writes the sample bag `bags/sample`: python bags/make_sample.py [DIRECTORY]

The frames come from `scene.py` and are the same on every run; their JPEG bytes may differ between builds of OpenCV.
"""

import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
from scene import FPS, FRAMES, HEIGHT, WIDTH, Truth, render
from tqdm import tqdm

from vitron_ros.evaluation import bag_messages
from vitron_ros.evaluation.bag_writer import BagWriter
from vitron_ros.evaluation.bags import GROUND_TRUTH_TOPIC
from vitron_ros.evaluation.sources import stamp_ns
from vitron_ros.tracking.track import TrackSnapshot, TrackState

IMAGE_TOPIC, INFO_TOPIC = "/camera/image_raw/compressed", "/camera/camera_info"
FRAME_ID = "camera_optical_frame"
QUALITY = 36  # keeps the bag below 3 MB


def jpeg(rgb: np.ndarray) -> bytes:
    """As small as this quality gets: with Huffman tables of its own."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), settings)[1])


def true_track(truth: Truth, index: int) -> TrackSnapshot:
    return TrackSnapshot(
        id=truth.id,
        phrase="",
        label=truth.label,
        state=TrackState.TRACKED if truth.visibility > 0 else TrackState.LOST,
        box_xyxy=truth.box_xyxy,
        score=truth.visibility,
        velocity=np.zeros(2),
        grounded_ns=stamp_ns(index, FPS),
        age_ns=stamp_ns(index, FPS) - stamp_ns(0, FPS),
    )


def write_sample(directory: Path) -> None:
    """Write the bag; an older one at this place is replaced."""
    shutil.rmtree(directory, ignore_errors=True)
    with BagWriter(directory) as bag:
        for index in tqdm(range(FRAMES), unit="frame"):
            rgb, truths = render(index)
            now_ns = stamp_ns(index, FPS)
            bag.write(IMAGE_TOPIC, bag_messages.compressed_image(jpeg(rgb), now_ns, FRAME_ID), now_ns)
            bag.write(INFO_TOPIC, bag_messages.camera_info(WIDTH, HEIGHT, now_ns, FRAME_ID), now_ns)
            tracks = [true_track(truth, index) for truth in truths]
            array = bag_messages.track_array(tracks, now_ns, (WIDTH, HEIGHT), frame_id=FRAME_ID)
            bag.write(GROUND_TRUTH_TOPIC, array, now_ns)


if __name__ == "__main__":
    write_sample(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "sample")
