"""Accuracy of quantised weights and caches: a trained model's answers, and the output of large random layers.

    int8    one scale a row, as `vitron_ros.model.quantise` makes it; awq: calibrated on other questions
    int4    one scale a group of weights; accuracy only: its fast kernels need a GPU
    fp8     floats of 8 bits, one scale a row; accuracy of the weights only, a GPU multiplies in 8 bits as well
    cache   keys and values of the decoder in 8 bits, a scale for each head of a token
    frames  the products of the frames' graph in int8, calibrated on pictures of the worlds, by ONNX Runtime on the CPU

Of a trained model, over validation questions of the generated worlds (rec, rsot, sot):

    perplexity      of the right answers, given one token after the other; of weights alone
    box_error       distance of the corners from the truth, in hundredths of the image, where both have a box
    exact_match     answers equal to those of float32

Of random layers, beside float32 on the same input: error of the logits over their spread, Kullback-Leibler divergence
of the next token in nats, and how often the first choice is the same. Random weights have no outliers, which trained
large models have: this bounds the arithmetic, not the accuracy of a checkpoint.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor, nn

from engines.int8_graph import calibration_images, write_int8
from engines.profile import WORLDS
from training.evaluate import EvaluationCase, ModelPredictor, cases
from training.worlds import Task
from vitron_ros.backends.frame_encoder import FrameEncoder, RunnerFrameEncoder, engine_folder
from vitron_ros.backends.graphs import build_graph
from vitron_ros.backends.onnx_cache import cached_onnx
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import EngineError
from vitron_ros.model.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from vitron_ros.model.config import LanguageConfig, profile
from vitron_ros.model.kv_cache import QUANTISED_CACHES
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.parsing import parse_reply
from vitron_ros.model.quantise import quantise

EPILOG = """example:
  python -m engines.quantisation --checkpoint vitron-tiny --clips 30 --layers-of elysium-7b --layers 1 --json"""
TASKS: tuple[Task, ...] = ("rec", "rsot", "sot")
GROUPS = (128, 64, 32)  # of int4: the largest that divides every row
POSITIONS = 64  # of random input


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.quantisation",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--checkpoint", default="vitron-tiny", help="a trained model (default: vitron-tiny)")
    parser.add_argument("--clips", type=whole(1), default=30, help="questions of each task (default: 30)")
    parser.add_argument("--examples", type=whole(1), default=4, help="others of each task that calibrate (default: 4)")
    parser.add_argument("--layers-of", default="elysium-7b", help="profile of the random layers (default: elysium-7b)")
    parser.add_argument("--layers", type=whole(0), default=1, help="of them; 0: none (default: 1)")
    parser.add_argument("--threads", type=whole(1, 1024), default=1, help="CPU threads (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the figures as one line of JSON, too")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    return exit_code("quantisation", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    directory = find_checkpoint(arguments.checkpoint)
    config = few_layers(arguments.layers_of, arguments.layers) if arguments.layers else None
    figures = {"answers": answers(directory, arguments.clips, arguments.examples)}
    if config is not None:
        figures["layers"] = random_layers(config)
    for name, table in figures.items():
        for way, row in table.items():
            print(f"{name:<8} {way:<10} " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if arguments.json:
        print(json.dumps(figures))
    return 0


def answers(checkpoint: Path, clips: int, examples: int) -> dict[str, dict[str, float]]:
    """Figures of a trained model: float32, then each kind of weights.

    Args:
        clips: questions of each task.
        examples: others of each task, which calibrate.

    Raises:
        ModelError: the checkpoint cannot be loaded, or torchao is not installed.
        ConfigError: there are not as many questions.
    """
    loaded = _load(checkpoint)
    size = loaded.model.config.vision.image_size
    questions = [case for task in TASKS for case in cases(task, clips, loaded.prompts.profile, size=size)]
    table, exact = {}, list[str]()
    others = [case for task in TASKS for case in cases(task, examples, loaded.prompts.profile, seed=1, size=size)]
    for way in ("float32", "int8", "int8 awq", "int4", "fp8"):
        loaded = _load(checkpoint)
        name = way if way == "float32" else quantise_as(loaded, way, others)
        replies = ModelPredictor(loaded)(questions)
        exact = exact or replies
        table[name] = {"perplexity": round(perplexity(loaded, questions), 4), **_scores(questions, replies, exact)}
    loaded = _load(checkpoint)
    for kind in QUANTISED_CACHES:
        table[f"{kind} cache"] = _scores(questions, ModelPredictor(loaded, cache=kind)(questions), exact)
    with TemporaryDirectory() as folder, closing(int8_frames(loaded, Path(folder))) as encoder:
        table["int8 frames"] = _scores(questions, ModelPredictor(loaded, encoder=encoder)(questions), exact)
    return table


def int8_frames(checkpoint: Checkpoint, folder: Path) -> FrameEncoder:
    """Frames encoded with products in int8, as an engine of that precision would.

    Raises:
        EngineError: ONNX Runtime is not installed, or cannot take the graph.
    """
    model = checkpoint.model
    graph = build_graph(model, "frames", levels=True)
    images = calibration_images(WORLDS, model.config.vision.image_size)
    exact = cached_onnx(graph, model.config, engine_folder())
    path = write_int8(exact, folder / "int8.onnx", [model.pixels([image]) for image in images])
    return RunnerFrameEncoder(OnnxRunner(path, limits=graph.limits), model)


def _scores(questions: Sequence[EvaluationCase], replies: Sequence[str], exact: Sequence[str]) -> dict[str, float]:
    return {
        "box_error": round(box_error(questions, replies), 3),
        "exact_match": round(float(np.mean([a == b for a, b in zip(replies, exact, strict=True)])), 3),
    }


def quantise_as(checkpoint: Checkpoint, way: str, examples: Sequence[EvaluationCase]) -> str:
    """Replaces the weights of a checkpoint's language model, int8 by the product's own way; gives the kind."""
    if way.startswith("int8"):
        calibrate = None if way == "int8" else partial(perplexity, checkpoint, examples)
        quantise(checkpoint.model, "int8", calibrate)
        return way
    return _quantise(checkpoint.model.language, way)


def few_layers(name: str, layers: int) -> LanguageConfig:
    """A profile's language model with few layers.

    Raises:
        EngineError: the profile has not as many layers.
        ConfigError: there is no such profile.
    """
    config = profile(name).language
    if not 1 <= layers <= config.num_layers:
        raise EngineError(f"--layers is {layers}; it must be from 1 to {config.num_layers}, or 0")
    return replace(config, num_layers=layers)


def random_layers(config: LanguageConfig) -> dict[str, dict[str, float]]:
    """Figures of a language model with random weights.

    Raises:
        ModelError: torchao is not installed.
    """
    embeds = torch.randn(1, POSITIONS, config.hidden_size, generator=torch.Generator().manual_seed(1))
    table, expected = {}, torch.empty(0)
    for way in ("float32", "int8", "int4", "fp8"):
        torch.manual_seed(0)
        language = LanguageModel(config).eval()
        label = way if way == "float32" else _quantise(language, way)
        with torch.inference_mode():
            logits = language(embeds)[0]
        if way == "float32":
            expected = logits
        else:
            table[label] = distance(expected, logits)
    return table


def distance(expected: Tensor, logits: Tensor) -> dict[str, float]:
    """Of logits (S, V) from those of float32."""
    wanted, got = expected.log_softmax(-1), logits.log_softmax(-1)
    divergence = (wanted.exp() * (wanted - got)).sum(-1).mean()
    return {
        "logit_error": round(float((logits - expected).square().mean().sqrt() / expected.std()), 5),
        "divergence": round(float(divergence), 6),
        "same_first": round(float((expected.argmax(-1) == logits.argmax(-1)).float().mean()), 3),
    }


@torch.inference_mode()
def perplexity(checkpoint: Checkpoint, questions: Sequence[EvaluationCase]) -> float:
    """Of the right answers, over all of their tokens and the end."""
    model, tokenizer, prompts = checkpoint
    total, count = 0.0, 0
    for case in questions:
        question = case.question
        features = model.features(model.pixels([case.clip.frames[frame] for frame in question.sample.frames]))
        regions = model.region_tokens(features, question.regions) if question.regions else None
        prompt = model.splice(prompts.build(question.turns), model.visual_tokens(features).tokens, regions)
        ids = torch.tensor([*tokenizer.encode_answer(question.answer), tokenizer.eos_id])
        embeds = torch.cat([prompt, model.language.embed(ids[None])[0]])
        log_p = model.language(embeds[None])[0, len(prompt) - 1 : -1].log_softmax(-1)
        total -= float(log_p.gather(1, ids[:, None]).sum())
        count += len(ids)
    return float(np.exp(total / count))


def box_error(questions: Sequence[EvaluationCase], replies: Sequence[str]) -> float:
    """Mean distance of the numbers of boxes from the truth's, in hundredths, where a reply and the truth have one."""
    errors: list[float] = []
    for case, reply in zip(questions, replies, strict=True):
        true, predicted = (_boxes(text) for text in (case.question.answer, reply))
        errors += [
            abs(a - b) for key in true.keys() & predicted.keys() for a, b in zip(true[key], predicted[key], strict=True)
        ]
    return 100 * float(np.mean(errors)) if errors else float("nan")


