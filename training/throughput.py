"""How fast a run is: tokens a second, the share of the GPU's peak that they use (MFU), memory, and waiting for data."""

import time

import torch

from training.config import TrainConfig
from training.data import Batch
from vitron_ros.model.config import LanguageConfig, ModelConfig, VisionConfig

PEAK_FLOPS = {"H200": 989e12, "H100": 989e12, "A100": 312e12}  # SXM, dense bfloat16


def linear_weights(config: LanguageConfig | VisionConfig) -> int:
    """Weights of the matrices of all layers, each used once a token."""
    if isinstance(config, VisionConfig):
        width, layers = config.hidden_size, config.used_layers
        return layers * (4 * width**2 + 2 * width * config.intermediate_size)
    heads = 2 * (config.num_heads + config.num_kv_heads) * config.head_dim  # queries and outputs, keys and values
    return config.num_layers * config.hidden_size * (heads + 3 * config.intermediate_size)


def forward_flops(model: ModelConfig, *, frames: int, tokens: int, labels: int) -> float:
    """Of the products with weights in one forward pass. Attention scores do not count: some 10 % more in CLIP, less in
    the language model, where packing keeps questions short.

    Args:
        tokens: of the language model.
        labels: positions of which logits are computed.
    """
    language = model.language
    head = labels * language.hidden_size * language.vocab_size
    vision = frames * (1 + model.vision.num_patches) * linear_weights(model.vision)
    patches = frames * model.vision.num_patches * 3 * model.vision.patch_size**2 * model.vision.hidden_size
    return 2.0 * (vision + patches + tokens * linear_weights(language) + head)


def passes(config: TrainConfig) -> tuple[int, int]:
    """Forward passes that a step costs in the vision encoder and the language model. Of a layer, the gradient of its
    input costs one, that of its weights another; activations computed again do not count."""
    vision = 3 if "vision" in config.trainable else 1
    return vision, 3 if "language" in config.trainable else 2


class Throughput:
    """Measures the steps between two rows of the log."""

    def __init__(self, config: TrainConfig, model: ModelConfig, device: torch.device) -> None:
        self._passes, self._model, self._device = passes(config), model, device
        self._peak = _peak_flops(device)
        self._restart()

    def _restart(self) -> None:
        self._begin, self._waited, self._tokens, self._flops = time.monotonic(), 0.0, 0, 0.0

    def waited(self, seconds: float) -> None:
        """Notes how long a step waited for its batches."""
        self._waited += seconds

    def add(self, batch: Batch) -> None:
        """Notes a batch of this process."""
        packs = batch.packs
        tokens = 0 if packs is None else int((packs.segments >= 0).sum())
        labels = 0 if packs is None else packs.counts["text"] + packs.counts["coordinate"]
        vision, language = self._passes
        frames = len(batch.images)
        self._tokens += tokens
        self._flops += vision * forward_flops(self._model, frames=frames, tokens=0, labels=0)
        self._flops += language * forward_flops(self._model, frames=0, tokens=tokens, labels=labels)

    def read(self) -> dict[str, float]:
        """Tokens a second and their MFU in this process, its memory, and its waiting, since the last call."""
        seconds = max(time.monotonic() - self._begin, 1e-9)
        found = {"tokens_per_second": self._tokens / seconds, "data_wait": self._waited / seconds}
        if self._peak:
            found["mfu"] = self._flops / seconds / self._peak
        if self._device.type == "cuda":
            found["memory_gb"] = torch.cuda.max_memory_allocated(self._device) / 1e9
            torch.cuda.reset_peak_memory_stats(self._device)
        self._restart()
        return found


def _peak_flops(device: torch.device) -> float:
    """0: not known."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), 0.0)
