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
    assert subprocess.run([sys.executable, "-c", code], timeout=100).returncode == 0
