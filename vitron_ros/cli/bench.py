"""Measure speed. `model`: every stage of a vision language model, and its decoding beside transformers' `generate`.

Decoding one token reads every weight of the language model once and computes little with each: on small batches it is
bound by memory. So the ceiling is stated first: bytes of weights over the bandwidth that is reached here on a buffer of
that size. What lies between the ceiling and the measurement is overhead: Python, dispatch, attention.

Weights are random (speed does not depend on them) and the same for all. Runs are interleaved, and each figure is the
median of the rounds, so that a busy machine slows all alike. The tokens of all ways to decode must be equal.

`reply`: what one reply of a published model takes, and the package's own part of it.

`stream`: latency and load of the perception node over DDS. `cameras`: how they grow with the number of cameras.
`modules`: whether the perception node's boxes come later while a segmentation, editing or generation node works.
`positions`: what targets in space cost the worker of a camera.
`soak`: whether the node leaks while faults are injected again and again; exit code 1 if it does.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from vitron_ros.cli.numbers import number, whole
from vitron_ros.errors import ModelError, VitronError
from vitron_ros.model.config import LanguageConfig, profile
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.device import find_device
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.prompts import ImageSegment, Prompt, TextSegment
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel
from vitron_ros.ros_tools.process_usage import processor

NAME = "bench"
HELP = "measure speed"
EPILOG = """examples:
  vitron bench model --profile vitron-tiny
  vitron bench reply iSEE-Laboratory/llmdet_tiny
  vitron bench stream --seconds 12
  vitron bench cameras --cameras 1,2,4 --seconds 20
  vitron bench modules --seconds 10 --rounds 3
  vitron bench positions --images 300
  vitron bench soak --minutes 10 --report docs/benchmarks/soak.md"""

MARKER_TOKENS, QUESTION_TOKENS = 4, 40  # text beside the images, as in a prompt of RSOT
CALIBRATION_S = 0.3
MAX_CAMERAS = 16
WEIGHT_STD = 0.1  # wide enough that random weights do not repeat one token, which every way would get right


def add_arguments(parser: argparse.ArgumentParser) -> None:
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    model = subjects.add_parser("model", help="a vision language model, without ROS")
    model.add_argument("--profile", default="vitron-tiny", help="model profile (default: vitron-tiny)")
    model.add_argument("--frames", type=whole(1), default=8, help="frames of the clip (default: 8)")
    model.add_argument("--tokens", type=whole(2), default=100, help="tokens of the answer, from 2 (default: 100)")
    model.add_argument("--rounds", type=whole(1), default=5, help="times each stage is measured (default: 5)")
    # Two threads on cores that others use as well are many times slower than one.
    model.add_argument("--threads", type=whole(0), default=1, help="CPU threads; 0: as torch chooses (default: 1)")
    model.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    model.add_argument("--no-compile", action="store_true", help="leave out the compiled way: no compiler is needed")
    reply = subjects.add_parser("reply", help="one reply of a published model, by what takes the time")
    reply.add_argument("model", help="a folder, hub id or address of a server")
    reply.add_argument("--width", type=whole(32), default=1280, help="px (default: 1280)")
    reply.add_argument("--height", type=whole(32), default=720, help="px (default: 720)")
    reply.add_argument("--rounds", type=whole(1), default=20, help="replies for each task (default: 20)")
    stream = subjects.add_parser("stream", help="the perception node over DDS; needs ROS")
    stream.add_argument("--seconds", type=number(0.1), default=12.0, help="length of each measurement (default: 12)")
    stream.add_argument("--masks", action="store_true", help="measure it with publish_masks, too")
    stream.add_argument("--positions", action="store_true", help="measure it with depth and publish_3d, too")
    stream.add_argument("--size", choices=("640x480", "1280x720", "1920x1080"), help="one image size alone")
    cameras = subjects.add_parser("cameras", help="the perception node with several cameras; needs ROS")
    cameras.add_argument("--cameras", type=_counts, default=[1, 2, 4], help="how many, in turn (default: 1,2,4)")
    cameras.add_argument("--seconds", type=number(0.1), default=20.0, help="length of each measurement (default: 20)")
    modules = subjects.add_parser("modules", help="the perception node beside working modules; needs ROS")
    modules.add_argument("--seconds", type=number(0.1), default=10.0, help="length of each measurement (default: 10)")
    modules.add_argument("--rounds", type=whole(1), default=3, help="of each state, in turn (default: 3)")
    positions = subjects.add_parser("positions", help="what positions in space cost, in CPU time; needs ROS")
    positions.add_argument("--images", type=whole(10), default=300, help="measured for each row (default: 300)")
    soak = subjects.add_parser("soak", help="leaks of the perception node under injected faults; needs ROS")
    soak.add_argument("--minutes", type=number(0.01), default=10.0, help="length of the run (default: 10)")
    soak.add_argument("--report", type=Path, help="Markdown page to write")


def _counts(text: str) -> list[int]:
    counts = [int(word) if word.strip().isdecimal() else 0 for word in text.split(",")]
    if not all(1 <= count <= MAX_CAMERAS for count in counts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers from 1 to {MAX_CAMERAS}, such as 1,2,4")
    return counts


def run(arguments: argparse.Namespace) -> int:
    if arguments.subject not in ("model", "reply"):
        import vitron_ros.ros.require_middleware  # noqa: F401  before rclpy
        from vitron_ros.ros_tools.bench import cameras, modules, positions, stream
        from vitron_ros.ros_tools.soak import soak

        if arguments.subject == "stream":
            words = [f"--{name}" for name in ("masks", "positions") if getattr(arguments, name)]
            words += ["--size", arguments.size] if arguments.size else []
            return stream.main([f"--seconds={arguments.seconds}", *words])
        if arguments.subject == "cameras":
            return cameras.run(arguments.cameras, arguments.seconds)
        if arguments.subject == "modules":
            return modules.run(arguments.seconds, arguments.rounds)
        if arguments.subject == "positions":
            return positions.run(arguments.images)
        return soak.run(arguments.minutes, arguments.report)
    if arguments.subject == "reply":
        from vitron_ros.cli import bench_reply

        figures = bench_reply.measure(arguments.model, (arguments.width, arguments.height), arguments.rounds)
    else:
        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        figures = measure(arguments)
    print(json.dumps(figures))
    return 0


@torch.inference_mode()
def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Prints a table; gives its figures."""
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


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m vitron_ros.cli.bench`: the same as `vitron bench`."""
    parser = argparse.ArgumentParser(
        prog="vitron bench", description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    try:
        return run(parser.parse_args(argv))
    except VitronError as error:
        print(f"vitron bench: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
