"""What all tests share: footage that may be absent, and a ROS domain that nobody else uses."""

import os
from pathlib import Path

import pytest

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
DOMAINS = range(20 + 20 * WORKER, 40 + 20 * WORKER)  # of this worker alone
ONE_AT_A_TIME = ("ros", "ros_tools")  # folders whose nodes share the cores with cameras and clients of their own
FOOTAGE = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    from vitron_ros.ros.transport import transport_environment

    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: workers share the cores
    os.environ["ROS_DOMAIN_ID"] = str(DOMAINS[os.getpid() % len(DOMAINS)])
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.update(transport_environment())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = []
    for module in ("rclpy", "vitron_msgs"):
        try:
            __import__(module)
        except ImportError:
            reasons.append(f"{module} is not installed")
    if reasons:
        for item in items:
            if item.get_closest_marker("ros"):
                item.add_marker(pytest.mark.skip(reason="; ".join(reasons)))
    for item in items:
        if item.path.parent.name in ONE_AT_A_TIME:
            item.add_marker(pytest.mark.xdist_group("nodes"))


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder with real sequences beside the repository."""
    if not FOOTAGE.is_dir():
        pytest.skip("the development footage is not there")
    return FOOTAGE
