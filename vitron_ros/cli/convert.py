"""Write a video or a folder of frames as a ROS 2 bag: an MCAP that `ros2 bag play`, Foxglove and `vitron` open.

Topics: /camera/image_raw/compressed (CompressedImage), /camera/camera_info (CameraInfo, sizes only), and /ground_truth
(vitron_msgs/TrackArray) where the folder has a groundtruth.txt of `x,y,w,h` lines, one a frame. JPEG files go in byte
for byte; other frames are coded as JPEG.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ConfigError, ImageError, SourceError
from vitron_ros.evaluation import bag_messages
from vitron_ros.evaluation.bag_writer import BagWriter
from vitron_ros.evaluation.bags import GROUND_TRUTH_TOPIC, log_bad_frame
from vitron_ros.evaluation.datasets import box_file, load_sequence
from vitron_ros.evaluation.sources import Source, open_source
from vitron_ros.frame import Frame
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.tracking.track import TrackSnapshot, TrackState

EPILOG = "example: vitron convert davis/cows out/cows --fps 24"

IMAGE_TOPIC, INFO_TOPIC = "/camera/image_raw/compressed", "/camera/camera_info"
FRAME_ID = "camera_optical_frame"
QUALITY = 90
_JPEG_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class Conversion:
    """What became of a source.

    Attributes:
        frames: images written.
        left_out: images that could not be decoded.
        damage: why the source ended early; empty: it did not.
    """

    bag: str
    frames: int
    left_out: int
    fps: float
    damage: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a video, a folder with images or with frames/, or a bag")
    parser.add_argument("bag", type=Path, help="the directory to write; it must not exist yet")
    parser.add_argument("--fps", type=float, help="frames a second (default: 25 for a folder, a video has its own)")
    parser.add_argument("--topic", help="the image topic of a bag that has several")
    parser.add_argument("--quality", type=int, default=QUALITY, help="of what is coded as JPEG, 1 to 100 (default: 90)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0; 1 where the source broke off or an image was left out: the bag holds the rest."""
    result = convert(
        arguments.source, arguments.bag, fps=arguments.fps, topic=arguments.topic, quality=arguments.quality
    )
    if arguments.json:
        print(json.dumps(asdict(result)))
    else:
        print(f"{result.bag}: {result.frames} frames at {result.fps:g} a second, {result.left_out} left out")
    if result.damage:
        print(result.damage, file=sys.stderr)
    return 1 if result.left_out or result.damage else 0


def convert(
    source: str, bag: Path, *, fps: float | None = None, topic: str | None = None, quality: int = QUALITY
) -> Conversion:
    """Write the bag, with a progress bar on stderr.

    Raises:
        ConfigError: `quality` out of range, or the source never ends.
        SourceError: the source cannot be opened, its boxes do not fit its frames, or the bag cannot be written.
    """
    if not 1 <= quality <= 100:
        raise ConfigError(f"quality is {quality}; it is 1 to 100")
    bad: list[int] = []

    def count_bad(index: int, error: ImageError) -> None:
        bad.append(index)
        log_bad_frame(index, error)

    opened = open_source(source, fps=fps, topic=topic, on_bad=count_bad)
    if opened.is_live:
        raise ConfigError(f"{opened.name} never ends; record it with `ros2 bag record`")
    boxes = _true_boxes(Path(source))
    written, damage = 0, ""
    with BagWriter(bag) as writer:
        frames = iter(tqdm(opened, total=opened.count, unit="frame", file=sys.stderr, disable=None))
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                break
            except SourceError as error:
                damage = str(error)
                break
            _write(writer, frame, _jpeg(opened, frame, quality), None if boxes is None else boxes[frame.index])
            written += 1
    return Conversion(str(bag), written, len(bad), opened.fps, damage)


def _true_boxes(path: Path) -> Boxes | None:
    return load_sequence(path).boxes_xyxy if box_file(path) else None


def _jpeg(source: Source, frame: Frame, quality: int) -> bytes:
    """The bytes of the file itself where it is a JPEG."""
    if source.paths and source.paths[frame.index].suffix.lower() in _JPEG_SUFFIXES:
        return source.paths[frame.index].read_bytes()
    return encode_jpeg(frame.rgb, quality)


def _true_track(box_xyxy: Boxes, now_ns: int) -> TrackSnapshot:
    return TrackSnapshot(
        id=1,
        phrase="",
        label="",
        state=TrackState.TRACKED,
        box_xyxy=box_xyxy,
        score=1.0,
        velocity=np.zeros(2),
        grounded_ns=now_ns,
        age_ns=0,
    )


def _write(writer: BagWriter, frame: Frame, jpeg: bytes, box_xyxy: Boxes | None) -> None:
    now_ns, frame_id = frame.stamp_ns, frame.frame_id or FRAME_ID
    messages: dict[str, Any] = {
        IMAGE_TOPIC: bag_messages.compressed_image(jpeg, now_ns, frame_id),
        INFO_TOPIC: bag_messages.camera_info(frame.width, frame.height, now_ns, frame_id),
    }
    if box_xyxy is not None:
        truth = [_true_track(box_xyxy, now_ns)] if np.isfinite(box_xyxy).all() else []
        size = (frame.width, frame.height)
        messages[GROUND_TRUTH_TOPIC] = bag_messages.track_array(truth, now_ns, size, frame_id=frame_id)
    for topic, message in messages.items():
        writer.write(topic, message, now_ns)
