"""The descriptions of behaviour-tree nodes agree with the action, and the example with the descriptions."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
TREES = ROOT / "launch" / "behavior_trees"
OF_NAV2 = {"server_name", "server_timeout"}  # ports of every BtActionNode
NOT_PORTS = {"region", "region_stamp", "max_targets"}  # of no use without a person who draws, or for one target


def nodes():
    root = ElementTree.parse(TREES / "vitron_tree_nodes.xml").getroot()
    assert root.get("BTCPP_format") == "4"
    return {node.get("ID"): node for node in root.find("TreeNodesModel")}


def ports(node, kind):
    return {port.get("name") for port in node.findall(kind)}


@pytest.mark.parametrize("name", ["TrackObject", "FollowObject"])
def test_the_ports_are_the_fields_of_the_goal_and_the_result(name):
    goal, result, _ = (ROOT / "msg" / "action" / "TrackObject.action").read_text().split("---\n")
    fields = {line.split()[1] for line in goal.splitlines() if line and not line.startswith("#")}
    assert ports(nodes()[name], "input_port") == fields - NOT_PORTS | OF_NAV2
    assert "uint16 error_code " in result and "string error_msg " in result
    assert ports(nodes()[name], "output_port") == {"error_code_id", "error_msg"}  # Nav2 names the first one so


def test_every_port_is_explained():
    assert all(port.text.strip() for node in nodes().values() for port in node)


def test_the_example_uses_ports_that_there_are():
    root = ElementTree.parse(TREES / "follow_phrase.xml").getroot()
    (used,) = root.iter("FollowObject")
    node = nodes()["FollowObject"]
    assert set(used.keys()) <= ports(node, "input_port") | ports(node, "output_port")
    assert root.get("main_tree_to_execute") in {tree.get("ID") for tree in root.iter("BehaviorTree")}
