"""The Python blocks of docs/python.md run as they are written."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_python_block_runs(block, tmp_path, monkeypatch, capsys):
    (tmp_path / "bags").symlink_to(ROOT / "bags")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "python.md", "exec"), {})
    assert capsys.readouterr().out
