"""Perception, and the expert modules that a sentence may call: segmentation, editing, generation; each may be left out.

ros2 launch vitron_ros vitron.launch.py image:=/camera/image_raw model:=vitron-tiny generation:=false
"""

from pathlib import Path
from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode

from vitron_ros.ros.launch_arguments import ARGUMENTS, check_arguments, node_arguments, switch
from vitron_ros.ros.transport import transport_environment

HERE = Path(__file__)
PARAMS = HERE.parent / "params"
MODULES = ("segmentation", "editing", "generation")
VITRON_ARGUMENTS = {
    **ARGUMENTS,
    "perception": ("true", "false: without the node perception"),
    "command": ("true", "false: without the node command, which does what a sentence says"),
    **{name: ("true", f"false: without the node {name}") for name in MODULES},
    **{
        f"{name}_backend": ("", f"embedded, or the folder or hub id of a model, of the node {name}") for name in MODULES
    },
    "input_folder": ("", "folder of the files that goals of the modules may name"),
    "output_folder": ("", "folder that the modules write results to"),
    "params_file": (str(PARAMS / "perception.yaml"), "YAML file with the parameters of perception"),
    "command_params_file": (str(PARAMS / "command.yaml"), "YAML file with the parameters of the node command"),
    "modules_params_file": (str(PARAMS / "modules.yaml"), "YAML file with the parameters of the modules' nodes"),
}


def start_nodes(context: LaunchContext) -> list[Any]:
    given = dict(context.launch_configurations)
    said = check_arguments(given, VITRON_ARGUMENTS, HERE.name)
    nodes = []
    if switch("perception", given["perception"]):
        nodes.append(LifecycleNode(**node_arguments("perception", given, "params_file", ["model", "target_frame"])))
    if switch("command", given["command"]):
        nodes.append(LifecycleNode(**node_arguments("command", given, "command_params_file")))
    for name in MODULES:
        if switch(name, given[name]):
            own = {**given, "backend": given[f"{name}_backend"]}
            folders = ["backend", "input_folder", "output_folder"]
            nodes.append(LifecycleNode(**node_arguments(name, own, "modules_params_file", folders)))
    return [*(LogInfo(msg=sentence) for sentence in said), *nodes]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in VITRON_ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in transport_environment().items()]
    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=start_nodes)])
