"""A simulated robot with a colour and a depth camera; it drives by `cmd_vel` through the room of `simulation.walk`."""

import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy

# isort: split
import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np
import rclpy
from geometry_msgs.msg import Twist
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.utilities import remove_ros_args
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from vitron_ros.clock import SECOND_NS
from vitron_ros.following.controller import STOP, Velocity
from vitron_ros.ros import qos
from vitron_ros.ros.conversions import image_message, time_from_ns
from vitron_ros.ros.run import init_and_catch_signals, pause
from vitron_ros.simulation.room import Lens
from vitron_ros.simulation.walk import CAMERA_PERIOD_NS, Shot, Walk

FRAME_ID = "camera_optical_frame"


class RobotSimulation(Node):
    """Publishes `image`, `depth`, `camera_info` and /clock, and drives by `cmd_vel`. Whoever made it lets time pass.

    Args:
        is_waiting: the mug begins its walk when the robot first moves, however long the other nodes take to start.

    Attributes:
        commands: each with the time of the walk, ns, at which it came.
    """

    def __init__(self, walk: Walk, *, is_waiting: bool = False, **kwargs: object) -> None:
        super().__init__("robot_simulation", **kwargs)
        self.walk = walk
        self._is_waiting = is_waiting
        self.commands: list[tuple[int, Velocity]] = []
        self._images = self.create_publisher(Image, "image", qos.IMAGE["reliable"])
        self._depths = self.create_publisher(Image, "depth", qos.IMAGE["reliable"])
        self._infos = self.create_publisher(CameraInfo, "camera_info", qos.IMAGE["reliable"])
        self._clock = self.create_publisher(Clock, "/clock", 1)
        self.create_subscription(Twist, "cmd_vel", self._on_command, qos.COMMAND_VELOCITY)

    def advance(self, elapsed_ns: int) -> None:
        """Let time pass, and tell it."""
        self.walk.advance(elapsed_ns)
        self._is_waiting = self._is_waiting and self.walk.robot.command == STOP
        if self._is_waiting:
            self.walk.begin()
        self._clock.publish(Clock(clock=time_from_ns(self.walk.time_ns)))

    def shoot(self) -> Shot:
        """Publish what the camera sees now."""
        shot = self.walk.shoot()
        header = Header(stamp=time_from_ns(shot.stamp_ns), frame_id=FRAME_ID)
        self._infos.publish(_info_message(self.walk.lens, header))
        self._depths.publish(image_message(shot.depth, header))
        self._images.publish(image_message(shot.view.rgb, header))
        return shot

    def _on_command(self, message: Twist) -> None:
        self.walk.robot.command = Velocity(message.linear.x, message.angular.z)
        self.commands.append((self.walk.time_ns, self.walk.robot.command))


def _info_message(lens: Lens, header: Header) -> CameraInfo:
    k = lens.matrix
    p = np.hstack([k, np.zeros((3, 1))])
    return CameraInfo(
        header=header,
        width=lens.width,
        height=lens.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=k.ravel(),
        r=np.eye(3).ravel(),
        p=p.ravel(),
    )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="robot_simulation",
        description=__doc__,
        epilog="example: python -m vitron_ros.ros_tools.robot_simulation --ros-args -r __ns:=/vitron",
    )
    made.add_argument("--seed", type=int, default=1, help="of the room and of the sensor's noise (default: 1)")
    made.add_argument("--seconds", type=float, default=0.0, help="how long; 0: until stopped")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Time is that of this machine; nodes that work with the robot need use_sim_time."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(remove_ros_args(["robot_simulation", *words])[1:])
    stop = init_and_catch_signals(["robot_simulation", *words])
    node = RobotSimulation(Walk(seed=arguments.seed, begin_ns=time.time_ns()), is_waiting=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    began_s, steps = time.monotonic(), 0
    while not stop and not 0 < arguments.seconds <= steps * CAMERA_PERIOD_NS / SECOND_NS:
        executor.spin_once(timeout_sec=0.0)
        node.advance(CAMERA_PERIOD_NS)
        node.shoot()
        steps += 1
        deadline_s = began_s + steps * CAMERA_PERIOD_NS / SECOND_NS
        while not stop and time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=max(deadline_s - time.monotonic(), 0))
    pause(0.0, stop)
    node.destroy_node()
    rclpy.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
