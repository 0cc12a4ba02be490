"""A robot with two driven wheels, which follows its commands with a lag, and a camera that looks ahead."""

import math
from dataclasses import dataclass

from vitron_ros.following.controller import STOP, Velocity
from vitron_ros.simulation.room import CameraPose

CAMERA_HEIGHT = 0.35  # m
LAG_S = 0.1  # in which the wheels reach 63 % of a change


@dataclass(slots=True)
class DifferentialRobot:
    """Where it is, m and radians, and how it moves. It keeps to the last command for ever: it has no watchdog."""

    x: float = 0.0
    y: float = 0.0
    yaw: float = 0.0
    velocity: Velocity = STOP
    command: Velocity = STOP

    def step(self, elapsed_s: float) -> None:
        """Move for so long, along an arc."""
        blend = 1 - math.exp(-elapsed_s / LAG_S)
        linear = self.velocity.linear + blend * (self.command.linear - self.velocity.linear)
        angular = self.velocity.angular + blend * (self.command.angular - self.velocity.angular)
        self.velocity = Velocity(linear, angular)
        middle = self.yaw + angular * elapsed_s / 2
        self.x += linear * elapsed_s * math.cos(middle)
        self.y += linear * elapsed_s * math.sin(middle)
        self.yaw += angular * elapsed_s

    @property
    def camera(self) -> CameraPose:
        """Of the camera above the axle."""
        return CameraPose(self.x, self.y, CAMERA_HEIGHT, self.yaw)