def _boxes(text: str) -> dict[int, tuple[float, ...]]:
    """The boxes of an answer by their frame."""
    reply = parse_reply(text)
    found: dict[int, tuple[float, ...]] = {frame: box for frame, box in reply.frames.items() if box is not None}
    return found if found else dict(enumerate((item.box for item in reply.boxes[:1]), 1))


def _load(directory: Path) -> Checkpoint:
    checkpoint = load_checkpoint(directory, dtype=torch.float32)
    checkpoint.model.eval()
    return checkpoint


def _quantise(language: LanguageModel, way: str) -> str:
    """Replaces the weights of the linear layers; gives the kind with its group."""
    try:
        from torchao.quantization import (
            Float8WeightOnlyConfig,
            Int8WeightOnlyConfig,
            IntxWeightOnlyConfig,
            PerGroup,
            quantize_,
        )
    except ImportError as error:
        raise EngineError("this needs torchao: pip install 'vitron_ros[quantise]'") from error

    def is_selected(module: nn.Module, name: str) -> bool:
        return isinstance(module, nn.Linear) and not (language.config.tie_embeddings and name == "lm_head")

    if way in ("int8", "fp8"):
        config = Int8WeightOnlyConfig() if way == "int8" else Float8WeightOnlyConfig()
        quantize_(language, config, filter_fn=is_selected)
        return way
    widths = [module.in_features for module in language.modules() if isinstance(module, nn.Linear)]
    group = next(size for size in GROUPS if all(width % size == 0 for width in widths))
    config = IntxWeightOnlyConfig(weight_dtype=getattr(torch, "int4"), granularity=PerGroup(group))  # noqa: B009
    quantize_(language, config, filter_fn=is_selected)
    return f"int4/{group}"


if __name__ == "__main__":
    sys.exit(main())
