"""The memory footprint of a model, from its config alone: nothing is allocated."""

from dataclasses import dataclass

from torch import nn

from vitron_ros.model.config import ModelConfig
from vitron_ros.model.memory import cache_bytes_per_token
from vitron_ros.model.vitron import VitronModel, build_empty

FLOAT32, FLOAT16 = 4, 2  # bytes


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Sizes of a model.

    Attributes:
        parameters: number of weights by part, a shared one counted once.
        int8_parameters: those among them that `quantise(model, "int8")` makes one byte each.
        cache_bytes_per_token: of keys and values, in 16 bits.
        tokens_per_frame: of the context, for each frame of video.
        context: tokens at most.
    """

    parameters: dict[str, int]
    int8_parameters: int
    cache_bytes_per_token: int
    tokens_per_frame: int
    context: int

    @property
    def total(self) -> int:
        return sum(self.parameters.values())

    @property
    def float32_bytes(self) -> int:
        """Of the weights alone, as for the next two."""
        return FLOAT32 * self.total

    @property
    def float16_bytes(self) -> int:
        return FLOAT16 * self.total

    @property
    def int8_bytes(self) -> int:
        """The rest in 16 bits; the scales, one a row, are left out."""
        return FLOAT16 * (self.total - self.int8_parameters) + self.int8_parameters

    @property
    def cache_bytes(self) -> int:
        """Of keys and values of one full context, in 16 bits."""
        return self.cache_bytes_per_token * self.context


def footprint(config: ModelConfig) -> Footprint:
    """The sizes of the model of a config."""
    model, language = build_empty(config), config.language
    return Footprint(
        parameters={name: _count(part) for name, part in model.named_children() if _count(part)},
        int8_parameters=_linear(model),
        cache_bytes_per_token=cache_bytes_per_token(language, FLOAT16),
        tokens_per_frame=config.tokens_per_frame,
        context=language.max_positions,
    )


def _count(part: nn.Module) -> int:
    return sum(weight.numel() for weight in part.parameters())


def _linear(model: VitronModel) -> int:
    is_tied = model.config.language.tie_embeddings
    return sum(
        module.weight.numel()
        for name, module in model.language.named_modules()
        if isinstance(module, nn.Linear) and not (is_tied and name == "lm_head")
    )
