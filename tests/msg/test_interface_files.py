"""What the interface files say: each field explained, each file built, one version."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

MSG = Path(__file__).parents[2] / "msg"
FILES = sorted([*MSG.glob("*.msg"), *MSG.glob("action/*.action"), *MSG.glob("srv/*.srv")])
FIELD = re.compile(r"^[A-Za-z][\w/]*(\[[<=\d]*\])?\s+[a-z]\w*")


def fields_without_comment(text: str) -> list[str]:
    """A field has a comment on its line, or is one of a block of lines under a comment line."""
    missing, explained = [], False
    for line in text.splitlines():
        if line.startswith("#"):
            explained = True
        elif FIELD.match(line) and "#" not in line and not explained:
            missing.append(line)
        elif not FIELD.match(line):
            explained = False
    return missing


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_field_of_an_interface_is_explained(path):
    assert fields_without_comment(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("uint8 a  # why", []),
        ("uint8 a", ["uint8 a"]),
        ("# why\nuint8 a\nuint8 b", []),
        ("# title\n\nuint8 a", ["uint8 a"]),
        ("sensor_msgs/Image[<=1] mask\nfloat32[4] box", ["sensor_msgs/Image[<=1] mask", "float32[4] box"]),
        ("uint8 A=1", []),
    ],
)
def test_the_check_of_comments_finds_a_bare_field(text, missing):
    assert fields_without_comment(text) == missing


def test_cmake_builds_every_interface_file():
    listed = re.findall(
        r'"\$\{(?:parent|here)\}:(?:msg/)?([\w/]+\.(?:msg|action|srv))"', (MSG / "CMakeLists.txt").read_text()
    )
    assert sorted(listed) == sorted(path.relative_to(MSG).as_posix() for path in FILES)


def test_pip_and_colcon_build_the_same_version():
    package = ElementTree.parse(MSG / "package.xml").getroot()
    text = (MSG / "pyproject.toml").read_text()
    assert f'name = "{package.findtext("name")}"\nversion = "{package.findtext("version")}"' in text
