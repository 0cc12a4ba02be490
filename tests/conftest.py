"""What all tests share: footage that may be absent, and a ROS domain that nobody else uses."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine one example may take seconds, such as the first, with what it imports.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# Nodes share the cores with cameras and clients of their own; the processes of training are forked from one.
ONE_WORKER = {"tests/ros": "nodes", "tests/ros_tools": "nodes", "tests/training": "training"}
FOOTAGE = Path(__file__).parents[2] / "shared" / "data"


def take_domains(count: int = 10) -> range:
    """Domain ids that no other run of tests on this machine has. A lock keeps them until this process ends."""
    for first in range(20, 230, count):
        try:
            lock = os.open(Path(tempfile.gettempdir(), f"vitron-tests-domain-{first}.lock"), os.O_CREAT | os.O_RDWR)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        return range(first, first + count)
    raise pytest.UsageError("every ROS domain is taken by another run of the tests; wait for one to end")


DOMAINS = take_domains()


def pytest_configure(config: pytest.Config) -> None:
    from vitron_ros.ros.transport import transport_environment

    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported: workers share the cores
    os.environ["ROS_DOMAIN_ID"] = str(DOMAINS[0])
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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each file's tests run in one worker, so that what they share is made once; so do those of some folders."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return ONE_WORKER.get(str(Path(path).parent), path)

    return Scheduler(config, log)


@pytest.fixture(scope="session")
def footage() -> Path:
    """The folder with real sequences beside the repository."""
    if not FOOTAGE.is_dir():
        pytest.skip("the development footage is not there")
    return FOOTAGE
