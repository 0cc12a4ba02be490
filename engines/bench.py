"""Measure every backend of one model on this machine, in one run.

    encoder    ms a frame at batch 1 and 8: vision encoder, selector and projector
    selector   ms a frame: the model's own, and the CUDA kernel where there is a GPU
    prefill    ms a token of a prompt
    decode     ms a token behind that prompt, at batch 1
    clip       ms for a clip of 8 frames: encoder, prompt and TOKENS tokens of an answer, each way all through

Figures are medians of interleaved rounds. On a shared machine only ratios within one run mean something: each stage is
given next to torch eager. Backends that are not here are listed with the reason.
"""

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from engines.build import CACHE
from engines.kernels.compile import FATBIN
from engines.kernels.launch import open_launcher
from engines.kernels.selector import TSelectorKernel
from engines.source import load_model
from engines.timing import interleaved
from vitron_ros.backends.frame_encoder import FrameEncoder, build_frame_encoder
from vitron_ros.backends.onnx_language import OnnxLanguage
from vitron_ros.errors import EngineError, VitronError
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.quantise import quantise
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel

EPILOG = """example:
  python -m engines.bench --checkpoint vitron-tiny --json"""
BATCHES = (1, 8)
QUESTION, TOKENS = 60, 40  # of text in the prompt, beside those of 8 frames; of the answer
Runs = dict[str, Callable[[], object]]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.bench",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--checkpoint", help="directory, bundled name or hub id (default: vitron-tiny)")
    source.add_argument("--profile", help="model profile, with random weights")
    parser.add_argument("--rounds", type=int, default=15, help="times each way is measured (default: 15)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile: no compiler is needed")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, too")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    try:
        checkpoint = arguments.checkpoint or (None if arguments.profile else "vitron-tiny")
        model = load_model(checkpoint=checkpoint, profile_name=arguments.profile, part="decode").to(arguments.device)
        figures = measure(model, rounds=arguments.rounds, is_compiled=not arguments.no_compile)
    except VitronError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures))
    return 0


@torch.inference_mode()
def measure(model: VitronModel, *, rounds: int, is_compiled: bool, cache: Path = CACHE) -> dict[str, Any]:
    """The figures of every stage and backend; prints them as a table."""
    figures: dict[str, Any] = {
        "model": model.config.name,
        "device": torch.cuda.get_device_name() if model.device.type == "cuda" else platform.processor() or "cpu",
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "rounds": rounds,
        "skipped": {},
    }
    for name in ("onnxruntime", "tensorrt_rtx", "torchao"):
        try:
            figures[name] = version(name)
        except ImportError:
            figures[name] = None
    skipped: dict[str, str] = figures["skipped"]
    encoders = _encoders(model, cache, is_compiled, skipped)
    size, most = model.config.vision.image_size, model.config.max_frames
    for batch in (each for each in BATCHES if each <= most):
        pixels = torch.randn(batch, 3, size, size, device=model.device)
        runs: Runs = {name: partial(encoder.encode, pixels) for name, encoder in encoders.items()}
        _note(figures, f"encoder_batch_{batch}", "frame", interleaved(runs, rounds, model.device), batch)
    frames = min(8, most)
    pixels = torch.randn(frames, 3, size, size, device=model.device)
    features = model.features(pixels)
    _note(figures, "selector", "frame", interleaved(_selectors(model, features, skipped), rounds, model.device), frames)
    prompt = min(frames * model.config.tokens_per_frame + QUESTION, model.config.language.max_positions - 2)
    with tempfile.TemporaryDirectory() as folder:
        prefills, decodes = _language_runs(model, prompt, is_compiled, Path(folder), skipped)
        _note(figures, "prefill", "token", interleaved(prefills, rounds, model.device), prompt)
        _note(figures, "decode", "token", interleaved(decodes, rounds, model.device), 1)
        clips = _clips(model, pixels, encoders, Path(folder))
        _note(figures, "clip", "clip", interleaved(clips.runs, rounds, model.device), 1)
    figures["clip_tokens_equal"] = all(each == clips.answers["torch"] for each in clips.answers.values())
    print(f"{TOKENS} tokens an answer, {'the same' if figures['clip_tokens_equal'] else 'NOT THE SAME'} in every way")
    for name, reason in skipped.items():
        print(f"not measured: {name}: {reason}", file=sys.stderr)
    return figures


def _note(figures: dict[str, Any], stage: str, unit: str, seconds: dict[str, float], count: int) -> None:
    """Keeps and prints one stage: ms a unit, and how many times as fast as torch eager."""
    figures[stage] = {}
    for name, each in seconds.items():
        ms, speedup = 1e3 * each / count, seconds["torch"] / each
        figures[stage][name] = {f"ms_per_{unit}": round(ms, 4), "speedup": round(speedup, 2)}
        print(f"{stage:<16}{name:<20}{ms:10.3f} ms a {unit:<6}{speedup:7.2f} x torch eager")


