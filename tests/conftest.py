"""What all tests share: footage that may be absent, and a ROS domain that nobody else uses."""

import os
from pathlib import Path

import pytest

FOOTAGE = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    from vitron_ros.ros.transport import transport_environment

    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    os.environ["ROS_DOMAIN_ID"] = str(20 + (os.getpid() + worker) % 40)
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


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder with real sequences beside the repository."""
    if not FOOTAGE.is_dir():
        pytest.skip("the development footage is not there")
    return FOOTAGE
