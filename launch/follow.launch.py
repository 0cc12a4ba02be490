"""A robot that follows what a phrase names: perception with positions from depth, and the node follow.

ros2 launch vitron_ros follow.launch.py image:=/camera/color/image_raw depth:=/camera/aligned_depth_to_color/image_raw \
    model:=vitron-tiny cmd_vel:=/cmd_vel
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode

from vitron_ros.ros.launch_arguments import ARGUMENTS, check_arguments, node_arguments
from vitron_ros.ros.transport import transport_environment

HERE = Path(__file__)
PARAMS = HERE.parent / "params"
FOLLOW_ARGUMENTS = {
    **ARGUMENTS,
    "cmd_vel": ("/cmd_vel", "topic of the robot's velocities"),
    "params_file": (str(PARAMS / "perception.yaml"), "YAML file with the parameters of perception"),
    "follow_params_file": (str(PARAMS / "follow.yaml"), "YAML file with the parameters of the node follow"),
}


def start_nodes(context: LaunchContext) -> list[Any]:
    given = dict(context.launch_configurations)
    said = check_arguments(given, FOLLOW_ARGUMENTS, HERE.name)
    if not given["depth"] and not given["cameras"]:
        raise ValueError("depth is missing: a robot needs the topic of depth images that are registered to the image")
    perception = node_arguments("perception", given, "params_file", ["model", "target_frame"])
    follow = node_arguments("follow", {**given, "image_transport": ""}, "follow_params_file")
    follow["remappings"] = [("cmd_vel", given["cmd_vel"])]
    nodes = [LifecycleNode(**perception), LifecycleNode(**follow)]
    return [*(LogInfo(msg=sentence) for sentence in said), *nodes]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in FOLLOW_ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in transport_environment().items()]
    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=start_nodes)])