def _encoders(model: VitronModel, cache: Path, is_compiled: bool, skipped: dict[str, str]) -> dict[str, FrameEncoder]:
    names = ["torch", *(["compiled"] if is_compiled else []), "onnxruntime"]
    names += ["cuda_graphs", "tensorrt", "tensorrt_rtx"] if model.device.type == "cuda" else []
    encoders = {}
    for name in names:
        try:
            encoders[name] = build_frame_encoder(model, name, folder=cache)  # type: ignore[arg-type]
        except EngineError as error:
            skipped[f"encoder, {name}"] = str(error)
    return encoders


def _selectors(model: VitronModel, features: Any, skipped: dict[str, str]) -> Runs:
    runs: Runs = {"torch": lambda: model.selector(features.patches, features.attention)}
    try:
        kernel = TSelectorKernel(model.selector, open_launcher(FATBIN), dtype=model.dtype)
        runs["kernel"] = lambda: kernel(features.patches)
    except EngineError as error:
        skipped["selector, kernel"] = str(error)
    return runs


def _language_runs(
    model: VitronModel, prompt: int, is_compiled: bool, folder: Path, skipped: dict[str, str]
) -> tuple[Runs, Runs]:
    """Ways to read a prompt, and ways to write one token behind it."""
    language = model.language
    embeds = 0.1 * torch.randn(prompt, model.config.language.hidden_size, device=model.device, dtype=model.dtype)
    ids = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    slots = prompt + 1

    def prefill(cache: Any, part: Any) -> object:
        cache.reset()
        return part.prefill(embeds, cache, 0)

    def filled(part: Any) -> Any:
        cache = part.new_cache(rows=1, capacity=slots)
        part.prefill(embeds, cache, 0)
        cache.advance(0, prompt)
        return cache

    cache, empty = filled(language), language.new_cache(rows=1, capacity=slots)
    prefills: Runs = {"torch": lambda: prefill(empty, language)}
    decodes: Runs = {"torch": lambda: language.decode(ids, cache.decode([1]), cache)}
    small = None
    try:
        small = deepcopy(model)
        quantise(small, "int8")
        tiny, tiny_cache = small.language, filled(small.language)
        decodes["int8"] = lambda: tiny.decode(ids, tiny_cache.decode([1]), tiny_cache)
    except VitronError as error:
        skipped["decode, int8"] = str(error)
    if is_compiled:
        options: dict[str, Any] = {"cpp_wrapper": True} if model.device.type == "cpu" else {}
        fast = torch.compile(language.decode, dynamic=False, options=options)
        decodes["compiled"] = lambda: fast(ids, cache.decode([1], width=1, length=slots), cache)
        if "int8" in decodes:
            fast_int8 = torch.compile(tiny.decode, dynamic=False, options=options)
            decodes["int8 compiled"] = lambda: fast_int8(ids, tiny_cache.decode([1], width=1, length=slots), tiny_cache)
    try:
        elsewhere = OnnxLanguage(model, folder)
        prefills["onnxruntime"] = lambda: prefill(empty, elsewhere)
        decodes["onnxruntime"] = lambda: elsewhere.decode(ids, cache.decode([1]), cache)
    except EngineError as error:
        skipped["language, onnxruntime"] = str(error)
    return prefills, decodes


def _clips(model: VitronModel, clip: torch.Tensor, encoders: dict[str, FrameEncoder], folder: Path) -> "Clips":
    """A clip from pixels to the tokens of an answer, by torch eager and by ONNX Runtime alone."""
    parts: dict[str, tuple[FrameEncoder, LanguageModel]] = {"torch": (encoders["torch"], model.language)}
    if "onnxruntime" in encoders and model.device.type == "cpu":
        parts["onnxruntime"] = (encoders["onnxruntime"], OnnxLanguage(model, folder))
    return Clips(model, clip, parts)


class Clips:
    """The same clips and the same question for every way; what each answers is kept."""

    def __init__(
        self, model: VitronModel, clip: torch.Tensor, parts: dict[str, tuple[FrameEncoder, LanguageModel]]
    ) -> None:
        config = model.config.language
        self.answers: dict[str, list[tuple[int, ...]]] = {name: [] for name in parts}
        self._clip = clip
        self._question = model.language.embed(torch.arange(QUESTION, device=model.device) % config.vocab_size)
        # Any token but the end, so that every answer has the same length.
        self._grammar: dict[int, Any] = {}
        self._grammar |= {token: self._grammar for token in range(config.vocab_size) if token != config.eos_token_id}
        capacity = len(clip) * model.config.tokens_per_frame + QUESTION + TOKENS
        tokenizer = train_tokenizer(["Frame 1: [1,2,3,4]"], 400)  # decoding needs one; its text is not looked at
        self.runs: Runs = {
            name: partial(self._run, name, encoder, Decoder(language, tokenizer, capacity=capacity))
            for name, (encoder, language) in parts.items()
        }

    def _run(self, name: str, encoder: FrameEncoder, decoder: Decoder) -> None:
        # Another clip in every round: of the same one the cache would hold the whole prompt already.
        tokens = encoder.encode(self._clip + 0.1 * len(self.answers[name])).visual.tokens.flatten(0, 1)
        request = Request(embeds=torch.cat([tokens, self._question]), max_new_tokens=TOKENS, grammar=self._grammar)
        self.answers[name].append(decoder.decode([request])[0].token_ids)


if __name__ == "__main__":
    sys.exit(main())
