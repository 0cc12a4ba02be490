"""How the sample bags are written: images, camera info, and ground truth."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.bags import GROUND_TRUTH_TOPIC
from vitron_ros.recordings.sources import stamp_ns
from vitron_ros.tracking.track import TrackSnapshot, TrackState

IMAGE_TOPIC, INFO_TOPIC = "/camera/image_raw/compressed", "/camera/camera_info"
FRAME_ID = "camera_optical_frame"

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class GroundTruth:
    """One object in one frame: box (4,) px of the whole object, clipped to the image, and its visible share."""

    id: int
    label: str
    box_xyxy: NDArray[np.float64]
    visibility: float


def write_bag(directory: Path, fps: float, quality: int, frames: Iterable[tuple[Rgb, list[GroundTruth]]]) -> None:
    """Write a bag of JPEG images; an older one at this place is replaced."""
    shutil.rmtree(directory, ignore_errors=True)
    with BagWriter(directory) as bag:
        for index, (rgb, ground_truths) in enumerate(frames):
            now_ns, size = stamp_ns(index, fps), (rgb.shape[1], rgb.shape[0])
            image = bag_messages.compressed_image(jpeg(rgb, quality), now_ns, FRAME_ID)
            bag.write(IMAGE_TOPIC, image, now_ns)
            bag.write(INFO_TOPIC, bag_messages.camera_info(*size, now_ns, FRAME_ID), now_ns)
            tracks = [ground_truth_track(truth, now_ns, stamp_ns(0, fps)) for truth in ground_truths]
            bag.write(GROUND_TRUTH_TOPIC, bag_messages.track_array(tracks, now_ns, size, frame_id=FRAME_ID), now_ns)


def jpeg(rgb: Rgb, quality: int) -> bytes:
    """As small as this quality gets: with Huffman tables of its own."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    return bytes(cv2.imencode(".jpg", np.ascontiguousarray(rgb[..., ::-1]), settings)[1])


def ground_truth_track(truth: GroundTruth, now_ns: int, start_ns: int) -> TrackSnapshot:
    """The truth as a track since `start_ns`; its score is the visible share."""
    return TrackSnapshot(
        id=truth.id,
        phrase="",
        label=truth.label,
        state=TrackState.TRACKED if truth.visibility > 0 else TrackState.LOST,
        box_xyxy=truth.box_xyxy,
        score=truth.visibility,
        velocity=np.zeros(2),
        grounded_ns=now_ns,
        age_ns=now_ns - start_ns,
    )
