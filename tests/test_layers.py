"""The direction of imports: the core knows no ROS, and nothing imports what comes after it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROS = {
    "action_msgs", "ament_index_python", "builtin_interfaces", "cv_bridge", "diagnostic_msgs", "geometry_msgs",
    "launch", "launch_ros", "lifecycle_msgs", "rcl_interfaces", "rclpy", "rosgraph_msgs", "sensor_msgs", "std_msgs",
    "std_srvs", "tf2_ros", "unique_identifier_msgs", "vision_msgs", "visualization_msgs",
    "vitron_msgs",
}  # fmt: skip
NOUNS = {"boxes", "clock", "config", "errors", "frame", "home_folder", "interfaces", "lfs", "masks", "module_registry",
         "natural_sort", "region", "yaml_file"}  # fmt: skip
MAY_IMPORT = {
    "images": NOUNS,
    "model": NOUNS,
    "tracking": NOUNS | {"model"},
    "geometry": NOUNS | {"images", "tracking"},
    "worlds": {"boxes", "errors"},
    "backends": NOUNS | {"model"},
    "grounding": NOUNS | {"images", "model", "backends"},
    "streaming": NOUNS | {"images", "model", "tracking", "grounding"},
    "recordings": NOUNS | {"images", "tracking"},
    "modules": NOUNS | {"images", "model", "tracking", "worlds"},
    "following": NOUNS,
    "rig": NOUNS,
    "commands": NOUNS | {"grounding", "modules"},
    "offline": NOUNS
    | {"images", "model", "tracking", "geometry", "grounding", "streaming", "recordings", "modules", "commands"},
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def part_of(name: str) -> str | None:
    words = name.split(".")
    return words[1] if words[0] == "vitron_ros" and len(words) > 1 else None


FILES = sorted((ROOT / "vitron_ros").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_ros_package_imports_ros(path):
    part = path.relative_to(ROOT / "vitron_ros").parts[0]
    found = {name.split(".")[0] for name in imports(path)} & ROS
    parts = {part_of(name) for name in imports(path)}
    if part not in ("ros", "ros_tools"):
        assert not found
        if part != "cli":
            assert not parts & {"ros", "ros_tools"}
    elif part == "ros":
        assert not parts & {"ros_tools", "evaluation"}, "a product node needs no tool and no evaluation"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_stage_does_not_import_the_next(path):
    part = path.relative_to(ROOT / "vitron_ros").parts[0].removesuffix(".py")
    parts = {part_of(name) for name in imports(path)} - {None, part, "__version__"}
    if part in NOUNS:
        assert parts <= NOUNS
    elif part in MAY_IMPORT:
        assert parts <= MAY_IMPORT[part]


def test_the_package_never_imports_its_workshops():
    for path in FILES:
        assert not {name.split(".")[0] for name in imports(path)} & {"engines", "training", "tests", "bags"}, path


def test_no_two_test_files_share_a_name():
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}, "pytest cannot import them side by side"
