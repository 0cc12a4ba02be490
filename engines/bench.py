"""Benchmark every backend of one model on this machine, in one run.

    encoder    ms a frame at batch 1 and 8: vision encoder, selector and projector
    selector   ms a frame: the model's own, and the CUDA kernel where there is a GPU
    prefill    ms a token of a prompt
    decode     ms a token behind that prompt, at batch 1
    grounding  ms for a phrase in a clip of 8 frames, from images to boxes, end to end

Figures are medians of interleaved rounds. On a shared machine only ratios within one run are meaningful: each stage is
compared with torch eager. Unavailable backends are listed with the reason.
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engines.build import CACHE
from engines.kernels.compile import FATBIN
from engines.kernels.launch import open_launcher
from engines.kernels.selector import TSelectorKernel
from engines.source import load_model
from engines.timing import interleaved
from vitron_ros.backends.frame_encoder import build_frame_encoder
from vitron_ros.backends.onnx_language import OnnxLanguage
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.config import ModelRun
from vitron_ros.errors import EngineError, ModelError, VitronError
from vitron_ros.frame import Frame
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.model.device import find_device
from vitron_ros.model.quantise import quantise
from vitron_ros.model.vitron import VitronModel

EPILOG = """examples:
  python -m engines.bench --checkpoint vitron-tiny --json
  python -m engines.bench --profile elysium-7b --encoder-only   # ViT-L/14 at 336 px with random weights"""
BATCHES = (1, 8)
TEXT_TOKENS = 60  # tokens of text in the prompt, besides those of 8 frames
PHRASE = "the red square"
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
    parser.add_argument("--rounds", type=whole(1), default=15, help="rounds of measurement (default: 15)")
    parser.add_argument("--threads", type=whole(1, 1024), default=1, help="CPU threads (default: 1)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--encoder-only", action="store_true", help="leave out the language model: it is not loaded")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile: no compiler is needed")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of engines (default: engines/cache)")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, too")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    return exit_code("bench", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    device = find_device(arguments.device)
    checkpoint = None if arguments.profile is not None else arguments.checkpoint or "vitron-tiny"
    part = "frames" if arguments.encoder_only else "decode"
    model = load_model(checkpoint=checkpoint, profile_name=arguments.profile, part=part)
    # Not model.to(): a language model that is not loaded cannot be moved.
    for each in (model.vision, model.selector, model.projector, *(() if part == "frames" else (model,))):
        each.to(device)
    bench = Bench(model, rounds=arguments.rounds, is_compiled=not arguments.no_compile, cache=arguments.cache)
    bench.measure_encoder()
    if not arguments.encoder_only:
        bench.measure_language()
    if checkpoint is not None and not arguments.encoder_only:
        bench.measure_grounding(checkpoint)
    for name, reason in bench.skipped.items():
        print(f"not measured: {name}: {reason}", file=sys.stderr)
    if arguments.json:
        print(json.dumps(bench.figures))
    return 0


