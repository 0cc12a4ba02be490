"""What the launch files have in common: their arguments, and the nodes that these ask for. Needs no ROS."""

import difflib
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

IMAGE = "/camera/image_raw"
ARGUMENTS = {
    "image": (IMAGE, "image topic of the camera; with `cameras`, each has its own <camera>/image"),
    "depth": ("", "topic of depth images that are registered to `image`: targets get positions in space"),
    "target_frame": ("", "frame of these positions, through tf2; empty: the camera's own"),
    "namespace": ("vitron", "namespace of the nodes and their topics"),
    "respawn": ("true", "start a node again 3 s after it died; its goals are gone"),
    "log_level": ("", "debug, info, warn, error or fatal"),
    "cameras": ("", "names of several cameras, such as [left, right]"),
    "image_transport": ("", "raw: sensor_msgs/Image on `image`; compressed: CompressedImage on `image`/compressed"),
    "model": ("", "model that understands prompts: vitron-tiny, a folder, hub id or http address; or several: 'A + B'"),
    "use_sim_time": ("", "true: take the time from /clock"),
    "autostart": ("", "false: wait for a lifecycle manager's transitions"),
}
"""Default and description. What is empty was not given, and the parameter file's value, or the node's own, holds."""
COMMON = ("cameras", "image_transport", "use_sim_time", "autostart")  # parameters of every node
SWITCHES = {"true": True, "false": False}
LOG_LEVELS = ("debug", "info", "warn", "error", "fatal")
OF_LAUNCH = ("launch-prefix", "launch-prefix-filter", "emulate_tty", "sigterm_timeout", "sigkill_timeout")

Given = Mapping[str, str]


def check_arguments(given: Given, arguments: Iterable[str], file: str) -> list[str]:
    """What to tell of arguments that were perhaps meant for this file.

    Args:
        arguments: those that there are.
        file: the launch file's name.

    Raises:
        ValueError: one cannot be meant, or there is none of that name.
    """
    unknown = unknown_arguments(given, list(arguments))
    if unknown and any(Path(word).name == file for word in sys.argv):
        raise ValueError("; ".join(unknown))
    if given["log_level"] and given["log_level"].lower() not in LOG_LEVELS:
        raise ValueError(f"log_level is {given['log_level']!r}; it must be one of {', '.join(LOG_LEVELS)}")
    # Where another file includes this one, the names may be that file's own.
    return [sentence for sentence in unknown if "did you mean" in sentence]


def unknown_arguments(names: Iterable[str], arguments: list[str]) -> list[str]:
    """A sentence for each name that is no argument."""
    sentences = []
    for name in sorted(set(names) - {*arguments, *OF_LAUNCH}):
        near = difflib.get_close_matches(name, arguments, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(arguments)}"
        sentences.append(f"unknown launch argument {name}; {hint}")
    return sentences


def node_arguments(executable: str, given: Given, params_file: str, names: Iterable[str] = ()) -> dict[str, Any]:
    """What `LifecycleNode` is to be called with.

    Args:
        params_file: the argument that names the node's parameter file.
        names: launch arguments that are parameters of this node, beside the `COMMON` ones; they go before the file's.

    Raises:
        ValueError: an argument cannot be meant.
    """
    path = given[params_file]
    if not Path(path).is_file():  # launch_ros goes on without it
        raise ValueError(f"{params_file} is {path!r}, and there is no such file")
    parameters = _parameters(given, [*COMMON, *names])
    remappings = [("image", given["image"])]
    if executable == "perception" and given["depth"]:
        if given["cameras"]:
            raise ValueError("depth is for one camera; with cameras, depth is on <camera>/depth, and set publish_3d")
        parameters["publish_3d"] = True
        remappings.append(("depth", given["depth"]))
    return {
        "package": "vitron_ros",
        "executable": executable,
        "name": executable,
        "namespace": given["namespace"],
        "output": "screen",
        "respawn": switch("respawn", given["respawn"]),
        "respawn_delay": 3.0,
        "parameters": [path, parameters],
        "remappings": remappings,
        "ros_arguments": ["--log-level", given["log_level"]] if given["log_level"] else [],
    }


def switch(name: str, value: str) -> bool:
    """Raises ValueError if the value is neither true nor false."""
    if value.lower() not in SWITCHES:
        raise ValueError(f"{name} is {value!r}; it must be true or false")
    return SWITCHES[value.lower()]


def _parameters(given: Given, names: list[str]) -> dict[str, Any]:
    """Those that were given."""
    parameters: dict[str, Any] = {name: given[name] for name in names if given[name]}
    for name in parameters.keys() & {"use_sim_time", "autostart"}:
        parameters[name] = switch(name, given[name])
    if given["cameras"]:
        parameters["cameras"] = _camera_names(given)
    return parameters


def _camera_names(given: Given) -> list[str]:
    try:
        names = yaml.safe_load(given["cameras"])
    except yaml.YAMLError:
        names = None
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"cameras is {given['cameras']!r}; it must be a list of names, such as [left, right]")
    if given["image"] != IMAGE:
        raise ValueError("image is for one camera; with cameras, images are on <camera>/image")
    return names
