"""YAML of settings: what cannot be read, or could be meant in two ways, is refused in one line."""

import pytest

from vitron_ros.errors import ConfigError
from vitron_ros.yaml_file import read_yaml

BAD = {
    "latin-1": ("steps: 4\n# caf\xe9\n".encode("latin-1"), "not UTF-8 text, line 2"),
    "utf-16": ("steps: 4\n".encode("utf-16"), "not UTF-8 text"),
    "utf-16 without a mark": ("steps: 4\n".encode("utf-16-le"), "not YAML"),
    "a key twice": (b"a: 1\nb: 2\na: 3\n", "line 3: the key a stands twice"),
    "a key twice inside": (b"a:\n  - {b: 2, b: 3}\n", "line 2: the key b stands twice"),
    "a tab": (b"a: 1\n\tb: 2\n", "line 2"),
    "no end": (b"a: [\n", "not YAML"),
    "no such date": (b"a: 2020-99-99\n", "month"),
    "no such number": (b"a: !!int x\n", "not YAML"),
    "no such truth": (b"a: !!bool x\n", "not YAML"),
    "code": (b"a: !!python/name:os.system\n", "not YAML, line 1"),
    "a deep table": (b"[" * 5000, "not YAML"),
    "a film": (bytes(2 << 20), "larger than 1 MiB"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_line_with_its_name(tmp_path, name):
    data, words = BAD[name]
    path = tmp_path / "settings.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        read_yaml(path)
    said = str(caught.value)
    assert str(path) in said and words in said and "\n" not in said


@pytest.mark.parametrize("name", ["gone.yaml", ".", "n" * 300, "a\0b"])
def test_what_is_no_file_is_named(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path / name)


def test_what_is_right_is_read(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("\ufeffbase: &base {rate: 1e-4}\nstage: {<<: *base, name: 1e, text: 'é'}\n", encoding="utf-8")
    assert read_yaml(path) == {"base": {"rate": 1e-4}, "stage": {"rate": 1e-4, "name": "1e", "text": "é"}}
