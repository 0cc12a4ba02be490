"""A tiny model of every kind for the tests of this folder: 8 x 8 patches of 8 px, 32 channels, a LLaMA of 48."""

from dataclasses import replace

import torch
from tiny_language import CONFIG as LANGUAGE

from vitron_ros.model.config import ModelConfig, RegionConfig, SelectorConfig, VisionConfig
from vitron_ros.model.vitron import VitronModel

VISION = VisionConfig(
    image_size=64, patch_size=8, hidden_size=32, intermediate_size=64, num_layers=4, num_heads=4, layer=-2
)
CONFIG = ModelConfig(
    name="tiny",
    vision=VISION,
    selector=SelectorConfig(kind="gated", alpha=0.25),
    region=RegionConfig(mask_size=8),
    language=LANGUAGE,
    max_frames=8,
)
PLAIN = replace(CONFIG, selector=SelectorConfig(kind="none", alpha=1.0))


def tiny_vitron(config: ModelConfig = CONFIG, seed: int = 0) -> VitronModel:
    torch.manual_seed(seed)
    return VitronModel(config).eval()
