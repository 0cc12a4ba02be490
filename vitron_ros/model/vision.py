"""The vision encoder: CLIP's vision transformer (arXiv 2103.00020), one frame at a time, up to the layer that is used.

Shapes: T frames, S px of a side, N patches, C channels.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel

from vitron_ros.errors import ModelError
from vitron_ros.model.config import VisionConfig
from vitron_ros.model.stem import ConvStem


@dataclass(frozen=True, eq=False)
class VisionFeatures:
    """Features of T frames.

    Attributes:
        patches: (T, N, C), the hidden state that is used, without the class token.
        levels: the hidden states that were asked for, each (T, N, C), without the class token.
        attention: (T, heads, 1 + N, 1 + N) softmax weights of the last layer that is run, the class token first;
            None unless asked for.
    """

    patches: Tensor
    levels: tuple[Tensor, ...] = ()
    attention: Tensor | None = None


class VisionEncoder(nn.Module):
    """CLIP's vision transformer, built from its sizes alone: no hub, no download, meta device allowed.

    Layers after the used hidden state and the last norm are not built, so they cost neither memory nor time.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        clip = CLIPVisionModel(
            CLIPVisionConfig(
                image_size=config.image_size,
                patch_size=config.patch_size,
                hidden_size=config.hidden_size,
                intermediate_size=config.intermediate_size,
                num_hidden_layers=config.used_layers,
                num_attention_heads=config.num_heads,
                hidden_act=config.activation,
                layer_norm_eps=config.norm_eps,
            )
        )
        clip = getattr(clip, "vision_model", clip)  # early releases of transformers 5 wrap the parts once more
        self.embeddings, self.pre_layrnorm, self.layers = clip.embeddings, clip.pre_layrnorm, clip.encoder.layers
        if config.stem == "convolutions":
            self.embeddings.patch_embedding = ConvStem(config.hidden_size, config.patch_size)
        self.time_layers = nn.ModuleList(
            TimeAttention(layer, config) for layer in self.layers[: config.used_layers if config.time_frames else 0]
        )
        # The one buffer that no checkpoint holds: it must be real on the meta device too.
        self.embeddings.position_ids = torch.arange(1 + config.num_patches, device="cpu")[None]

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.embeddings.class_embedding.dtype
        return dtype

    def forward(self, pixels: Tensor, *, levels: Sequence[int] = (), attention: bool = False) -> VisionFeatures:
        """Features of prepared frames, pixels (T, 3, S, S) float.

        Args:
            levels: further hidden states to give back; 1 is the first layer's output.
            attention: give back the attention of the last layer, too.

        Raises:
            ModelError: the pixels have the wrong shape, or a video model sees the wrong number of frames.
        """
        self._check(pixels)
        pixels = pixels.to(memory_format=torch.channels_last)
        x = self.pre_layrnorm(self.embeddings(pixels.to(self.dtype)))
        states, before = [x], x
        for index, layer in enumerate(self.layers):
            before = self.time_layers[index](x) if self.time_layers else x
            x = layer(before, None)
            states.append(x)
        return VisionFeatures(
            patches=x[:, 1:],
            levels=tuple(states[level][:, 1:] for level in levels),
            attention=self._attention(before) if attention else None,
        )

    def _check(self, pixels: Tensor) -> None:
        config = self.config
        shape, size = tuple(pixels.shape), config.image_size
        if len(shape) != 4 or shape[1:] != (3, size, size):
            raise ModelError(
                f"pixels are (frames, 3, {size}, {size}) for this model, these are {shape}; "
                "prepare images with pixels_from_images"
            )
        if shape[0] == 0:
            raise ModelError("there are no frames; give at least one")
        if config.time_frames and shape[0] != config.time_frames:
            raise ModelError(f"this video model sees exactly {config.time_frames} frames at once, these are {shape[0]}")

    def _attention(self, x: Tensor) -> Tensor:
        """Attention weights (T, heads, 1 + N, 1 + N) of the last layer for its input x."""
        if not self.layers:
            raise ModelError("a vision model of which no layer is run has no attention; use a later layer")
        layer: Any = self.layers[-1]
        x = layer.layer_norm1(x)
        q, k = (
            proj(x).unflatten(-1, (self.config.num_heads, -1)).transpose(1, 2)
            for proj in (layer.self_attn.q_proj, layer.self_attn.k_proj)
        )
        scale = q.shape[-1] ** -0.5
        return torch.softmax(q @ k.transpose(-1, -2) * scale, dim=-1, dtype=torch.float32)


class TimeAttention(nn.Module):
    """Attention of every patch over time, before a layer of a LanguageBind video tower (arXiv 2310.01852)."""

    def __init__(self, layer: Any, config: VisionConfig) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.randn(1, config.time_frames, config.hidden_size) * config.hidden_size**-0.5)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.norm_eps)
        self.attn = deepcopy(layer.self_attn)

    def forward(self, x: Tensor) -> Tensor:
        """x (T, 1 + N, C) to the same shape, all T frames of one video."""
        x = x.transpose(0, 1)  # (1 + N, T, C)
        x = x + self.embedding
        attended: Tensor = self.attn(self.norm(x))[0]
        return (x + attended).transpose(0, 1)
