"""A camera of moving pictures that needs no camera: textured squares, or circles, over a textured wall."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import argparse
import itertools
import sys
import time
from collections.abc import Sequence

import cv2
import numpy as np
import rclpy
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image as Rgb
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message, time_from_ns
from vitron_ros.ros.run import init_and_catch_signals, pause

RATE_HZ = 30.0
PERIOD_FRAMES = 60  # then the pictures repeat; every target is back where it began
GRIDS = (4, 6)  # squares stand in the smallest of these that has room, each swinging around its own place
MAX_TARGETS = GRIDS[-1] ** 2
CIRCLES = {"red": (220, 30, 30), "blue": (30, 60, 220), "green": (40, 170, 60), "purple": (130, 40, 170)}
TARGET_MM, WALL_MM = 2000, 4000  # of --depth
CIRCLE_GRID = 2  # circles are larger: `vitron-tiny` sees little of small things


def texture(rng: np.random.Generator, height: int, width: int, low: int, high: int) -> Rgb:
    """Smooth coloured noise with detail at two scales, (H, W, 3)."""
    coarse = cv2.resize(rng.integers(low, high, (height // 16 + 1, width // 16 + 1, 3), np.uint8), (width, height))
    fine = cv2.resize(rng.integers(0, 40, (height // 4 + 1, width // 4 + 1, 3), np.uint8), (width, height))
    return np.asarray(cv2.add(coarse, fine), np.uint8)


def target_boxes(index: int, count: int, width: int, height: int, grid: int | None = None) -> Boxes:
    """Where the targets are in a frame, (count, 4) px. `grid`: CIRCLE_GRID for circles."""
    grid = grid or next(side for side in GRIDS if side**2 >= count)
    number = np.arange(count)
    cell = np.array([width, height]) / grid
    middle = (np.stack([number % grid, number // grid], axis=-1) + 0.5) * cell
    phase = 2 * np.pi * (index / PERIOD_FRAMES + number / count)
    middle = middle + 0.2 * cell * np.stack([np.cos(phase), np.sin(phase)], axis=-1)
    half = np.round(cell.min() * 0.2)
    return np.round(np.concatenate([middle - half, middle + half], axis=-1))


def frame_index(stamp_ns: int, rate: float = RATE_HZ) -> int:
    """Number of the picture that the camera stamped so; stamps are whole multiples of the period."""
    return stamp_ns // int(1e9 / rate)


def circle_pictures(width: int, height: int) -> list[Rgb]:
    """One period of frames with a circle of each colour of CIRCLES, in their order: "the red circle" and so on."""
    wall = texture(np.random.default_rng(0), height, width, 40, 120)
    frames: list[NDArray[np.uint8]] = []
    for index in range(PERIOD_FRAMES):
        frame = wall.copy()
        for box, colour in zip(
            target_boxes(index, len(CIRCLES), width, height, CIRCLE_GRID).astype(int), CIRCLES.values(), strict=True
        ):
            cv2.circle(frame, (box[:2] + box[2:]) // 2, (box[2] - box[0]) // 2, colour, -1, cv2.LINE_AA)
        frames.append(frame)
    return frames


def pictures(count: int, width: int, height: int) -> list[Rgb]:
    """One period of frames with `count` squares, 1 to MAX_TARGETS."""
    rng = np.random.default_rng(0)
    wall = texture(rng, height, width, 40, 120)
    left, _, right, _ = target_boxes(0, count, width, height)[0]
    size = int(right - left)
    faces = [texture(rng, size, size, 60, 215) for _ in range(count)]
    frames: list[NDArray[np.uint8]] = []
    for index in range(PERIOD_FRAMES):
        frame = wall.copy()
        for (left, top, right, bottom), face in zip(
            target_boxes(index, count, width, height).astype(int), faces, strict=True
        ):
            frame[top:bottom, left:right] = face[: bottom - top, : right - left]
        frames.append(frame)
    return frames


def depth_pictures(count: int, width: int, height: int, grid: int | None = None) -> list[NDArray[np.uint16]]:
    """The depth of `pictures`, (H, W) mm: the boxes of the targets before the wall. `grid`: CIRCLE_GRID for circles."""
    depths = []
    for index in range(PERIOD_FRAMES):
        depth = np.full((height, width), WALL_MM, np.uint16)
        for left, top, right, bottom in target_boxes(index, count, width, height, grid).astype(int):
            depth[top:bottom, left:right] = TARGET_MM
        depths.append(depth)
    return depths


class _DepthPublisher:
    """Publishes calibration and depth of the pictures."""

    def __init__(self, node: Node, arguments: argparse.Namespace) -> None:
        width, height = arguments.width, arguments.height
        self._infos = node.create_publisher(CameraInfo, "camera_info", qos.IMAGE["sensor_data"])
        self._depths = node.create_publisher(Image, "depth", qos.IMAGE["sensor_data"])
        k = [float(width), 0.0, width / 2 - 0.5, 0.0, float(width), height / 2 - 0.5, 0.0, 0.0, 1.0]
        self._info = CameraInfo(width=width, height=height, k=k, distortion_model="plumb_bob", d=[0.0] * 5)
        count, grid = (len(CIRCLES), CIRCLE_GRID) if arguments.circles else (arguments.targets, None)
        self._images = [image_message(depth, Header()) for depth in depth_pictures(count, width, height, grid)]

    def publish(self, index: int, header: Header) -> None:
        depth = self._images[index]
        self._info.header = depth.header = header
        self._infos.publish(self._info)
        self._depths.publish(depth)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="pattern_camera",
        description=__doc__,
        epilog="example: python -m vitron_ros.ros_tools.pattern_camera --width 1280 --height 720 --rate 30",
    )
    made.add_argument("--width", type=int, default=640, help="px (default: 640)")
    made.add_argument("--height", type=int, default=480, help="px (default: 480)")
    made.add_argument("--rate", type=float, default=RATE_HZ, help="Hz (default: 30)")
    made.add_argument(
        "--targets",
        type=int,
        default=1,
        choices=range(1, MAX_TARGETS + 1),
        metavar="N",
        help=f"squares, up to {MAX_TARGETS} (default: 1)",
    )
    made.add_argument("--circles", action="store_true", help="four coloured circles in place of squares")
    made.add_argument(
        "--depth",
        action="store_true",
        help="publish camera_info and depth, too: targets 2 m away, the wall 4 m",
    )
    made.add_argument("--frames", type=int, default=0, help="how many to publish; 0: until stopped")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Publishes `image` with best effort, and what --depth asks for."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(remove_ros_args(["pattern_camera", *words])[1:])
    stop = init_and_catch_signals(["pattern_camera", *words])
    node = Node("pattern_camera")
    publisher = node.create_publisher(Image, "image", qos.IMAGE["sensor_data"])
    size = (arguments.width, arguments.height)
    shown = circle_pictures(*size) if arguments.circles else pictures(arguments.targets, *size)
    messages = [image_message(picture, Header(frame_id="pattern")) for picture in shown]
    depth = _DepthPublisher(node, arguments) if arguments.depth else None
    period_ns = int(1e9 / arguments.rate)
    first = time.time_ns() // period_ns + 1
    for index in range(first, first + arguments.frames) if arguments.frames else itertools.count(first):
        pause((index * period_ns - time.time_ns()) / 1e9, stop)
        if stop:
            break
        message = messages[index % PERIOD_FRAMES]
        message.header.stamp = time_from_ns(index * period_ns)
        publisher.publish(message)
        if depth is not None:
            depth.publish(index % PERIOD_FRAMES, message.header)
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
