"""The parts of a model that can be compiled, each as one module from tensors to tensors with names for all of them.

    frames    pixels -> visual tokens, selected patches, and what the region encoder needs
    vision    pixels -> patches, and every layer's output on demand
    region    patches or levels, masks and boxes -> region tokens
    prefill   embeddings of a prompt, cache -> logits, new keys and values
    decode    token ids, cache -> logits, new keys and values

The weights are the model's own, not copies. Keys and values go in as the whole buffers of a `KVCache`, and only the new
ones come out: the caller writes them where they belong, so that no pass copies the cache.

Shapes: T frames, N patches, K selected tokens, C vision channels, R regions, B rows, S new tokens, P cache slots,
Hq/Hkv heads, D head width, V vocabulary.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from vitron_ros.backends.runner import Limits, TensorSpec
from vitron_ros.errors import EngineError
from vitron_ros.model.language import LanguageModel, Layer, rotary_table, rotate
from vitron_ros.model.region import MultiLevelRegionEncoder, PublishedRegionEncoder
from vitron_ros.model.vision import VisionEncoder
from vitron_ros.model.vitron import VitronModel

Part = Literal["frames", "vision", "region", "prefill", "decode"]
MAX_ROWS = 64
MAX_REGIONS = 256
MIXING_SELECTORS = (
    "concat",
    "cross_attention",
    "pool",
)  # selectors whose tokens are mixtures of patches: no indices


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """A part of a model.

    Attributes:
        module: called with the inputs in order; gives a tuple in the order of the outputs.
        limits: smallest and largest value of each named dimension.
    """

    part: Part
    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    limits: Limits

    @property
    def device(self) -> torch.device:
        return next(self.module.parameters()).device


def build_graph(model: VitronModel, part: Part, *, levels: bool = False) -> Graph:
    """A part of a model in evaluation mode.

    Args:
        levels: frames: also give patches and the levels of the region encoder; vision: also give every layer's output.

    Raises:
        EngineError: the model has no such part, or one that cannot be one graph.
    """
    builders: dict[str, Callable[[], Graph]] = {
        "frames": lambda: _frames(model, levels),
        "vision": lambda: _vision(model, levels),
        "region": lambda: _region(model),
        "prefill": lambda: _language(model, "prefill"),
        "decode": lambda: _language(model, "decode"),
    }
    if part not in builders:
        raise EngineError(f"there is no part {part!r}; there are {', '.join(builders)}")
    if model.training:
        raise EngineError("a model in training cannot be compiled; call eval() first")
    return builders[part]()


def fingerprint(module: nn.Module) -> str:
    """Hash of the weights of a module: names, shapes and values as float32, so that widening them changes nothing."""
    digest = hashlib.sha256()
    for name, weight in module.state_dict().items():
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        flat = weight.detach().to("cpu", torch.float32).contiguous()
        digest.update(memoryview(flat.numpy()).cast("B") if flat.numel() else b"")
    return digest.hexdigest()


class Frames(nn.Module):
    """pixels (T, 3, S, S) to tokens (T, K, D), indices (T, K) of selected patches, patches and levels (T, N, C)."""

    def __init__(self, model: VitronModel, levels: bool) -> None:
        super().__init__()
        self.vision, self.selector, self.projector = model.vision, model.selector, model.projector
        self.region_levels = model.config.region_levels
        self.needs_attention = bool(cast(Any, model.selector).needs_attention)
        self.levels, self.dtype = levels, model.dtype

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features = self.vision(pixels, levels=self.region_levels if self.levels else (), attention=self.needs_attention)
        selected = self.selector(features.patches, features.attention)
        tokens = self.projector(selected.tokens).to(self.dtype)
        indices = () if selected.indices is None else (selected.indices,)
        return (tokens, *indices, *((features.patches, *features.levels) if self.levels else ()))


def _frames(model: VitronModel, levels: bool) -> Graph:
    config = model.config
    if model.video is not None or config.temporal != "frames":
        raise EngineError(
            f"{config.name} encodes a clip by another way than frame by frame, which is no single graph; "
            "export the part vision, or run its frames with torch"
        )
    grid, width, size = config.vision.num_patches, config.vision.hidden_size, config.vision.image_size
    seen, count = model.vision.dtype, config.tokens_per_frame
    outputs = [TensorSpec(name="tokens", shape=("frames", count, config.language.hidden_size), dtype=model.dtype)]
    if config.selector.kind not in MIXING_SELECTORS:
        outputs.append(TensorSpec(name="indices", shape=("frames", count), dtype=torch.int64))
    if levels:
        names = ["patches", *(f"level.{level}" for level in config.region_levels)]
        outputs += [TensorSpec(name=name, shape=("frames", grid, width), dtype=seen) for name in names]
    return Graph(
        part="frames",
        module=Frames(model, levels),
        inputs=(TensorSpec(name="pixels", shape=("frames", 3, size, size)),),
        outputs=tuple(outputs),
        limits={"frames": (1, config.max_frames)},
    )


class Vision(nn.Module):
    """pixels (T, 3, S, S) to patches (T, N, C), and the output of every layer."""

    def __init__(self, vision: VisionEncoder, levels: bool) -> None:
        super().__init__()
        self.vision = vision
        self.levels = tuple(range(1, 1 + vision.config.used_layers)) if levels else ()

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        features = self.vision(pixels, levels=self.levels)
        return (features.patches, *features.levels)


def _vision(model: VitronModel, levels: bool) -> Graph:
    config = model.config.vision
    module = Vision(model.vision, levels)
    shape = ("frames", config.num_patches, config.hidden_size)
    names = ["patches", *(f"layer.{level}" for level in module.levels)]
    return Graph(
        part="vision",
        module=module,
        inputs=(TensorSpec(name="pixels", shape=("frames", 3, config.image_size, config.image_size)),),
        outputs=tuple(TensorSpec(name=name, shape=shape, dtype=model.vision.dtype) for name in names),
        limits={"frames": (1, model.config.max_frames)},
    )


class MultiLevelRegions(nn.Module):
    """frames (R,), masks (R, S, S), boxes (R, 4) and levels (T, N, C) to tokens (R, 2, D)."""

    def __init__(self, region: MultiLevelRegionEncoder) -> None:
        super().__init__()
        self.region = region

    def forward(self, frames: Tensor, masks: Tensor, boxes: Tensor, *levels: Tensor) -> tuple[Tensor]:
        return (self.region.encode(frames, masks, boxes, levels),)


class PublishedRegions(nn.Module):
    """frames (R,), inside (R, N), boxes (R, 4) and patches (T, N, C) to tokens (R, 1, D)."""

    def __init__(self, region: PublishedRegionEncoder) -> None:
        super().__init__()
        self.region = region

    def forward(self, frames: Tensor, inside: Tensor, boxes: Tensor, patches: Tensor) -> tuple[Tensor]:
        return (self.region.encode(frames, inside, boxes, patches),)


def _region(model: VitronModel) -> Graph:
    config, region, dtype = model.config, model.region, model.vision.dtype
    if region is None:
        raise EngineError(f"the model {config.name} takes no regions; there is nothing to compile")
    size, grid = config.vision.image_size, config.vision.num_patches
    frames = TensorSpec(name="frames", shape=("regions",), dtype=torch.int64, below="clip")
    seen = ("clip", grid, config.vision.hidden_size)
    module: nn.Module
    inputs: tuple[TensorSpec, ...]
    if isinstance(region, MultiLevelRegionEncoder):
        module = MultiLevelRegions(region)
        inputs = (
            frames,
            TensorSpec(name="masks", shape=("regions", size, size)),
            TensorSpec(name="boxes", shape=("regions", 4)),
            *(TensorSpec(name=f"level.{level}", shape=seen, dtype=dtype) for level in region.levels),
        )
    elif isinstance(region, PublishedRegionEncoder):
        module = PublishedRegions(region)
        inputs = (
            frames,
            TensorSpec(name="inside", shape=("regions", grid), dtype=dtype),
            TensorSpec(name="boxes", shape=("regions", 4), dtype=dtype),
            TensorSpec(name="patches", shape=seen, dtype=dtype),
        )
    else:
        raise EngineError(f"a region encoder of kind {config.region.kind} has no graph")
    tokens = ("regions", region.tokens_per_region, config.language.hidden_size)
    return Graph(
        part="region",
        module=module,
        inputs=inputs,
        outputs=(TensorSpec(name="tokens", shape=tokens, dtype=dtype),),
        limits={"regions": (1, MAX_REGIONS), "clip": (1, config.max_frames)},
    )


class CachedPass(nn.Module):
    """New tokens after a cache: what `LanguageModel.prefill` and `decode` compute, with the cache as inputs.

    Row b attends to its first lengths[b] slots and causally to the new tokens. Padding therefore goes after a row's
    tokens.
    """

    def __init__(self, language: LanguageModel) -> None:
        super().__init__()
        self.language, self.config = language, language.config
        cos, sin = rotary_table(language.config, language.device, language.dtype)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def states(self, x: Tensor, lengths: Tensor, cache: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
        """States before the last norm (B, S, C), and new keys and values (B, Hkv, S, D), layer by layer."""
        width, slots, device = x.shape[1], cache[0].shape[2], x.device
        steps = torch.arange(width, device=device)
        positions = (lengths[:, None] + steps).clamp(max=self.config.max_positions - 1)
        rotary = self.get_buffer("cos")[positions], self.get_buffer("sin")[positions]
        past_mask = _hide(torch.arange(slots, device=device) >= lengths[:, None])[:, None, None]  # (B, 1, 1, P)
        new_mask = _hide(steps > steps[:, None])  # (S, S)
        new = []
        for index, module in enumerate(self.language.model.layers):
            layer, (keys, values) = cast(Layer, module), cache[2 * index : 2 * index + 2]
            attended, k, v = self._attend(layer, x, rotary, keys, values, past_mask, new_mask)
            x = x + attended
            x = x + layer.mlp(layer.post_attention_layernorm(x))
            new += [k, v]
        return x, new

    def _attend(
        self,
        layer: Layer,
        x: Tensor,
        rotary: tuple[Tensor, Tensor],
        keys: Tensor,
        values: Tensor,
        past_mask: Tensor,
        new_mask: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        attention, config = layer.self_attn, self.config
        rows, width, _ = x.shape
        groups, slots = config.num_heads // config.num_kv_heads, keys.shape[2]
        x = layer.input_layernorm(x)
        heads = torch.cat([attention.q_proj(x), attention.k_proj(x)], -1).view(rows, width, -1, config.head_dim)
        heads = rotate(heads, rotary).transpose(1, 2)
        q, k = heads[:, : config.num_heads], heads[:, config.num_heads :]
        v = attention.v_proj(x).view(rows, width, -1, config.head_dim).transpose(1, 2)
        # The queries of a group stand in one axis, so that keys and values are not repeated for them.
        q = q.reshape(rows, config.num_kv_heads, groups * width, config.head_dim) * config.head_dim**-0.5
        past = (q @ keys.transpose(-1, -2)).float() + past_mask  # (B, Hkv, groups * S, P)
        fresh = (q @ k.transpose(-1, -2)).float() + new_mask.repeat(groups, 1)
        # Two products and no concatenated keys: the cache is read in place.
        weights = torch.cat([past, fresh], -1).softmax(-1).to(x.dtype)
        out = weights[..., :slots] @ values + weights[..., slots:] @ v
        out = out.view(rows, config.num_heads, width, config.head_dim).transpose(1, 2).flatten(2)
        return attention.o_proj(out), k, v


def _hide(hidden: Tensor) -> Tensor:
    """-inf where hidden, else 0: to be added to attention scores."""
    return torch.where(hidden, float("-inf"), 0.0)


class Prefill(CachedPass):
    """embeds (B, S, C), take (R,) places, lengths (B,), cache to logits (B, R, V), new keys and values."""

    def forward(self, embeds: Tensor, take: Tensor, lengths: Tensor, *cache: Tensor) -> tuple[Tensor, ...]:
        x, new = self.states(embeds, lengths, cache)
        return (self.language.lm_head(self.language.model.norm(x[:, take])), *new)


class Decode(CachedPass):
    """token_ids (B, S), lengths (B,), cache to logits (B, S, V), new keys and values."""

    def forward(self, token_ids: Tensor, lengths: Tensor, *cache: Tensor) -> tuple[Tensor, ...]:
        x, new = self.states(self.language.embed(token_ids), lengths, cache)
        return (self.language.lm_head(self.language.model.norm(x)), *new)


def _language(model: VitronModel, part: Literal["prefill", "decode"]) -> Graph:
    language, config, dtype = model.language, model.config.language, model.dtype
    lengths = TensorSpec(name="lengths", shape=("rows",), dtype=torch.int64, below="slots")
    most = config.max_positions
    limits = {"rows": (1, MAX_ROWS), "tokens": (1, most), "slots": (1, most + 1)}
    module: CachedPass
    if part == "prefill":
        module, taken, limits["taken"] = Prefill(language), "taken", (1, most)
        specs = [
            TensorSpec(name="embeds", shape=("rows", "tokens", config.hidden_size), dtype=dtype),
            TensorSpec(name="take", shape=("taken",), dtype=torch.int64, below="tokens"),
        ]
    else:
        module, taken = Decode(language), "tokens"
        specs = [TensorSpec(name="token_ids", shape=("rows", "tokens"), dtype=torch.int64, below=config.vocab_size)]

    def cache_specs(prefix: str, size: str) -> list[TensorSpec]:
        shape = ("rows", config.num_kv_heads, size, config.head_dim)
        return [
            TensorSpec(name=f"{prefix}{name}.{layer}", shape=shape, dtype=dtype)
            for layer in range(config.num_layers)
            for name in ("keys", "values")
        ]

    return Graph(
        part=part,
        module=module.eval(),
        inputs=(*specs, lengths, *cache_specs("", "slots")),
        outputs=(
            TensorSpec(name="logits", shape=("rows", taken, config.vocab_size), dtype=dtype),
            *cache_specs("new_", "tokens"),
        ),
        limits=limits,
    )
