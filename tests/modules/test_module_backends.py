import subprocess
import sys

import pytest

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.modules.backends import load_backend


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "neither a model_index.json nor a config.json"),
        ({"config.json": '{"model_type": "parrot"}'}, "a model of type 'parrot'"),
        ({"model_index.json": '{"_class_name": "ParrotPipeline"}'}, "a model of type 'ParrotPipeline'"),
        ({"config.json": "no json"}, "config.json"),
    ],
)
def test_a_folder_that_no_backend_takes_is_refused(tmp_path, files, reason):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ModelError, match=reason):
        load_backend("editing", str(tmp_path), ModelRun())


@pytest.mark.parametrize("name", ["no_such_folder", "https://example.org/model"])
def test_a_name_that_is_no_model_is_refused(name):
    with pytest.raises(ModelError, match="is not a directory, bundled model or hub id"):
        load_backend("editing", name, ModelRun())


def test_no_name_is_refused():
    with pytest.raises(ConfigError, match="backend is empty; it must be embedded"):
        load_backend("editing", "", ModelRun())


def test_nothing_heavy_is_imported_before_a_model_is_chosen():
    run = """
import sys
from vitron_ros.config import ModelRun
from vitron_ros.modules.backends import load_backend
for node in ("segmentation", "editing", "generation"):
    load_backend(node, "embedded", ModelRun())
assert not {"torch", "transformers", "diffusers"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", run], check=True)
