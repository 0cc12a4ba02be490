"""The same directories where torchvision is installed: transformers then takes other image processors.

Beside a torch for the CPU alone, its wheel must not be seen by other tests:
pip install --no-deps --target DIR torchvision==0.28.0, and TORCHVISION_PATH=DIR.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.grounding.families.tiny_text_models import florence2, qwen

ROOT = Path(__file__).parents[3]
ELSEWHERE = os.environ.get("TORCHVISION_PATH", "")
pytestmark = pytest.mark.skipif(
    not ELSEWHERE and importlib.util.find_spec("torchvision") is None,
    reason="torchvision is not installed, and TORCHVISION_PATH does not say where it is",
)
RUN = """
import json, sys
import tests.grounding.families.torchvision_shim
import numpy as np
from transformers.utils import is_torchvision_available
from vitron_ros.config import ModelRun
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.streaming.models import load_model

assert is_torchvision_available()
frame = Frame(rgb=np.arange(640 * 480 * 3, dtype=np.uint32).reshape(480, 640, 3).astype(np.uint8), stamp_ns=1)
found = []
for directory in sys.argv[1:]:
    model = load_model(directory, ModelRun())
    model.max_new_tokens = 4
    reply = model.reply([ModelRequest(id="1", task=Task.FIND, text="the red mug", frames=(frame,))])[0]
    seen = model._seen(frame.rgb) if hasattr(model, "_seen") else None
    found.append([type(model._image_processor).__name__, reply.status.value, seen])
print(json.dumps(found))
"""


def test_models_load_and_answer_with_torchvision(tmp_path):
    kinds = ("qwen2_5_vl", "qwen3_vl", "qwen3_5")
    directories = [
        qwen(tmp_path / f"{kind}-{layout}", kind, layout) for kind in kinds for layout in ("nested", "split")
    ]
    directories += [florence2(tmp_path / f"florence-{layout}", layout) for layout in ("nested", "split")]
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT), ELSEWHERE)))
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": path}
    result = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, directories)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    found = json.loads(result.stdout.splitlines()[-1])
    assert [name for name, _, _ in found] == ["Qwen2VLImageProcessor"] * 6 + ["CLIPImageProcessor"] * 2
    assert all(status in ("ok", "absent", "unsure", "unreadable") for _, status, _ in found)
    assert [seen for _, _, seen in found[:6]] == [[252, 168]] * 2 + [[288, 192]] * 4
