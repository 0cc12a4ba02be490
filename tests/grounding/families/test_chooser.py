import json
import subprocess
import sys

import pytest

from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.grounding.families import FAMILIES, family_of
from vitron_ros.streaming.models import load_model


@pytest.mark.parametrize("kind", ["bert", 7, None, ["elysium"], "x" * 5000])
def test_a_type_that_no_family_takes_is_named_with_those_that_run(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind, "auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(ModelError, match=r"holds a model of type .*; the types that run here are .*elysium.*vitron"):
        load_model(str(tmp_path), ModelRun())


def test_code_of_a_model_is_never_run(tmp_path, monkeypatch):
    monkeypatch.setitem(FAMILIES, "theirs", "vitron_ros.grounding.nowhere:Model")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "theirs", "auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(ModelError, match=r"asks for code of its own \(auto_map in its config\.json\), which is never"):
        load_model(str(tmp_path), ModelRun())


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_a_config_that_is_none_is_refused(tmp_path, text):
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError):
        family_of(tmp_path)


def test_a_directory_without_a_config_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"has no config\.json"):
        load_model(str(tmp_path), ModelRun())


@pytest.mark.parametrize("kind", FAMILIES)
def test_every_family_can_be_loaded(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    assert callable(family_of(tmp_path).load)


def test_the_list_of_families_needs_no_torch():
    code = (
        "import sys, vitron_ros.grounding.families; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize(
    ("file", "config", "says"),
    [
        (
            "config.json",
            {"model_type": "clipseg"},
            "which only cuts things out; give it as the backend of segmentation",
        ),
        ("model_index.json", {"_class_name": "WanPipeline"}, "give it as the backend of editing or generation"),
    ],
)
def test_a_model_of_the_modules_is_sent_to_its_node(tmp_path, file, config, says):
    (tmp_path / file).write_text(json.dumps(config))
    with pytest.raises(ModelError, match=says):
        load_model(str(tmp_path), ModelRun())


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("https://huggingface.co/Qwen/Qwen3-VL-4B-Instruct/tree/main", "give the id of its model: Qwen/Qwen3-VL-4B-In"),
        ("huggingface.co/Qwen/Qwen3-VL-4B-Instruct", "is a page of the hub; give the id of its model: Qwen/Qwen3-VL"),
        ("localhost:8000/v1", "for a server give http://localhost:8000/v1"),
        ("127.0.0.1:8000", "for a server give http://127.0.0.1:8000"),
        ("some/detector+other/answerer", r"several are joined by ' \+ ', with a space on each side"),
        ("some/detector +", r"joined by ' \+ ', with a space on each side and a model on both"),
        ("~/nowhere", "is not a directory, bundled model or hub id"),
        ("~nobody-of-this-name/model", "is not a directory, bundled model or hub id"),
        ("nowhere", "is not a directory, bundled model or hub id"),
        ("a/b/c", "is not a directory, bundled model or hub id"),
        ("elysium-7b", "is a profile without weights"),
    ],
)
def test_a_name_of_nothing_says_what_was_meant(name, says):
    with pytest.raises(ModelError, match=says):
        load_model(name, ModelRun())


def test_a_folder_at_home_is_found_where_a_shell_leaves_its_name_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model").mkdir()
    with pytest.raises(ModelError, match=rf"{tmp_path}/model has no config\.json"):
        load_model(" ~/model ", ModelRun())
