"""Whatever stands beside the weights of a model, what is wrong with it is one short line."""

import json
import re

import pytest

from tests.refusals import assert_refused
from vitron_ros.errors import ModelError
from vitron_ros.lfs import START
from vitron_ros.model.files import files_inside, is_file, quoted, read_json, read_text, shortened


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 text"),
        ('{"a": "è"}'.encode("latin-1"), "is not UTF-8 text"),
        (b"", "is not valid JSON"),
        (b"{", "is not valid JSON"),
        (b"[1, 2]", "holds no table"),
        (b"3", "holds no table"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "has the key 'c' twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not valid JSON"),
        (START + b"v1\noid sha256:00\n", "is a pointer of Git LFS"),
        (b'{"' + b"k" * 10**6 + b'": 1, "' + b"k" * 10**6 + b'": 2}', "has the key 'kkk"),
    ],
)
def test_json_that_is_not_a_table(tmp_path, content, sentence):
    path = tmp_path / "values.json"
    path.write_bytes(content)
    with assert_refused(ModelError, f"{re.escape(str(path))}.*{sentence}"):
        read_json(path)


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + json.dumps({"a": 1}).encode())
    assert read_json(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize("name", ["gone", ".", "x" * 300, "a\0b"])
def test_what_is_no_file_is_none(tmp_path, name):
    assert not is_file(tmp_path / name)


def test_a_folder_is_no_text(tmp_path):
    with pytest.raises(ModelError, match="cannot be read: Is a directory"):
        read_text(tmp_path)


def test_a_file_too_large_is_not_read(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="more than any such file needs"):
        read_text(tmp_path / "a")


@pytest.mark.parametrize("name", ["/etc/hostname", "../a", "b/../../a", 3, None, "", "a\0b", ["a"]])
def test_names_stay_inside_their_folder(tmp_path, name):
    (tmp_path / "a").touch()
    folder = tmp_path / "folder"
    (folder / "b").mkdir(parents=True)
    with pytest.raises(ModelError, match=r"outside its own folder|which is not a file"):
        files_inside(folder, [name], folder / "index")


def test_names_inside_are_sorted_and_there_once(tmp_path):
    (tmp_path / "part").mkdir()
    for name in ("b", "a", "part/c"):
        (tmp_path / name).touch()
    assert files_inside(tmp_path, ["b", "a", "b", "part/c"], tmp_path) == [tmp_path / n for n in ("a", "b", "part/c")]


def test_values_are_quoted_short():
    bomb: list[object] = ["x" * 10**6] * 10
    for _ in range(30):
        bomb = [bomb] * 10
    assert len(quoted(bomb)) < 10**6 and len(quoted("x" * 10**6)) < 100
    assert shortened(["a", "b\n" * 100, "c", "d", "e"]).endswith("c, d, ...")
