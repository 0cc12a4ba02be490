"""ROS parameters made from the fields of a configuration class, with their ranges and descriptions."""

import difflib
from collections.abc import Sequence
from dataclasses import Field, fields, replace
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vitron_ros.config import check_setting
from vitron_ros.errors import ConfigError

Config = TypeVar("Config")

ROS_PREFIXES = ("use_sim_time", "qos_overrides.", "start_type_description_service")


def declare_parameters(node: Node, config: Any) -> None:
    """Declare one parameter for every field of the configuration, with the configuration's values as defaults.

    The node must have been made with `automatically_declare_parameters_from_overrides=True`, so that parameters
    given from outside are there already, misspelt ones too.

    Raises:
        ConfigError: a parameter given from outside is out of range.
    """
    for item in fields(config):
        descriptor = describe(item)
        if not node.has_parameter(item.name):
            node.declare_parameter(item.name, _to_ros(getattr(config, item.name)), descriptor)
            continue
        try:
            node.set_descriptor(item.name, descriptor)
        except InvalidParameterValueException as error:
            raise ConfigError(f"parameter {item.name}: {error}") from error


def read_parameters(node: Node, config: Config) -> Config:
    """The configuration with the node's present values.

    Raises:
        ConfigError: a value has the wrong type or range, or the node has a parameter that nobody declared.
    """
    known = [item.name for item in fields(config)]  # type: ignore[arg-type]
    for name in node.get_parameters_by_prefix(""):
        if name not in known and not name.startswith(ROS_PREFIXES):
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"
            raise ConfigError(f"unknown parameter {name}{hint}")
    values = {name: _from_ros(name, node.get_parameter(name).value, getattr(config, name)) for name in known}
    return replace(config, **values)  # type: ignore[type-var]


def change_parameters(config: Config, parameters: Sequence[Parameter], *, active: bool) -> Config:
    """The configuration with some values changed, as a callback for set parameters needs it.

    Raises:
        ConfigError: a value has the wrong type or range, or may not change while the node is active.
    """
    by_name: dict[str, Field[Any]] = {item.name: item for item in fields(config)}  # type: ignore[arg-type]
    changes = {}
    for parameter in parameters:
        item = by_name.get(parameter.name)
        if item is None:
            continue
        if active and not item.metadata["runtime"]:
            raise ConfigError(f"{item.name} cannot change while the node is active; deactivate it first")
        value = _from_ros(item.name, parameter.value, getattr(config, item.name))
        check_setting(item.name, value, item.metadata)
        changes[item.name] = value
    return replace(config, **changes)  # type: ignore[type-var]


def refused(error: ConfigError) -> SetParametersResult:
    return SetParametersResult(successful=False, reason=str(error))


def describe(item: "Field[Any]") -> ParameterDescriptor:
    """What `ros2 param describe` shows of a field."""
    metadata = item.metadata
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    descriptor = ParameterDescriptor(
        name=item.name,
        description=metadata["description"],
        additional_constraints=f"one of {', '.join(choices)}" if choices else "",
        # A YAML file may well say `timeout: 5`; we take whole numbers for real ones and check the rest ourselves.
        dynamic_typing=True,
    )
    if low is not None and high is not None:
        if isinstance(item.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


def _to_ros(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _from_ros(name: str, value: Any, default: Any) -> Any:
    """The value in the type of the default; an empty list and a list of bytes are all that ROS has for no strings."""
    if isinstance(default, tuple):
        names = tuple(value or ())
        if not all(isinstance(item, str) and item for item in names):
            raise ConfigError(f"{name} is {value!r}; it must be a list of names")
        return names
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise ConfigError(f"{name} is {value!r}; it must be a {type(default).__name__}")
    return value
