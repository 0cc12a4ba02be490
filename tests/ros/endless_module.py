"""A process with the node `editing`, whose jobs go on until they are cancelled."""

import subprocess
import sys
from contextlib import contextmanager

from tests.modules.fake_backend import FakeBackend
from vitron_ros.ros.module_node import ModuleNode
from vitron_ros.ros.run import run_node


def load(*_):
    backend = FakeBackend()
    backend.gate.clear()
    return backend


@contextmanager
def endless_module():
    """The process, stopped at the end if it still runs."""
    process = subprocess.Popen([sys.executable, "-m", __name__])
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    sys.exit(run_node(lambda: ModuleNode("editing", load)))
