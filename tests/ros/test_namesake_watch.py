"""A second node of the same name, which was started by mistake."""

from types import SimpleNamespace

import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")

from vitron_ros.ros import namesake_watch
from vitron_ros.ros.namesake_watch import PATIENCE_S, NamesakeWatch

OWN, OTHER = ("perception", "/vitron"), ("perception", "/robot2")


@pytest.mark.parametrize(
    ("looks", "is_told"),
    [
        ([(0, [OWN, OTHER]), (99, [OWN, OTHER])], False),
        ([(0, [OWN, OWN]), (PATIENCE_S, [OWN, OWN])], False),
        ([(0, [OWN, OTHER, OWN]), (PATIENCE_S + 1, [OWN, OWN])], True),
        ([(0, [OWN, OWN]), (20, [OWN]), (PATIENCE_S + 1, [OWN, OWN])], False),
    ],
    ids=["another namespace", "not yet", "stays", "killed, and started again"],
)
def test_a_namesake_that_stays_is_told(monkeypatch, looks, is_told):
    node = SimpleNamespace(get_fully_qualified_name=lambda: "/vitron/perception")
    watch = NamesakeWatch(node)
    for now_s, names in looks:
        node.get_node_names_and_namespaces = lambda names=names: names
        monkeypatch.setattr(namesake_watch.time, "monotonic", lambda now_s=now_s: now_s)
        problem = watch.problem
    assert ("another node is named /vitron/perception" in problem) == is_told
