"""ROS parameters made from the fields of a configuration class, with their ranges and descriptions."""

import difflib
from collections.abc import Sequence
from dataclasses import Field, fields, replace
from typing import Any, Literal, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vitron_ros.config import check_setting
from vitron_ros.errors import ConfigError

Config = TypeVar("Config")
Stage = Literal["unconfigured", "inactive", "active"]

ROS_NAMES = ("use_sim_time", "start_type_description_service")
ROS_PREFIX = "qos_overrides."
TYPES = {
    bool: "a bool: true or false",
    int: "an integer",
    float: "a double",
    str: "a string; put it in quotes",
    tuple: "a list of names, such as [left, right]",
}
EFFECTS = {
    "now": "may change while the node is active",
    "activate": "may change while the node is inactive",
    "configure": "may change while the node is unconfigured",
    "start": "is read when the node starts",
}
LONGEST_SHOWN = 200  # characters of a value that a person is shown


def declare_parameters(node: Node, config: Any) -> None:
    """Declare one parameter for every field of the configuration, with the configuration's values as defaults.

    Values given from outside are taken as they are: `read_parameters` judges them, so that a wrong one is named when
    the node is configured, and can be mended.
    """
    for item in fields(config):
        default = _to_ros(getattr(config, item.name))
        try:
            node.declare_parameter(item.name, default, describe(item))
        except InvalidParameterValueException:
            node.declare_parameter(item.name, default, describe(item, has_range=False))
        if isinstance(default, list) and _is_empty(node.get_parameter(item.name).value):
            # rclpy takes an empty list for one of bytes, and one in a file for a parameter without a value.
            node.set_parameters([Parameter(item.name, Parameter.Type.STRING_ARRAY, [])])


def read_parameters(node: Node, config: Config) -> Config:
    """The configuration with the node's present values.

    Raises:
        ConfigError: a value has the wrong type or range, or was given for a parameter that the node does not have.
    """
    known = [item.name for item in fields(config)]  # type: ignore[arg-type]
    for name in node._parameter_overrides:  # rclpy has no other way to what was given and not declared
        if name not in (*known, *ROS_NAMES) and not name.startswith(ROS_PREFIX):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise ConfigError(f"unknown parameter {name[:LONGEST_SHOWN]}{hint}")
    values = {name: _from_ros(name, node.get_parameter(name).value, getattr(config, name)) for name in known}
    return replace(config, **values)  # type: ignore[type-var]


def change_parameters(node: Node, config: Config, parameters: Sequence[Parameter], stage: Stage) -> Config:
    """The configuration with some values changed. Setting the value that a parameter has is always allowed.

    Raises:
        ConfigError: a value has the wrong type or range, is to be deleted, or may not change at this stage.
    """
    by_name: dict[str, Field[Any]] = {item.name: item for item in fields(config)}  # type: ignore[arg-type]
    changes = {}
    for parameter in parameters:
        item = by_name.get(parameter.name)
        if item is None:
            continue
        if parameter.type_ == Parameter.Type.NOT_SET:
            raise ConfigError(f"{item.name} cannot be deleted; its default is {_to_ros(item.default)!r}")
        value = _from_ros(item.name, parameter.value, item.default)
        check_setting(item.name, value, item.metadata)
        changes[item.name] = value
        if _to_ros(value) != node.get_parameter(item.name).value:
            _check_stage(item.name, item.metadata["effect"], stage)
    return replace(config, **changes)  # type: ignore[type-var]


def _check_stage(name: str, effect: str, stage: Stage) -> None:
    if effect == "start":
        raise ConfigError(f"{name} is read when the node starts; give it on the command line or in a parameter file")
    if effect == "configure" and stage != "unconfigured":
        first = "deactivate it and clean it up" if stage == "active" else "clean it up"
        raise ConfigError(f"{name} cannot change while the node is configured; {first} first")
    if effect == "activate" and stage == "active":
        raise ConfigError(f"{name} cannot change while the node is active; deactivate it first")


def describe(item: "Field[Any]", *, has_range: bool = True) -> ParameterDescriptor:
    """What `ros2 param describe` shows of a field."""
    metadata = item.metadata
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    constraints = [f"one of {', '.join(choices)}"] if choices else []
    descriptor = ParameterDescriptor(
        name=item.name,
        description=metadata["description"],
        additional_constraints="; ".join([*constraints, EFFECTS[metadata["effect"]]]),
        # A YAML file may well say `timeout: 5`; we take whole numbers for real ones and check the rest ourselves.
        dynamic_typing=True,
    )
    if has_range and low is not None and high is not None:
        if isinstance(item.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _from_ros(name: str, value: Any, default: Any) -> Any:
    """The value in the type of the default; an empty list may be one of any type."""
    if isinstance(default, tuple):
        if _is_empty(value):
            return ()
        if isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value):
            return tuple(value)
    elif isinstance(default, float) and type(value) is int:
        return float(value)
    elif type(value) is type(default):
        return value
    shown = "empty" if _is_empty(value) else repr(value)[:LONGEST_SHOWN]
    raise ConfigError(f"{name} is {shown}; it must be {TYPES[type(default)]}")


def _is_empty(value: Any) -> bool:
    """Nothing, or a list of nothing: what an empty list of a file, a command line or a client arrives as."""
    return value is None or (not isinstance(value, (str, bool, int, float)) and len(value) == 0)
