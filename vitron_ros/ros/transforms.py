"""Transforms between coordinate frames, from tf2 where it is installed: an apt ROS has it, there is no wheel of it."""

from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.time import Time

from vitron_ros.errors import ConfigError
from vitron_ros.geometry.transform import Transform

try:
    import tf2_ros
except ImportError:
    tf2_ros = None


class TransformSource:
    """Listens to /tf and /tf_static on behalf of a node.

    Raises:
        ConfigError: tf2 is not installed.
    """

    def __init__(self, node: Node, target_frame: str) -> None:
        if tf2_ros is None:
            raise ConfigError(
                f"target_frame={target_frame} needs tf2, which is not installed: apt install "
                "ros-$ROS_DISTRO-tf2-ros-py, or leave target_frame empty for positions in the camera's frame"
            )
        self._target_frame = target_frame
        self._buffer: Any = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def lookup(self, frame_id: str, stamp_ns: int) -> Transform | None:
        """From a frame to the target frame, at that time; None: it is not known (yet). From any thread."""
        try:
            found = self._buffer.lookup_transform(self._target_frame, frame_id, Time(nanoseconds=stamp_ns)).transform
        except tf2_ros.TransformException:
            return None
        turn, shift = found.rotation, found.translation
        return Transform.from_quaternion(turn.x, turn.y, turn.z, turn.w, np.array([shift.x, shift.y, shift.z]))

    def close(self) -> None:
        self._listener.unregister()
