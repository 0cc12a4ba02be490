"""A process with the node `editing`, whose jobs go on until they are cancelled."""

import sys

from tests.modules.fake_backend import FakeBackend
from vitron_ros.ros.module_node import ModuleNode
from vitron_ros.ros.run import run_node


def load(*_):
    backend = FakeBackend()
    backend.gate.clear()
    return backend


if __name__ == "__main__":
    sys.exit(run_node(lambda: ModuleNode("editing", load)))
