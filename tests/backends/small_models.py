"""Models of two layers in every part, for the tests of backends and engines: 6 x 6 patches, grouped queries."""

from dataclasses import replace
from functools import cache

import torch

from vitron_ros.model.config import LanguageConfig, ModelConfig, RegionConfig, SelectorConfig, VisionConfig
from vitron_ros.model.vitron import VitronModel

torch.set_num_threads(1)

VISION = VisionConfig(
    image_size=48, patch_size=8, hidden_size=32, intermediate_size=64, num_layers=2, num_heads=2, layer=-1
)
GATED = ModelConfig(
    name="gated",
    vision=replace(VISION, stem="convolutions"),
    selector=SelectorConfig(kind="gated", alpha=0.25),
    region=RegionConfig(mask_size=8),
    language=LanguageConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=16,
        max_positions=96,
    ),
    max_frames=6,
)
PUBLISHED = replace(
    GATED,
    name="published",
    vision=VISION,
    selector=SelectorConfig(kind="published", alpha=0.25),
    region=RegionConfig(kind="published", transposed=True),
)
ATTENTION = replace(PUBLISHED, name="attention", selector=SelectorConfig(kind="attention", alpha=0.25))
POOL = replace(PUBLISHED, name="pool", selector=SelectorConfig(kind="pool", alpha=0.25))
AVERAGED = replace(PUBLISHED, name="averaged", temporal="average")


@cache
def small_model(config: ModelConfig, seed: int = 0) -> VitronModel:
    """The same object for the same config: tests must not change it."""
    torch.manual_seed(seed)
    model = VitronModel(config).eval()
    for name, buffer in model.named_buffers():  # batch norms that do something
        if name.endswith("running_mean"):
            buffer.normal_(std=0.3)
        elif name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    if config.selector.kind == "published":
        torch.nn.init.normal_(model.selector.trans_weight)  # a gate of zeros keeps a fixed grid
    return model
