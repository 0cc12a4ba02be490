"""Whether another node has the same name: both would take every goal, and speak on the same topics."""

import time

from rclpy.node import Node

# Fast DDS needs 20 s to forget a node that was killed, and the launch file starts the next one after 3.
PATIENCE_S = 30.0


class NamesakeWatch:
    """Looks for one in the graph."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._since_s: float | None = None

    @property
    def problem(self) -> str:
        """That there is one, and what to do; empty: none, or not for `PATIENCE_S` yet."""
        name = self._node.get_fully_qualified_name()
        names = [f"{namespace.rstrip('/')}/{own}" for own, namespace in self._node.get_node_names_and_namespaces()]
        if names.count(name) < 2:
            self._since_s = None
            return ""
        now_s = time.monotonic()
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s <= PATIENCE_S:
            return ""
        return f"another node is named {name}, too, and takes the same goals; stop one, or rename it: -r __node:=NAME"
