"""Compare an engine's graph with torch on the same inputs: ONNX Runtime on the CPU, TensorRT where there is a GPU.

The reference is the model in float32. Tolerances follow the precision of the engine. Of the vision parts, every
layer of the vision encoder is compared as well; of the language model, the new keys and values of every layer: the
worst come first, and are named.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engines.build import CACHE, build, engine_path
from engines.kernels.plugin import register_plugin
from engines.profile import PLUGIN, VISION_PARTS, EngineProfile, read_profiles
from engines.source import INT8, load_model, read_precision
from vitron_ros.backends.agreement import Difference, compare
from vitron_ros.backends.graphs import Graph, Part, build_graph
from vitron_ros.backends.onnx_export import export_onnx
from vitron_ros.backends.onnx_runner import OnnxRunner
from vitron_ros.backends.runner import random_inputs
from vitron_ros.backends.tensorrt_runner import TensorRTRunner, import_tensorrt
from vitron_ros.backends.torch_runner import TorchRunner
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.errors import EngineError

EPILOG = """example:
  python -m engines.verify engines/profiles/vitron-tiny-frames-random.yaml"""
SHOWN = 4  # of the worst
MAX_SLOTS = 64  # of a cache: more only cost time

Report = dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.verify",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("profiles", nargs="+", type=Path, metavar="PROFILE", help="YAML file of an engine")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder of engines (default: engines/cache)")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    arguments = parser.parse_args(argv)
    return exit_code("verify", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    reports = [verify(profile, arguments.cache) for profile in read_profiles(arguments.profiles)]
    if arguments.json:
        print(json.dumps(reports))
    return 0 if all(report["agrees"] for report in reports) else 1


@torch.inference_mode()
def verify(profile: EngineProfile, cache: Path = CACHE) -> Report:
    """Builds the engine if it is not there, compares, and prints the worst of each comparison.

    Returns:
        `agrees`; `skipped`: backends that could not run and why; `comparisons`: a name and its differences each.

    Raises:
        VitronError: the engine cannot be built, or nothing can be compared.
    """
    engine = build(profile, cache)
    checkpoint = profile.checkpoint
    model = load_model(checkpoint=checkpoint, profile_name=None if checkpoint else profile.model, part=profile.part)
    part: Part = profile.part  # type: ignore[assignment]
    is_int8 = profile.precision == INT8
    weights = torch.float32 if is_int8 else read_precision(profile.precision)
    precision = torch.int8 if is_int8 else weights
    graph = build_graph(model, part, levels=profile.levels)
    cases = [(sizes, random_inputs(graph.inputs, sizes, seed)) for seed, sizes in enumerate(_sizes(profile))]
    expected = [_run_torch(graph, inputs) for _, inputs in cases]
    layers = part in VISION_PARTS and not is_int8  # of int8 there is one graph, that was calibrated
    layer_graph = build_graph(model, "vision", levels=True) if layers else None
    layer_expected = [_run_torch(layer_graph, inputs) for _, inputs in cases] if layer_graph else []

    model = model.to(weights)
    graph = build_graph(model, part, levels=profile.levels)
    report: Report = {"engine": str(engine), "precision": profile.precision, "skipped": {}, "comparisons": {}}

    def note(name: str, got: Sequence[Mapping[str, Tensor]], reference: Sequence[Mapping[str, Tensor]]) -> None:
        found = [each for want, have in zip(reference, got, strict=True) for each in compare(want, have, precision)]
        found.sort(key=lambda each: (each.is_within, -each.relative))
        report["comparisons"][name] = [asdict(each) for each in found]
        _show(name, found)

    def attempt(name: str, runs: Any, reference: Sequence[Mapping[str, Tensor]]) -> None:
        try:
            note(name, runs(), reference)
        except EngineError as error:
            report["skipped"][name] = str(error)
            print(f"{name}: not compared: {error}")

    attempt(
        "onnxruntime",
        lambda: _run_onnx(engine.with_suffix(".onnx"), graph, cases),
        expected,
    )
    if layers:
        attempt("onnxruntime, layers", lambda: _run_layers(model, cache / profile.name, cases), layer_expected)
    if profile.selector == PLUGIN:
        register_plugin(import_tensorrt(profile.library))
    if profile.library != "onnxruntime":
        attempt(profile.library, lambda: _run_tensorrt(engine_path(profile, cache), graph, cases), expected)
    found = [each for comparison in report["comparisons"].values() for each in comparison]
    if not found:
        raise EngineError(f"{profile.name} was compared with nothing: {'; '.join(report['skipped'].values())}")
    report["agrees"] = all(each["is_within"] for each in found)
    print(f"{profile.name}: {'agrees' if report['agrees'] else 'DOES NOT AGREE'} with torch at {profile.precision}")
    return report


def _sizes(profile: EngineProfile) -> list[dict[str, int]]:
    """The least and the largest sizes of every optimisation profile."""
    return [
        {name: min(each[which], MAX_SLOTS) for name, each in sizes.items()}
        for sizes in profile.sizes
        for which in (0, 2)
    ]


def _run_torch(graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with TorchRunner(graph) as runner:
        return runner.run(inputs)


def _cast(graph: Graph, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inputs in the dtypes of an engine."""
    return {spec.name: inputs[spec.name].to(spec.dtype) for spec in graph.inputs}


def _run_onnx(path: Path, graph: Graph, cases: Sequence[tuple[Any, Mapping[str, Tensor]]]) -> list[dict[str, Tensor]]:
    with OnnxRunner(path, limits=graph.limits) as runner:
        return [runner.run(_cast(graph, inputs)) for _, inputs in cases]


def _run_layers(model: Any, stem: Path, cases: Sequence[tuple[Any, Mapping[str, Tensor]]]) -> list[dict[str, Tensor]]:
    graph = build_graph(model, "vision", levels=True)
    path = export_onnx(graph, stem.with_name(f"{stem.name}-layers.onnx"))
    try:
        return _run_onnx(path, graph, cases)
    finally:
        path.unlink()


def _run_tensorrt(
    path: Path, graph: Graph, cases: Sequence[tuple[Any, Mapping[str, Tensor]]]
) -> list[dict[str, Tensor]]:
    with TensorRTRunner(path) as runner:
        moved = [{name: value.cuda() for name, value in _cast(graph, inputs).items()} for _, inputs in cases]
        return [runner.run(inputs) for inputs in moved]


def _show(name: str, differences: Sequence[Difference]) -> None:
    print(f"{name}: {sum(each.is_within for each in differences)} of {len(differences)} outputs within tolerance")
    for each in differences[:SHOWN]:
        print(f"  {'ok   ' if each.is_within else 'WRONG'} {each}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
