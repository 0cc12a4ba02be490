"""A checkpoint of the small model and engine profiles for it."""

import pytest
import yaml

from tests.backends.small_models import GATED, small_model
from vitron_ros.model.checkpoint import save_pretrained

SETTINGS = {
    "weights": "checkpoint",
    "part": "frames",
    "levels": True,
    "library": "onnxruntime",
    "precision": "float32",
    "targets": ["cpu"],
    "sizes": [{"frames": {"min": 1, "opt": 2, "max": 6}}],
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """The directory of the small model."""
    folder = tmp_path_factory.mktemp("small")
    save_pretrained(small_model(GATED), folder)
    return folder


@pytest.fixture
def write_profile(tmp_path, checkpoint):
    """`write_profile(name, **changes)`: the path of an engine profile of the small model."""

    def write(name="small", **changes):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"model": str(checkpoint), **SETTINGS, **changes}))
        return path

    return write
