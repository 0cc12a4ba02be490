"""What package.xml and setup.py say must be one."""

import ast
import re
from pathlib import Path
from xml.etree import ElementTree

from vitron_ros.cli.doctor import REQUIRED

ROOT = Path(__file__).parents[1]
ROSDEP = {  # what pip knows by another name than rosdep, or what comes with something else
    "backports.zstd": "python3-rosbags-pip",
    "filelock": "python3-transformers-pip",
    "httpx2": "python3-transformers-pip",
    "huggingface_hub": "python3-transformers-pip",
    "mcap": "mcap-ros2-support",
    "mcap-ros2-support": "mcap-ros2-support",
    "numba": "python3-numba",
    "numpy": "python3-numpy",
    "onnxruntime": "python3-onnxruntime-pip",
    "opencv-contrib-python-headless": "python3-opencv",
    "psutil": "python3-psutil",
    "scipy": "python3-scipy",
    "pyyaml": "python3-yaml",
    "rosbags": "python3-rosbags-pip",
    "safetensors": "python3-transformers-pip",
    "tokenizers": "python3-transformers-pip",
    "torch": "python3-pytorch-pip",
    "tqdm": "python3-tqdm",
    "transformers": "python3-transformers-pip",
}


def required() -> set[str]:
    """What pip installs, by name."""
    (call,) = (
        node.value
        for node in ast.parse((ROOT / "setup.py").read_text()).body
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    )
    (requirements,) = (ast.literal_eval(word.value) for word in call.keywords if word.arg == "install_requires")
    return {re.split("[<>=~! ]", requirement)[0] for requirement in requirements}


def test_the_doctor_looks_at_what_pip_installs():
    assert {name for _, name in REQUIRED.values()} == required() - {"backports.zstd"}  # not of every Python


def test_what_pip_installs_rosdep_installs_too_or_the_docs_name():
    names = required()
    keys = {item.text for item in ElementTree.parse(ROOT / "package.xml").getroot() if item.tag.endswith("depend")}
    assert names, "the check found no requirement"
    by_hand = (ROOT / "docs" / "stock_ros.md").read_text()
    assert {ROSDEP[name] for name in names if name in ROSDEP} <= keys
    assert not [
        name for name in names if name not in ROSDEP and not re.search(rf"pip install .*\b{name}\b", by_hand)
    ], "rosdep has no key, and no word"


def test_every_interface_package_that_is_imported_is_a_dependency():
    sources = (path.read_text() for path in (ROOT / "vitron_ros").rglob("*.py"))
    imported = {
        name for text in sources for name in re.findall(r"^\s*from (\w+_(?:msgs|srvs|interfaces))\.", text, re.M)
    }
    keys = {item.text for item in ElementTree.parse(ROOT / "package.xml").getroot() if item.tag.endswith("depend")}
    assert "vitron_msgs" in imported
    assert imported <= keys
