"""The QoS of every topic, by name. Reasons stand in docs/interface.md."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


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
TRACKS = _volatile(10, ReliabilityPolicy.RELIABLE)
EVENTS = _volatile(50, ReliabilityPolicy.RELIABLE)
INVOCATIONS = _volatile(10, ReliabilityPolicy.RELIABLE)
DIAGNOSTICS = _volatile(10, ReliabilityPolicy.RELIABLE)
DEBUG_IMAGE = _volatile(1, ReliabilityPolicy.BEST_EFFORT)
# Of the services of actions. ROS keeps 10 by default: of more goals that end at once, as by a deactivation, the others
# would never hear of it. As many as `max_goals` may ever be; both sides need it.
GOALS = _volatile(1000, ReliabilityPolicy.RELIABLE)
