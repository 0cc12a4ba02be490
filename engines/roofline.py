"""Roofline of a full-size model with random weights: measured times next to what the hardware allows.

Speed does not depend on the weights. The memory requirement is estimated first, and enforced on a GPU. Then one clip is
processed: encoder, prefill, decoding. Each stage is compared with its bound:

    encoder, prefill   operations / the rate of a large matrix product: compute bound
    decode             bytes of weights and cache / the rate at which a buffer of that size is read: memory bound

Without a GPU the same code runs with few layers of the language model, in float32, and says so: its figures are of that
model alone.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from engines.timing import interleaved, matrix_rate, read_bandwidth, synchronise
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.config import CACHES
from vitron_ros.errors import EngineError
from vitron_ros.model.config import ModelConfig, profile
from vitron_ros.model.device import find_device
from vitron_ros.model.footprint import footprint
from vitron_ros.model.kv_cache import CacheKind, KVCache, Span
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.quantise import quantise
from vitron_ros.model.vitron import VitronModel

EPILOG = """examples:
  python -m engines.roofline --profile elysium-7b                            # a GPU: all of it; a CPU: two layers
  python -m engines.roofline --profile elysium-7b --device cuda --weights int4"""
WEIGHTS = {
    "float32": 4.0,
    "bfloat16": 2.0,
    "float16": 2.0,
    "int8": 1.0,
    "fp8": 1.0,
    "int4": 0.5,
}  # bytes of a linear weight
CPU_LAYERS = 2
TEXT_TOKENS = 60  # tokens of text in the prompt
WORKSPACE = 1024**3  # bytes of activations and libraries
ACTIVATIONS = 0.15  # share of the weights, likewise
MIB = 1024**2


@dataclass(frozen=True, kw_only=True)
class MemoryPlan:
    """The run and its memory.

    Attributes:
        config: with the layers that are run.
        dtype: of activations, and of weights unless `weights` is an integer kind.
        prompt, tokens: of the prompt, and of the answer.
        cache: kind of the keys and values.
        weight_bytes: of the language model, as each token reads them.
        cache_bytes: of one token.
        peak_bytes: of memory at most: weights before they are quantised, cache, activations.
    """

    config: ModelConfig
    weights: str
    dtype: torch.dtype
    frames: int
    prompt: int
    tokens: int
    cache: CacheKind
    weight_bytes: int
    cache_bytes: int
    peak_bytes: int


def make_plan(
    config: ModelConfig, *, weights: str, layers: int | None, frames: int, tokens: int, cache: CacheKind = "full"
) -> MemoryPlan:
    """The run of a config.

    Raises:
        EngineError: a number is out of range, or the clip and its answer exceed the context.
    """
    most = config.language.num_layers
    layers = most if layers is None else layers
    for name, value, limit in (
        ("layers", layers, most),
        ("frames", frames, config.max_frames),
        ("tokens", tokens, 1 << 20),
    ):
        if not 1 <= value <= limit:
            raise EngineError(f"--{name} is {value}; it must be from 1 to {limit}")
    config = replace(config, language=replace(config.language, num_layers=layers))
    prompt = frames * config.tokens_per_frame + TEXT_TOKENS
    if prompt + tokens > config.language.max_positions:
        raise EngineError(
            f"{frames} frames, the question and {tokens} tokens are {prompt + tokens}; the context is "
            f"{config.language.max_positions}: give fewer"
        )
    dtype = getattr(torch, weights) if weights in ("float32", "float16", "bfloat16") else torch.bfloat16
    sizes = footprint(config)
    language = sizes.parameters["language"]
    embeddings = 0 if config.language.tie_embeddings else config.language.vocab_size * config.language.hidden_size
    rest = language - embeddings - sizes.int8_parameters  # norms: not quantised
    read = int(WEIGHTS[weights] * sizes.int8_parameters) + dtype.itemsize * rest
    cache_bytes = sizes.cache_bytes_per_token * dtype.itemsize // 2
    if cache != "full":
        cache_bytes = cache_bytes // dtype.itemsize + cache_bytes // config.language.head_dim  # a scale for each head
    total = dtype.itemsize * sizes.total
    peak = int((1 + ACTIVATIONS) * total) + cache_bytes * (prompt + tokens) + WORKSPACE
    return MemoryPlan(
        config=config, weights=weights, dtype=dtype, frames=frames, prompt=prompt, tokens=tokens, cache=cache,
        weight_bytes=read, cache_bytes=cache_bytes, peak_bytes=peak,
    )  # fmt: skip


def free_memory(device: torch.device) -> int:
    """Bytes of free memory."""
    if device.type == "cuda":
        free: int = torch.cuda.mem_get_info(device)[0]
        return free
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    available = next(line for line in lines if line.startswith("MemAvailable"))
    return 1024 * int(available.split()[1])


def build_model(plan: MemoryPlan, device: torch.device) -> VitronModel:
    """The model with random weights, built in its own dtype on its device: never twice in memory."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(plan.dtype)
    torch.manual_seed(0)
    try:
        with torch.device(device):
            model = VitronModel(plan.config).eval()
    finally:
        torch.set_default_dtype(before)
    model.to(device)
    if plan.weights in ("int8", "int4", "fp8"):
        quantise(model, plan.weights)  # type: ignore[arg-type]
    return model


