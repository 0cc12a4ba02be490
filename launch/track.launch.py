"""Cameras in, tracks out: the perception node, lifecycle managed, with the settings of one file.

ros2 launch vitron_ros track.launch.py image:=/camera/image_raw model:=vitron-tiny
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode

from vitron_ros.ros.launch_arguments import ARGUMENTS, check_arguments, node_arguments
from vitron_ros.ros.transport import transport_environment

HERE = Path(__file__)
TRACK_ARGUMENTS = {
    **ARGUMENTS,
    "params_file": (str(HERE.parent / "params" / "perception.yaml"), "YAML file with the node's parameters"),
}


def start_node(context: LaunchContext) -> list[Any]:
    given = dict(context.launch_configurations)
    said = check_arguments(given, TRACK_ARGUMENTS, HERE.name)
    perception = LifecycleNode(**node_arguments("perception", given, "params_file", ["model", "target_frame"]))
    return [*(LogInfo(msg=sentence) for sentence in said), perception]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in TRACK_ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in transport_environment().items()]
    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=start_node)])
