import subprocess
import sys

import pytest

from vitron_ros.config import ModelRun
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.streaming.models import BUNDLED, load_model


@pytest.mark.parametrize(
    ("name", "device", "says"),
    [
        ("nowhere", "cpu", "nowhere"),
        ("nowhere", "quantum", "device 'quantum'"),
        ("nowhere", "cuda:99", "nowhere|cuda:99"),
    ],
)
def test_a_model_or_device_that_is_not_there_is_named(name, device, says):
    with pytest.raises(ModelError, match=says):
        load_model(name, ModelRun(device=device))


def test_a_backend_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match="backend is 'gpu'; it must be one of auto, torch, onnx, tensorrt"):
        load_model(BUNDLED, ModelRun(backend="gpu"))


@pytest.mark.parametrize("module", ["streaming.pipeline", "streaming.model_worker", "offline.replay", "cli.track"])
def test_what_runs_without_a_model_starts_without_torch(module):
    code = f"import sys, vitron_ros.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