class GreedyStep:
    """Greedy decoding over fixed memory, so that a GPU can replay a step as one CUDA graph."""

    def __init__(self, language: LanguageModel, cache: KVCache, *, compiled: bool, captured: bool) -> None:
        device, length = language.device, cache.capacity
        self._language, self._cache, self._places = language, cache, torch.arange(length, device=device)
        self.token = torch.zeros(1, 1, dtype=torch.long, device=device)
        self._position = torch.zeros(1, 1, dtype=torch.long, device=device)
        self._pass: Callable[..., Any] = torch.compile(self._next, dynamic=False) if compiled else self._next
        self._graph: torch.cuda.CUDAGraph | None = None
        self._is_captured = captured

    def start(self, token: int, position: int) -> None:
        self.token.fill_(token)
        self._position.fill_(position)
        if self._is_captured and self._graph is None:
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):
                    self._pass(self.token, self._position)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._advance()
            self.start(token, position)  # capturing ran nothing, warming up wrote one slot only

    def __call__(self) -> None:
        if self._graph is None:
            self._advance()
        else:
            self._graph.replay()

    def _advance(self) -> None:
        self.token.copy_(self._pass(self.token, self._position))
        self._position += 1

    def _next(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        mask = self._places <= position[:, None, :, None]
        span = Span(None, position, position, self._cache.capacity, mask)
        return self._language.decode(token, span, self._cache)[:, -1:].argmax(-1)


@torch.inference_mode()
def measure_roofline(plan: MemoryPlan, device: torch.device, *, rounds: int, compiled: bool) -> dict[str, Any]:
    """Figures of every stage and its bound; prints them as a table.

    Raises:
        EngineError: the estimated memory is not free, or was not enough.
    """
    figures: dict[str, Any] = {
        "profile": plan.config.name,
        "layers": plan.config.language.num_layers,
        "weights": plan.weights,
        "cache": plan.cache,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
        "frames": plan.frames,
        "prompt_tokens": plan.prompt,
        "tokens": plan.tokens,
        "estimated_mb": plan.peak_bytes // MIB,
    }
    free = free_memory(device)
    print(f"needs at most {plan.peak_bytes / MIB:.0f} MB; {free / MIB:.0f} MB are free", flush=True)
    if plan.peak_bytes > free:
        raise EngineError("there is not enough memory; give fewer --layers, --frames, or smaller --weights")
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(plan.peak_bytes / torch.cuda.mem_get_info(device)[1])
    bandwidth = read_bandwidth(min(plan.weight_bytes, 256 * MIB), device)
    rate = matrix_rate(plan.dtype, device)
    figures |= {"bandwidth_gb_s": round(bandwidth / 1e9, 1), "matrix_tflop_s": round(rate / 1e12, 3)}
    try:
        _measure(plan, device, rounds, compiled, bandwidth, rate, figures)
    except torch.OutOfMemoryError as error:
        raise EngineError(f"more than the estimated {plan.peak_bytes // MIB} MB would be needed: {error}") from error
    peak = (
        torch.cuda.max_memory_reserved(device)
        if device.type == "cuda"
        else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    )
    figures["peak_mb"] = peak // MIB
    print(f"memory        {figures['peak_mb']} MB at most, {figures['estimated_mb']} MB estimated")
    return figures


def _measure(
    plan: MemoryPlan,
    device: torch.device,
    rounds: int,
    compiled: bool,
    bandwidth: float,
    rate: float,
    figures: dict[str, Any],
) -> None:
    model, config = build_model(plan, device), plan.config
    language, vision, size = model.language, config.vision, config.vision.image_size
    pixels = torch.randn(plan.frames, 3, size, size, device=device)
    visual = model.encode_frames(pixels)
    text = language.embed(torch.arange(TEXT_TOKENS, device=device)[None] % config.language.vocab_size)[0]
    embeds = torch.cat([visual.flatten(0, 1), text])
    cache = language.new_cache(rows=1, capacity=plan.prompt + plan.tokens, kind=plan.cache)
    step = GreedyStep(language, cache, compiled=compiled, captured=device.type == "cuda")

    def prefill() -> torch.Tensor:
        cache.reset()
        return language.prefill(embeds, cache, 0)

    def decode() -> None:
        step.start(first, plan.prompt)
        for _ in range(plan.tokens - 1):
            step()

    first = int(prefill()[-1].argmax())
    decode()  # compiles and captures
    seconds = interleaved(
        {"encoder": lambda: model.encode_frames(pixels), "prefill": prefill, "decode": decode}, rounds, device
    )
    encoder_weights = sum(weight.numel() for weight in model.vision.layers.parameters()) * vision.num_patches
    language_weights = footprint(config).int8_parameters * plan.prompt
    context = plan.prompt + plan.tokens // 2
    read = plan.weight_bytes + plan.cache_bytes * context
    bounds = {
        "encoder": 2 * plan.frames * encoder_weights / rate,
        "prefill": 2 * language_weights / rate,
        "decode": (plan.tokens - 1) * read / bandwidth,
    }
    for name, bound in bounds.items():
        share = bound / seconds[name]
        figures[name] = {
            "ms": round(1e3 * seconds[name], 2),
            "bound_ms": round(1e3 * bound, 2),
            "share": round(share, 3),
        }
        print(f"{name:<10}{1e3 * seconds[name]:12.1f} ms a clip, bound {1e3 * bound:10.1f} ms: {share:6.1%} of it")
    figures["tokens_per_s"] = round((plan.tokens - 1) / seconds["decode"], 2)
    figures["bound_tokens_per_s"] = round(bandwidth / read, 2)
    figures["ms_per_clip"] = round(1e3 * sum(seconds.values()), 1)
    print(f"decode    {figures['tokens_per_s']:12.2f} tokens/s, bound {figures['bound_tokens_per_s']:.2f} tokens/s")
    print(f"in all    {figures['ms_per_clip']:12.1f} ms a clip of {plan.frames} frames and {plan.tokens} tokens")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.roofline",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--profile", default="elysium-7b", help="model profile (default: elysium-7b)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N; default: cuda where there is one")
    parser.add_argument("--weights", choices=WEIGHTS, help="default: bfloat16 on a GPU, float32 on a CPU")
    parser.add_argument("--cache", default="full", choices=CACHES, help="keys and values (default: full)")
    parser.add_argument("--layers", type=whole(1), help="of the language model; default: all on a GPU, 2 on a CPU")
    parser.add_argument("--frames", type=whole(1), default=8, help="of the clip (default: 8)")
    parser.add_argument("--tokens", type=whole(2), default=100, help="of the answer (default: 100)")
    parser.add_argument("--rounds", type=whole(1), default=3, help="times each stage is measured (default: 3)")
    parser.add_argument("--threads", type=whole(1, 1024), default=1, help="CPU threads (default: 1)")
    parser.add_argument("--compile", action="store_true", help="compile the step of an answer; int8 is slow without")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    return exit_code("roofline", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    device = find_device(arguments.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    start = time.monotonic()
    config, layers = profile(arguments.profile), arguments.layers
    if device.type == "cpu" and layers is None:
        layers = min(CPU_LAYERS, config.language.num_layers)
        print(f"no GPU: {layers} of {config.language.num_layers} layers are run; figures are of that model alone")
    plan = make_plan(
        config,
        weights=arguments.weights or ("bfloat16" if device.type == "cuda" else "float32"),
        layers=layers,
        frames=arguments.frames,
        tokens=arguments.tokens,
        cache=arguments.cache,
    )
    figures = measure_roofline(plan, device, rounds=arguments.rounds, compiled=arguments.compile)
    synchronise(device)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - start, 1)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
