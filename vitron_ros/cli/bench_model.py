"""Every stage of a vision language model, and its decoding beside transformers' `generate`: see bench.py."""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers

from vitron_ros.errors import ModelError
from vitron_ros.model.config import LanguageConfig, profile
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.device import find_device
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.prompts import ImageSegment, Prompt, TextSegment
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel
from vitron_ros.ros_tools.process_usage import processor

MARKER_TOKENS, QUESTION_TOKENS = 4, 40  # text beside the images, as in a prompt of RSOT
CALIBRATION_S = 0.3
WEIGHT_STD = 0.1  # wide enough that random weights do not repeat one token, which every way would get right


@torch.inference_mode()
def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Prints a table; gives its figures."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    config = profile(arguments.profile)
    device = find_device(arguments.device)
    figures: dict[str, Any] = {
        "profile": config.name,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "frames": arguments.frames,
        "rounds": arguments.rounds,
    }
    for key, value in figures.items():
        print(f"{key:<14}{value}")
    torch.manual_seed(0)
    model = VitronModel(config).eval().to(device)
    for name, weight in model.language.named_parameters():
        if weight.dim() == 2 and "embed_tokens" not in name:
            torch.nn.init.normal_(weight, std=WEIGHT_STD)
    weights = sum(weight.nbytes for name, weight in model.language.named_parameters() if "embed_tokens" not in name)
    if config.language.tie_embeddings:
        weights += model.language.model.embed_tokens.weight.nbytes
    bandwidth = _bandwidth(weights, device)
    figures |= {"weights_mb": round(weights / 1e6, 2), "bandwidth_gb_s": round(bandwidth / 1e9, 1)}
    figures["ceiling_ms_per_token"] = round(1e3 * weights / bandwidth, 3)
    print(f"\nceiling       {weights / 1e6:.1f} MB a token / {bandwidth / 1e9:.1f} GB/s = "
          f"{figures['ceiling_ms_per_token']} ms a token\n")  # fmt: skip
    embeds = _measure_stages(model, arguments, figures)
    _measure_decoding(model.language, embeds, arguments, figures)
    return figures


def _measure_stages(model: VitronModel, arguments: argparse.Namespace, figures: dict[str, Any]) -> torch.Tensor:
    """Times what comes before decoding; gives the prompt's embeddings."""
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (480, 640, 3), dtype=np.uint8) for _ in range(arguments.frames)]
    vocab = model.config.language.vocab_size
    segments: list[TextSegment | ImageSegment] = []
    for index in range(arguments.frames):
        marker = rng.integers(3, vocab, MARKER_TOKENS).tolist()
        segments += [TextSegment(tuple(marker)), ImageSegment(index)]
    question = TextSegment(tuple(rng.integers(3, vocab, QUESTION_TOKENS).tolist()))
    prompt = Prompt((*segments, question))

    pixels = model.pixels(images)
    features = model.features(pixels)
    selected = model.selector(features.patches, features.attention)
    visual = model.projector(selected.tokens)
    embeds = model.splice(prompt, visual)
    cache = model.language.new_cache(rows=1, capacity=len(embeds))

    def prefill() -> None:
        cache.reset()
        model.language.prefill(embeds, cache, 0)

    stages: dict[str, tuple[Callable[[], object], int, str]] = {
        "prepare": (lambda: model.pixels(images), arguments.frames, "frame"),
        "encode": (lambda: model.features(pixels), arguments.frames, "frame"),
        "select": (lambda: model.selector(features.patches, features.attention), arguments.frames, "frame"),
        "project": (lambda: model.projector(selected.tokens), arguments.frames, "frame"),
        "prefill": (prefill, len(embeds), "token"),
    }
    times = _interleaved({name: stage for name, (stage, _, _) in stages.items()}, arguments.rounds, model.device)
    figures["prompt_tokens"] = len(embeds)
    for name, (_, count, unit) in stages.items():
        each = 1e3 * statistics.median(times[name]) / count
        figures[f"{name}_ms_per_{unit}"] = round(each, 4)
        print(f"{name:<14}{each:9.3f} ms a {unit}")
    return embeds


