"""A small model with the worlds' language, and the tiny models of the neighbouring folders."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("model", "training")]

from tiny_training import MODEL, write_model

from training.tiny import new_checkpoint
from vitron_ros.model.checkpoint import Checkpoint
from vitron_ros.model.config import GenerationConfig


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    model = replace(MODEL, generation=GenerationConfig(max_new_tokens=120))
    return new_checkpoint(write_model(tmp_path_factory.mktemp("model"), model), seed=0, tokenizer_clips=10)
