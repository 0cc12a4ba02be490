"""The language model: LLaMA (Touvron et al., arXiv 2302.13971) with the weight names of LlamaForCausalLM.

Three ways through the same layers: `forward` for training, `prefill` for a prompt and `decode` for its answer, the last
two over a `KVCache`. Knows nothing of images or text: embeddings go in, logits come out.

Shapes: B batch, S sequence, Q new tokens of a pass, C model width, Hq/Hkv heads, D head width, V vocabulary.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitron_ros.errors import ModelError
from vitron_ros.model.config import LanguageConfig
from vitron_ros.model.kv_cache import CacheKind, KVCache, Span

INITIAL_STD = 0.02  # LLaMA's

AttentionFunction = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Of a layer: rotated queries (B, S, Hq, D) and keys, and values (B, S, Hkv, D), to the output (B, S, Hq, D)."""
NumberedAttention = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""The number of a layer, and arguments of an `AttentionFunction`, to its output."""
CacheSlots = tuple[KVCache, int, Span, int]
"""A cache, the layer, the slots of one pass, and the first row."""


class RMSNorm(nn.Module):
    """Root mean square norm over the last axis (arXiv 1910.07467)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


class Attention(nn.Module):
    """Self-attention with rotary positions and grouped queries."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.num_heads, self.num_kv_heads, self.head_dim = config.num_heads, config.num_kv_heads, config.head_dim
        self.is_grouped = config.num_heads != config.num_kv_heads
        self.q_proj = nn.Linear(config.hidden_size, config.num_heads * config.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, config.num_kv_heads * config.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.num_kv_heads * config.head_dim, bias=False)
        self.o_proj = nn.Linear(config.num_heads * config.head_dim, config.hidden_size, bias=False)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        slots: CacheSlots | None = None,
        attend: AttentionFunction | None = None,
    ) -> Tensor:
        """x (B, S, C) to (B, S, C). Attention is causal, unless a mask or `attend` is given."""
        batch, width, _ = x.shape
        # Queries and keys are rotated together: on a CPU a token costs more in calls than in arithmetic.
        heads = torch.cat([self.q_proj(x), self.k_proj(x)], -1).view(batch, width, -1, self.head_dim)
        heads = rotate(heads, rotary)
        q, k = heads[:, :, : self.num_heads], heads[:, :, self.num_heads :]
        v = self.v_proj(x).view(batch, width, self.num_kv_heads, self.head_dim)
        if attend is not None:
            return self.o_proj(attend(q, k, v).reshape(batch, width, -1))  # type: ignore[no-any-return]
        if slots is None:
            k, v = k.transpose(1, 2), v.transpose(1, 2)
        else:
            cache, layer, span, row = slots
            k, v = cache.update(layer, k, v, span, row)
        if width == 1:  # the heads of a group stand in for queries, so that keys are not repeated for them
            q = q.reshape(batch, self.num_kv_heads, -1, self.head_dim)
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        else:
            out = F.scaled_dot_product_attention(
                q.transpose(1, 2), k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=self.is_grouped
            ).transpose(1, 2)
        return self.o_proj(out.reshape(batch, width, -1))  # type: ignore[no-any-return]


class MLP(nn.Module):
    """The gated feed-forward block (SwiGLU, arXiv 2002.05202)."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))  # type: ignore[no-any-return]


