"""Write a video or a folder of frames as a ROS 2 bag: an MCAP that `ros2 bag play`, Foxglove and `vitron` open.

Topics: /camera/image_raw/compressed (CompressedImage), /camera/camera_info (CameraInfo, sizes only), and /ground_truth
(vitron_msgs/TrackArray) where the folder has a groundtruth.txt of `x,y,w,h` lines, one a frame. JPEG files go in byte
for byte, unless their EXIF data turns them; other frames are coded as JPEG.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from vitron_ros.boxes import Boxes
from vitron_ros.cli.exit_code import DONE, FAILED
from vitron_ros.cli.numbers import whole
from vitron_ros.cli.options import add_json_option, add_source_options
from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.evaluation.datasets import box_file, load_sequence
from vitron_ros.frame import Frame, Image
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.ground_truth import GROUND_TRUTH_TOPIC, TrueBox
from vitron_ros.recordings.left_out import LeftOut
from vitron_ros.recordings.sources import Source, open_source

EPILOG = "example: vitron convert davis/cows out/cows --fps 24"

IMAGE_TOPIC, INFO_TOPIC = "/camera/image_raw/compressed", "/camera/camera_info"
FRAME_ID = "camera_optical_frame"
QUALITY = 90
_LEAP_NS = 60 * SECOND_NS  # from one image to the next, ahead or back: the clock was set
_JPEG_START, _EXIF = b"\xff\xd8", b"Exif\0\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """What became of a source.

    Attributes:
        frames: images written.
        left_out: how many images could not be decoded.
        bad_frames: their indices and the reasons.
        fps: frames a second, on average over the whole, without leaps of the clock.
        damage: why the source ended early; empty: it did not.
    """

    bag: str
    frames: int
    left_out: int
    bad_frames: list[dict[str, Any]]
    fps: float
    damage: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", help="a video, a folder with images or with frames/, or a bag")
    parser.add_argument("bag", type=Path, help="the directory to write; it must not exist yet")
    add_source_options(parser)
    parser.add_argument(
        "--quality", type=whole(1, 100), default=QUALITY, help="of what is coded as JPEG, 1 to 100 (default: 90)"
    )
    add_json_option(parser)


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
        print(f"vitron convert: {result.damage}", file=sys.stderr)
    return FAILED if result.left_out or result.damage else DONE


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
    left_out = LeftOut()
    opened = open_source(source, fps=fps, topic=topic, on_bad=left_out.note)
    if opened.is_live:
        raise ConfigError(f"{opened.name} never ends; record it with `ros2 bag record`")
    boxes = _true_boxes(Path(source))
    stamps_ns: list[int] = []
    damage = ""
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
            stamps_ns.append(frame.stamp_ns)
    for line in left_out.lines():
        print(f"vitron convert: {line}", file=sys.stderr)
    return Conversion(
        bag=str(bag),
        frames=len(stamps_ns),
        left_out=len(left_out.reasons),
        bad_frames=left_out.as_json(),
        fps=_mean_rate(stamps_ns) or opened.fps,
        damage=damage,
    )


def _mean_rate(stamps_ns: Sequence[int]) -> float:
    """Images a second, to 6 digits; 0: the stamps stand still or only leap."""
    gaps_ns = [gap for gap in (b - a for a, b in pairwise(stamps_ns)) if abs(gap) <= _LEAP_NS]
    return float(f"{len(gaps_ns) * SECOND_NS / sum(gaps_ns):.6g}") if sum(gaps_ns) > 0 else 0.0


def _true_boxes(path: Path) -> Boxes | None:
    return load_sequence(path).boxes_xyxy if box_file(path) else None


def _jpeg(source: Source, frame: Frame, quality: int) -> bytes:
    """The bytes of the file itself where it is a JPEG that stands upright for whoever reads it."""
    data = source.paths[frame.index].read_bytes() if source.paths else b""
    if data.startswith(_JPEG_START) and not (_EXIF in data and _is_turned(data, frame.rgb)):
        return data
    return encode_jpeg(frame.rgb, quality)


def _is_turned(jpeg: bytes, upright: Image) -> bool:
    """Whether an EXIF orientation made this picture of the coded one; many readers of a topic do not apply it."""
    coded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    return coded is None or not np.array_equal(coded, upright)


def _write(writer: BagWriter, frame: Frame, jpeg: bytes, box_xyxy: Boxes | None) -> None:
    now_ns, frame_id = frame.stamp_ns, frame.frame_id or FRAME_ID
    messages: dict[str, Any] = {
        IMAGE_TOPIC: bag_messages.compressed_image(jpeg, now_ns, frame_id),
        INFO_TOPIC: bag_messages.camera_info(frame.width, frame.height, now_ns, frame_id),
    }
    if box_xyxy is not None:
        truth = [TrueBox(1, "", box_xyxy, 1.0).as_track(now_ns)] if np.isfinite(box_xyxy).all() else []
        size = (frame.width, frame.height)
        messages[GROUND_TRUTH_TOPIC] = bag_messages.track_array(truth, now_ns, size, frame_id=frame_id)
    for topic, message in messages.items():
        writer.write(topic, message, now_ns)
