"""Cameras in, tracks out: the perception node, lifecycle managed, with the settings of one file.

ros2 launch vitron_ros track.launch.py image:=/camera/image_raw model:=vitron-tiny
"""

import difflib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode

from vitron_ros.ros.transport import transport_environment

PARAMS = str(Path(__file__).parent / "params" / "perception.yaml")
IMAGE = "/camera/image_raw"
# Default and description. What is empty was not given, and the parameter file's value, or the node's own, holds.
ARGUMENTS = {
    "image": (IMAGE, "image topic of the camera; with `cameras`, each has its own <camera>/image"),
    "namespace": ("vitron", "namespace of the node and its topics"),
    "params_file": (PARAMS, "YAML file with the node's parameters"),
    "respawn": ("true", "start the node again 3 s after it died; its goals are gone"),
    "log_level": ("", "debug, info, warn, error or fatal"),
    "cameras": ("", "names of several cameras, such as [left, right]"),
    "image_transport": ("", "raw: sensor_msgs/Image on `image`; compressed: CompressedImage on `image`/compressed"),
    "model": ("", "model that understands prompts: vitron-tiny, a folder, hub id or http address; or several: 'A + B'"),
    "use_sim_time": ("", "true: take the time from /clock"),
    "autostart": ("", "false: wait for a lifecycle manager's transitions"),
}
PARAMETERS = ("cameras", "image_transport", "model", "use_sim_time", "autostart")  # before the file's, where given
SWITCHES = {"true": True, "false": False}
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
OF_LAUNCH = ("launch-prefix", "launch-prefix-filter", "emulate_tty", "sigterm_timeout", "sigkill_timeout")


def given_parameters(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of the node out of the launch arguments. Raises ValueError where one cannot be meant."""
    parameters: dict[str, Any] = {name: given[name] for name in PARAMETERS if given[name]}
    for name in parameters.keys() & {"use_sim_time", "autostart"}:
        parameters[name] = switch(name, given[name])
    if given["cameras"]:
        try:
            names = yaml.safe_load(given["cameras"])
        except yaml.YAMLError:
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ValueError(f"cameras is {given['cameras']!r}; it must be a list of names, such as [left, right]")
        if given["image"] != IMAGE:
            raise ValueError("image is for one camera; with cameras, images are on <camera>/image")
        parameters["cameras"] = names
    return parameters


def switch(name: str, value: str) -> bool:
    if value.lower() not in SWITCHES:
        raise ValueError(f"{name} is {value!r}; it must be true or false")
    return SWITCHES[value.lower()]


def unknown_arguments(names: Iterable[str]) -> list[str]:
    """A sentence for each name that is no argument of this file."""
    sentences = []
    for name in sorted(set(names) - {*ARGUMENTS, *OF_LAUNCH}):
        near = difflib.get_close_matches(name, ARGUMENTS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(ARGUMENTS)}"
        sentences.append(f"unknown launch argument {name}; {hint}")
    return sentences


def start_node(context: LaunchContext) -> list[Any]:
    given = dict(context.launch_configurations)
    unknown = unknown_arguments(given)
    if unknown and any(Path(word).name == Path(__file__).name for word in sys.argv):
        raise ValueError("; ".join(unknown))
    if given["log_level"] and given["log_level"].lower() not in LOG_LEVELS:
        raise ValueError(f"log_level is {given['log_level']!r}; it must be one of {', '.join(LOG_LEVELS)}")
    if not Path(given["params_file"]).is_file():  # launch_ros goes on without it
        raise ValueError(f"params_file is {given['params_file']!r}, and there is no such file")
    perception = LifecycleNode(
        package="vitron_ros",
        executable="perception",
        name="perception",
        namespace=given["namespace"],
        output="screen",
        respawn=switch("respawn", given["respawn"]),
        respawn_delay=3.0,
        parameters=[given["params_file"], given_parameters(given)],
        remappings=[("image", given["image"]), ("image/compressed", f"{given['image']}/compressed")],
        ros_arguments=["--log-level", given["log_level"]] if given["log_level"] else [],
    )
    # Where another file includes this one, the names may be that file's own.
    return [*(LogInfo(msg=sentence) for sentence in unknown if "did you mean" in sentence), perception]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    environment = [SetEnvironmentVariable(name, value) for name, value in transport_environment().items()]
    return LaunchDescription([*arguments, *environment, OpaqueFunction(function=start_node)])
