"""How large images reach another process whole. Measured in docs/benchmarks/transport.md; needs no ROS."""

import os
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PROFILE = Path(__file__).with_name("fastdds_profile.xml")
FIRST_RCLPY_WITH_FAST_DDS_3 = 8  # Jazzy has rclpy 7 and Fast DDS 2, Kilted rclpy 9 and Fast DDS 3


def profile_variable(rclpy_version: str | None) -> str:
    """The environment variable in which the Fast DDS of that rclpy looks for a profile; None: of no rclpy yet.

    Fast DDS 2 knows the old name only, and Fast DDS 3 warns of it.
    """
    is_old = rclpy_version is not None and int(rclpy_version.split(".")[0]) < FIRST_RCLPY_WITH_FAST_DDS_3
    return "FASTRTPS_DEFAULT_PROFILES_FILE" if is_old else "FASTDDS_DEFAULT_PROFILES_FILE"


def transport_environment() -> dict[str, str]:
    """What to set for a process that sends or receives images, before it starts rclpy. A user's own profile stays."""
    name = profile_variable(installed_rclpy())
    return {name: os.environ.get(name, str(PROFILE))}


def installed_rclpy() -> str | None:
    """Version of the rclpy that would be imported, e.g. "9.1.2"."""
    try:
        return version("rclpy")
    except PackageNotFoundError:
        return None
