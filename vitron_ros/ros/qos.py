"""The QoS of every topic, by name. Reasons stand in docs/interface.md."""

from copy import copy
from typing import Any, Literal

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

from vitron_ros.errors import ConfigError

OVERRIDES = "qos_overrides"  # the first word of ROS's own parameters for the QoS of single topics
VALUES = {"history": HistoryPolicy, "reliability": ReliabilityPolicy, "durability": DurabilityPolicy, "depth": int}
"""Policies that may be overridden; the names of their values, or the type."""


def _volatile(depth: int, reliability: ReliabilityPolicy) -> QoSProfile:
    return QoSProfile(
        depth=depth,
        history=HistoryPolicy.KEEP_LAST,
        reliability=reliability,
        durability=DurabilityPolicy.VOLATILE,
    )


# Best effort takes images from reliable and best-effort cameras alike; one image deep, since only the newest counts.
IMAGE = {
    "sensor_data": _volatile(1, ReliabilityPolicy.BEST_EFFORT),
    "reliable": _volatile(1, ReliabilityPolicy.RELIABLE),
    "system_default": _volatile(1, ReliabilityPolicy.SYSTEM_DEFAULT),
}
# Who keeps images wants all of them: an executor that is held up for a second must not lose the one that is asked for.
IMAGE_HISTORY = {name: _volatile(30, profile.reliability) for name, profile in IMAGE.items()}
TRACKS = _volatile(10, ReliabilityPolicy.RELIABLE)
EVENTS = _volatile(50, ReliabilityPolicy.RELIABLE)
INVOCATIONS = _volatile(10, ReliabilityPolicy.RELIABLE)
DIAGNOSTICS = _volatile(10, ReliabilityPolicy.RELIABLE)
COMMAND_VELOCITY = _volatile(1, ReliabilityPolicy.RELIABLE)
DEBUG_IMAGE = _volatile(1, ReliabilityPolicy.BEST_EFFORT)
# Of the services of actions. ROS keeps 10 by default: of more goals that end at once, as by a deactivation, the others
# would never hear of it. As many as `max_goals` may ever be; both sides need it.
GOALS = _volatile(1000, ReliabilityPolicy.RELIABLE)
GOAL_SERVICES = {f"{service}_service_qos_profile": GOALS for service in ("goal", "result", "cancel")}
"""Arguments for rclpy's `ActionClient` and `ActionServer`."""


def overridable(
    node: Node, entity: Literal["publisher", "subscription"], topic: str, profile: QoSProfile
) -> dict[str, Any]:
    """Arguments for rclpy's `create_publisher` and `create_subscription`: a profile that a user's parameters change.

    Such as `-p qos_overrides./vitron/tracks.publisher.depth:=50`. Only those that were given are declared, since rclpy
    keeps what it has declared for ever, whatever the node's own settings become.

    Raises:
        ConfigError: there is no such policy, or it has no such value.
    """
    prefix = f"{OVERRIDES}.{node.resolve_topic_name(topic)}.{entity}."
    given = {name: item for name, item in node._parameter_overrides.items() if name.startswith(prefix)}
    kinds = [_checked(name, name.removeprefix(prefix), item.value) for name, item in given.items()]
    # A copy, since rclpy writes the new values into the profile.
    return {"qos_profile": copy(profile), "qos_overriding_options": QoSOverridingOptions(kinds) if kinds else None}


def mismatch(node: Node, topic: str) -> str:
    """The policy that keeps a publisher from reaching this node's subscription, as the graph knows both; empty: none.

    Args:
        topic: its full name.
    """
    name = (node.get_name(), node.get_namespace())
    subscriptions = node.get_subscriptions_info_by_topic(topic)
    wanted = [info.qos_profile for info in subscriptions if (info.node_name, info.node_namespace) == name]
    for info in node.get_publishers_info_by_topic(topic):
        for profile in wanted:
            if qos_check_compatible(info.qos_profile, profile)[0] == QoSCompatibility.ERROR:
                is_unreliable = info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
                return (
                    "RELIABILITY"
                    if is_unreliable and profile.reliability == ReliabilityPolicy.RELIABLE
                    else "DURABILITY"
                )
    return ""


def _checked(name: str, policy: str, value: Any) -> QoSPolicyKind:
    """The policy, if it can have that value."""
    if policy not in VALUES:
        raise ConfigError(f"{name}: there is no policy {policy!r} to override; there are {', '.join(VALUES)}")
    if policy == "depth":
        if type(value) is not int or value < 1:
            raise ConfigError(f"{name} is {value!r}; it must be a whole number from 1 on")
    elif not isinstance(value, str) or value.upper() not in VALUES[policy].__members__:
        known = ", ".join(item.lower() for item in VALUES[policy].__members__ if item.isupper())
        raise ConfigError(f"{name} is {value!r}; it must be one of {known}")
    return QoSPolicyKind[policy.upper()]
