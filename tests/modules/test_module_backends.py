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


@pytest.mark.parametrize("name", ["", "no_such_folder", "https://example.org/model"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(ConfigError, match="it must be embedded or the folder of a model"):
        load_backend("editing", name, ModelRun())
