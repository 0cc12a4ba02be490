"""How the sample bags are written: images, camera info, and ground truth."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_TOPIC, TrueBox
from vitron_ros.recordings.sources import stamp_ns

IMAGE_TOPIC, INFO_TOPIC = "/camera/image_raw/compressed", "/camera/camera_info"
FRAME_ID = "camera_optical_frame"

Rgb = NDArray[np.uint8]


def write_bag(directory: Path, fps: float, quality: int, frames: Iterable[tuple[Rgb, list[TrueBox]]]) -> None:
    """Write a bag of JPEG images; an older one at this place is replaced."""
    shutil.rmtree(directory, ignore_errors=True)
    with BagWriter(directory) as bag:
        for index, (rgb, boxes) in enumerate(frames):
            now_ns, size = stamp_ns(index, fps), (rgb.shape[1], rgb.shape[0])
            image = bag_messages.compressed_image(jpeg(rgb, quality), now_ns, FRAME_ID)
            bag.write(IMAGE_TOPIC, image, now_ns)
            bag.write(INFO_TOPIC, bag_messages.camera_info(*size, now_ns, FRAME_ID), now_ns)
            tracks = [box.as_track(now_ns, now_ns - stamp_ns(0, fps)) for box in boxes]
            bag.write(GROUND_TRUTH_TOPIC, bag_messages.track_array(tracks, now_ns, size, frame_id=FRAME_ID), now_ns)


def jpeg(rgb: Rgb, quality: int) -> bytes:
    """As small as this quality gets: with Huffman tables of its own."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), settings)[1])