class Layer(nn.Module):
    """Attention and feed-forward, each behind a norm and beside a residual."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = MLP(config)
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(
        self,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        mask: Tensor | None = None,
        slots: CacheSlots | None = None,
        attend: AttentionFunction | None = None,
    ) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rotary, mask, slots, attend)
        return x + self.mlp(self.post_attention_layernorm(x))  # type: ignore[no-any-return]


class Layers(nn.Module):
    """The embedding table, the layers and the last norm: what transformers calls `model`."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.num_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class LanguageModel(nn.Module):
    """A LLaMA decoder. `load_state_dict` takes the state of a LlamaForCausalLM as it is."""

    def __init__(self, config: LanguageConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Layers(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=INITIAL_STD)
        self._rotary: tuple[Tensor, Tensor] | None = None

    @property
    def dtype(self) -> torch.dtype:
        return self.model.embed_tokens.weight.dtype

    @property
    def device(self) -> torch.device:
        return self.model.embed_tokens.weight.device

    def embed(self, token_ids: Tensor) -> Tensor:
        """Embeddings of token ids (B, S) int64: (B, S, C)."""
        return self.model.embed_tokens(token_ids)  # type: ignore[no-any-return]

    def hidden_states(
        self, embeds: Tensor, attend: NumberedAttention | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """States after the last norm, (B, S, C), of a whole sequence of embeddings (B, S, C).

        Args:
            attend: attention in each layer; None: causal. Several questions packed behind one image need it and
                positions, so that each attends to the image and itself.
            positions: (B, S) int64; None: 0, 1, 2, ...
        """
        if positions is None:
            positions = torch.arange(embeds.shape[1], device=embeds.device)[None]
        rotary = self.rotary_at(positions)
        for number, layer in enumerate(self.model.layers):
            embeds = layer(embeds, rotary, attend=None if attend is None else partial(attend, number))
        return self.model.norm(embeds)  # type: ignore[no-any-return]

    def forward(
        self, embeds: Tensor, attend: NumberedAttention | None = None, positions: Tensor | None = None
    ) -> Tensor:
        """Logits (B, S, V) of a whole sequence of embeddings (B, S, C); arguments as `hidden_states`."""
        return self.lm_head(self.hidden_states(embeds, attend, positions))  # type: ignore[no-any-return]

    def new_cache(self, *, rows: int, capacity: int, kind: CacheKind = "full") -> KVCache:
        """An empty cache for the model's own dtype and on its device.

        Raises:
            ModelError: the capacity exceeds the positions that the model knows.
        """
        config = self.config
        if capacity > config.max_positions:
            raise ModelError(
                f"a context of {capacity} tokens exceeds the {config.max_positions} positions of this model; "
                "lower the capacity"
            )
        return KVCache(
            layers=config.num_layers,
            rows=rows,
            kv_heads=config.num_kv_heads,
            capacity=capacity,
            head_dim=config.head_dim,
            dtype=self.dtype,
            device=self.device,
            kind=kind,
        )

    def prefill(self, embeds: Tensor, cache: KVCache, row: int, keep: int = 1) -> Tensor:
        """Appends a prompt, (S, C) embeddings, to one row of the cache. Gives the logits after its last `keep` tokens.

        Returns:
            (keep, V). The tokens are written to the cache but count only once the caller advances it: the end of a
            prompt may be a draft of its answer, which may be refused.
        """
        span = cache.prefill(row, len(embeds))
        x = self._cached(embeds[None], self.rotary_at(span.positions), span, cache, row)
        return self.lm_head(self.model.norm(x[0, -keep:]))  # type: ignore[no-any-return]

    def decode(self, token_ids: Tensor, span: Span, cache: KVCache) -> Tensor:
        """Logits (B, Q, V) after each of the new tokens (B, Q) int64 that `cache.decode` made the span for.

        As in `prefill`, the caller advances the cache.
        """
        x = self._cached(self.embed(token_ids), self.rotary_at(span.positions), span, cache, 0)
        return self.lm_head(self.model.norm(x))  # type: ignore[no-any-return]

    def _cached(self, x: Tensor, rotary: tuple[Tensor, Tensor], span: Span, cache: KVCache, row: int) -> Tensor:
        for index, layer in enumerate(self.model.layers):
            x = layer(x, rotary, span.mask, (cache, index, span, row))
        return x

    def rotary_at(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Cosines and signed sines (B, S, 1, D) of positions (B, S), in the model's dtype."""
        # Not a buffer: a model built on the meta device has no buffers to fill, and casting must start from float32.
        if self._rotary is None or self._rotary[0].device != positions.device or self._rotary[0].dtype != self.dtype:
            self._rotary = rotary_table(self.config, positions.device, self.dtype)
        cos, sin = self._rotary
        return cos[positions], sin[positions]


def rotary_table(config: LanguageConfig, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of every position, each (max_positions, 1, D) (RoPE, arXiv 2104.09864)."""
    half = torch.arange(0, config.head_dim, 2, device=device, dtype=torch.float32) / config.head_dim
    positions = torch.arange(config.max_positions, device=device, dtype=torch.float32)
    angles = positions[:, None, None] * (1.0 / config.rope_theta**half)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], -1).to(dtype), torch.cat([-sin, sin], -1).to(dtype)


def rotate(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    """Rotates each pair (d, d + D/2) of x (B, S, H, D) by the angle of its position."""
    cos, sin = rotary
    return torch.addcmul(x * cos, x.roll(x.shape[-1] // 2, -1), sin)