def _measure_decoding(
    language: LanguageModel, embeds: torch.Tensor, arguments: argparse.Namespace, figures: dict[str, Any]
) -> None:
    """Times every way to decode the same prompt, and checks that they write the same tokens."""
    capacity = len(embeds) + arguments.tokens
    tokenizer = train_tokenizer(["Frame 1: [1,2,3,4]"], 400)  # decoding needs one; its text is not looked at
    reference = _reference(language)

    def ours(decoder: Decoder) -> Callable[[int], list[int]]:
        return lambda count: list(decoder.decode([Request(embeds=embeds, max_new_tokens=count)])[0].token_ids)

    def theirs(count: int) -> list[int]:
        new: list[int] = reference.generate(
            inputs_embeds=embeds[None],
            attention_mask=torch.ones(1, len(embeds), dtype=torch.long, device=embeds.device),
            max_new_tokens=count,
            do_sample=False,
            eos_token_id=language.config.eos_token_id,
            pad_token_id=language.config.pad_token_id,
        )[0].tolist()
        return new[:-1] if new[-1] == language.config.eos_token_id else new

    ways = {"generate": theirs, "eager": ours(Decoder(language, tokenizer, capacity=capacity))}
    if not arguments.no_compile:
        ways["compiled"] = ours(Decoder(language, tokenizer, capacity=capacity, compiled=True))
    start = time.perf_counter()
    answers = {name: way(arguments.tokens) for name, way in ways.items()}  # compiles, and warms up
    figures["warm_up_s"] = round(time.perf_counter() - start, 1)
    figures["tokens"] = len(answers["eager"])
    figures["distinct_tokens"] = len(set(answers["eager"]))
    figures["tokens_equal"] = all(answer == answers["eager"] for answer in answers.values())
    if figures["tokens"] < 2:
        raise ModelError(
            f"the random weights of {figures['profile']} answer with nothing; there is no speed to measure"
        )

    # The first token comes with the prompt: what the others take is the difference of two lengths of answer.
    runs: dict[str, Callable[[], object]] = {}
    for name, way in ways.items():
        runs[f"{name} 1"] = lambda way=way: way(1)  # type: ignore[misc]
        runs[f"{name} n"] = lambda way=way: way(arguments.tokens)  # type: ignore[misc]
    times = _interleaved(runs, arguments.rounds, language.device)
    print()
    for name in ways:
        long, short = times[f"{name} n"], times[f"{name} 1"]
        each = [1e3 * (n - one) / (figures["tokens"] - 1) for n, one in zip(long, short, strict=True)]
        figures[f"decode_{name}_ms_per_token"] = round(statistics.median(each), 3)
    for name in ways:
        each_ms = figures[f"decode_{name}_ms_per_token"]
        speedup = round(figures["decode_generate_ms_per_token"] / each_ms, 2)
        figures[f"{name}_speedup"] = speedup
        print(f"decode {name:<9}{each_ms:7.3f} ms a token{speedup:7.2f} x generate")
    verdict = "the same" if figures["tokens_equal"] else "NOT THE SAME"
    print(f"\n{figures['tokens']} tokens, {figures['distinct_tokens']} of them distinct, {verdict} in every way")


def _reference(language: LanguageModel) -> Any:
    """transformers' model with the same weights, shared rather than copied."""
    config = language.config
    with torch.device("meta"):
        reference = transformers.LlamaForCausalLM(llama_config(config))
    reference.load_state_dict(language.state_dict(), assign=True)
    # Weights on the meta device came with the state; the rotary frequencies are no weights, and are made again.
    rotary = reference.model.rotary_emb
    reference.model.rotary_emb = type(rotary)(rotary.config).to(language.device)
    return reference.eval()


def llama_config(config: LanguageConfig) -> Any:
    """The sizes of the language model in transformers' words."""
    return transformers.LlamaConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.head_dim,
        rms_norm_eps=config.rms_norm_eps,
        max_position_embeddings=config.max_positions,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        tie_word_embeddings=config.tie_embeddings,
    )


def _interleaved(runs: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds of every run in every round, after one that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, way in runs.items():
            _synchronise(device)
            start = time.perf_counter()
            way()
            _synchronise(device)
            if index:
                times[name].append(time.perf_counter() - start)
    return times


def _bandwidth(size: int, device: torch.device) -> float:
    """Bytes a second at which a buffer of `size` bytes is read, over and over as weights are: the best of many."""
    buffer = torch.ones(size // 4, device=device)
    best, end = float("inf"), time.perf_counter() + CALIBRATION_S
    while time.perf_counter() < end:
        _synchronise(device)
        start = time.perf_counter()
        torch.dot(buffer, buffer)
        _synchronise(device)
        best = min(best, time.perf_counter() - start)
    return size / best


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
