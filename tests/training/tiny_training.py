"""A model of 6 x 6 patches and two layers, and short stages for it, for the tests of this folder."""

import json
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import torch
import yaml

from training.config import ClipsConfig, LossWeightsConfig, TrainConfig
from training.tiny import new_checkpoint
from vitron_ros.model.checkpoint import Checkpoint
from vitron_ros.model.config import LanguageConfig, ModelConfig, RegionConfig, SelectorConfig, VisionConfig

torch.set_num_threads(1)

MODEL = ModelConfig(
    name="small",
    vision=VisionConfig(
        image_size=48, patch_size=8, hidden_size=32, intermediate_size=64, num_layers=2, num_heads=2, layer=-1
    ),
    selector=SelectorConfig(kind="gated", alpha=0.25, gumbel_noise=0.5),
    region=RegionConfig(mask_size=8),
    language=LanguageConfig(
        vocab_size=480, hidden_size=48, intermediate_size=96, num_layers=2, num_heads=2, num_kv_heads=2, head_dim=24,
        max_positions=512, tie_embeddings=True,
    ),
    max_frames=8,
)  # fmt: skip
IMAGES = ClipsConfig(
    frames=1, count=3, per_task=2, tasks=("rec", "reg", "vqa", "caption", "grounded_caption", "invocation")
)
VIDEOS = ClipsConfig(frames=3, count=2, per_task=2, tasks=("rsot", "sot", "video_reg", "video_qa", "invocation"))


def write_model(folder: Path, model: ModelConfig = MODEL) -> str:
    """A JSON file with the model's config; its path."""
    path = folder / "model.json"
    path.write_text(model.to_json())
    return str(path)


def stage(folder: Path, out: str = "out", **changes) -> TrainConfig:
    """A stage of six steps on images and videos, all losses on."""
    config = TrainConfig(
        name="test", out=str(folder / out), model=write_model(folder), steps=6, warmup_steps=2, learning_rate=2e-3,
        tokenizer_clips=6, save_every=100, log_every=1, clips=(IMAGES, VIDEOS),
        loss_weights=LossWeightsConfig(dense=0.1),
    )  # fmt: skip
    return replace(config, **changes)


def command(config: TrainConfig) -> list[str]:
    """Words of `python -m training.train` for a stage, whose file is beside its output."""
    path = Path(f"{config.out}.yaml")
    path.write_text(yaml.safe_dump(json.loads(json.dumps(asdict(config)))))
    return [str(path), "--device", "cpu"]


@lru_cache(maxsize=1)
def tiny_checkpoint() -> Checkpoint:
    """The model with random weights, its tokenizer and prompts. Shared: do not train it."""
    import tempfile

    with torch.inference_mode(False), tempfile.TemporaryDirectory() as folder:
        return new_checkpoint(write_model(Path(folder)), seed=0, tokenizer_clips=10)