class Bench:
    """The figures of one model, stage by stage; each is printed as it is measured.

    Attributes:
        figures: by stage and way, to be written as JSON.
        skipped: what was not measured, and why.
    """

    def __init__(self, model: VitronModel, *, rounds: int, is_compiled: bool, cache: Path) -> None:
        self._model, self._rounds, self._is_compiled, self._cache = model, rounds, is_compiled, cache
        self._device = next(model.vision.parameters()).device
        self.skipped: dict[str, str] = {}
        self.figures: dict[str, Any] = {
            "model": model.config.name,
            "device": torch.cuda.get_device_name() if self._device.type == "cuda" else platform.processor() or "cpu",
            "threads": torch.get_num_threads(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "rounds": rounds,
            "skipped": self.skipped,
        }
        for name in ("onnxruntime", "tensorrt_rtx", "torchao"):
            try:
                self.figures[name] = version(name)
            except ImportError:
                self.figures[name] = None

    @torch.inference_mode()
    def measure_encoder(self) -> None:
        """Encoder and selector."""
        model = self._model
        encoders = self._encoders()
        size, most = model.config.vision.image_size, model.config.max_frames
        for batch in (each for each in BATCHES if each <= most):
            pixels = torch.randn(batch, 3, size, size, device=self._device)
            self._note(
                f"encoder_batch_{batch}",
                "frame",
                {name: partial(each, pixels) for name, each in encoders.items()},
                batch,
            )
        frames = min(BATCHES[-1], most)
        features = model.features(torch.randn(frames, 3, size, size, device=self._device))
        self._note("selector", "frame", self._selectors(features), frames)

    @torch.inference_mode()
    def measure_language(self) -> None:
        """Prompt and answer of the language model."""
        config = self._model.config
        prompt = min(
            min(BATCHES[-1], config.max_frames) * config.tokens_per_frame + TEXT_TOKENS,
            config.language.max_positions - 2,
        )
        prefills, decodes = self._language_runs(prompt)
        self._note("prefill", "token", prefills, prompt)
        self._note("decode", "token", decodes, 1)

    def measure_grounding(self, checkpoint: str) -> None:
        """End-to-end grounding on each backend of the runtime."""
        grounders = {}
        ways = [("torch", "torch", False), ("torch, drafts", "torch", True), ("onnx, drafts", "onnx", True)]
        ways += [("tensorrt, drafts", "tensorrt", True)] if self._device.type == "cuda" else []
        for name, backend, drafts in ways:
            try:
                run = ModelRun(device=str(self._device), backend=backend)
                grounders[name] = Grounder.load(checkpoint, run, drafts=drafts)
            except EngineError as error:
                self.skipped[f"grounding, {name}"] = str(error)
            except ModelError as error:
                self.skipped["grounding"] = str(error)
                return
        clips = {name: Clips(grounder) for name, grounder in grounders.items()}
        self._note("grounding", "clip", {name: each.run for name, each in clips.items()}, 1)
        replies = [each.replies for each in clips.values()]
        self.figures["grounding_equal"] = all(each == replies[0] for each in replies)
        print(f"{len(replies[0])} clips, {'the same' if self.figures['grounding_equal'] else 'NOT THE SAME'} answers")

    def _note(self, stage: str, unit: str, runs: Runs, count: int) -> None:
        """Measures, records and prints one stage: ms per unit, and speed-up over torch eager."""
        seconds = interleaved(runs, self._rounds, self._device)
        self.figures[stage] = {}
        for name, each in seconds.items():
            ms, speedup = 1e3 * each / count, seconds["torch"] / each
            self.figures[stage][name] = {f"ms_per_{unit}": round(ms, 4), "speedup": round(speedup, 2)}
            print(f"{stage:<16}{name:<16}{ms:10.3f} ms a {unit:<6}{speedup:7.2f} x torch eager", flush=True)

    def _encoders(self) -> dict[str, Callable[[torch.Tensor], object]]:
        names = ["torch", *(["compiled"] if self._is_compiled else []), "onnxruntime"]
        names += ["cuda_graphs", "tensorrt", "tensorrt_rtx"] if self._device.type == "cuda" else []
        encoders: dict[str, Callable[[torch.Tensor], object]] = {}
        for name in names:
            try:
                encoders[name] = build_frame_encoder(self._model, name, folder=self._cache).encode  # type: ignore[arg-type]
            except EngineError as error:
                self.skipped[f"encoder, {name}"] = str(error)
        return encoders

    def _selectors(self, features: Any) -> Runs:
        model = self._model
        runs: Runs = {"torch": lambda: model.selector(features.patches, features.attention)}
        try:
            kernel = TSelectorKernel(model.selector, open_launcher(FATBIN), dtype=model.dtype)
            runs["kernel"] = lambda: kernel(features.patches)
        except EngineError as error:
            self.skipped["selector, kernel"] = str(error)
        return runs

    def _language_runs(self, prompt: int) -> tuple[Runs, Runs]:
        """Variants of prefill, and of decoding one token."""
        model, language = self._model, self._model.language
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
        try:
            quantised = deepcopy(model)
            quantise(quantised, "int8")
            small, small_cache = quantised.language, filled(quantised.language)
            decodes["int8"] = lambda: small.decode(ids, small_cache.decode([1]), small_cache)
        except VitronError as error:
            self.skipped["decode, int8"] = str(error)
        if self._is_compiled:
            options: dict[str, Any] = {"cpp_wrapper": True} if model.device.type == "cpu" else {}
            fast = torch.compile(language.decode, dynamic=False, options=options)
            decodes["compiled"] = lambda: fast(ids, cache.decode([1], width=1, length=slots), cache)
            if "int8" in decodes:
                fast_int8 = torch.compile(small.decode, dynamic=False, options=options)
                decodes["int8 compiled"] = lambda: fast_int8(
                    ids, small_cache.decode([1], width=1, length=slots), small_cache
                )
        try:
            elsewhere = OnnxLanguage(language)
            prefills["onnxruntime"] = lambda: prefill(empty, elsewhere)
            decodes["onnxruntime"] = lambda: elsewhere.decode(ids, cache.decode([1]), cache)
        except EngineError as error:
            self.skipped["language, onnxruntime"] = str(error)
        return prefills, decodes


class Clips:
    """Clips of a moving square, a new one in every run; collects the replies."""

    def __init__(self, grounder: Grounder) -> None:
        self.replies: list[tuple[ReplyStatus, str]] = []
        self._grounder = grounder

    def run(self) -> None:
        index = len(self.replies)
        frames = tuple(self._frame(index, frame) for frame in range(min(BATCHES[-1], self._grounder.max_frames)))
        reply = self._grounder.reply([ModelRequest(id=str(index), task=Task.FIND, frames=frames, text=PHRASE)])[0]
        self.replies.append((reply.status, reply.text))

    @staticmethod
    def _frame(index: int, frame: int) -> Frame:
        rgb = np.full((240, 320, 3), 90, np.uint8)
        left, top = 20 + 12 * frame + index % 40, 30 + 7 * index % 120
        rgb[top : top + 50, left : left + 50] = (220, 40, 30)
        return Frame(rgb=rgb, stamp_ns=1 + 1000 * index + frame)


if __name__ == "__main__":
    sys.exit(main())
