"""Write a part of a model as an ONNX file.

frames   the vision encoder, the token selector and the projector as one graph: pixels to tokens and selected patches
vision   the vision encoder alone
region   the region encoder
prefill  the language model over a prompt's embeddings, keys and values as inputs and outputs
decode   the language model over new tokens, likewise
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import torch

from engines.source import PRECISIONS, load_model, read_precision
from vitron_ros.backends.graphs import Graph, Part, build_graph
from vitron_ros.backends.onnx_export import export_onnx
from vitron_ros.cli.exit_code import exit_code
from vitron_ros.errors import EngineError
from vitron_ros.recordings.output import make_folder

EPILOG = """example:
  python -m engines.export_onnx --profile vitron-tiny --part frames --out out/onnx"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m engines.export_onnx",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--checkpoint", help="directory, bundled name or hub id")
    source.add_argument("--profile", help="model profile, with random weights")
    parser.add_argument("--part", choices=get_args(Part), required=True)
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of weights (default: float32)")
    parser.add_argument("--levels", action="store_true", help="frames, vision: give hidden states of the layers, too")
    parser.add_argument("--out", type=Path, required=True, help="folder for PART.onnx")
    arguments = parser.parse_args(argv)
    return exit_code("export_onnx", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    path = arguments.out / f"{arguments.part}.onnx"
    make_folder(arguments.out)
    model = load_model(checkpoint=arguments.checkpoint, profile_name=arguments.profile, part=arguments.part)
    graph = build_graph(model.to(read_precision(arguments.precision)), arguments.part, levels=arguments.levels)
    try:
        export_onnx(graph, path)
    except OSError as error:
        raise EngineError(f"{path} cannot be written: {error}; make room or choose another folder") from error
    print(describe(graph), file=sys.stderr)
    print(path)
    return 0


def describe(graph: Graph) -> str:
    """Inputs, outputs and the ranges of named dimensions, a line each."""
    lines = [
        f"{kind:<7} {spec.name:<14} ({', '.join(map(str, spec.shape))}) {str(spec.dtype).removeprefix('torch.')}"
        for kind, specs in (("input", graph.inputs), ("output", graph.outputs))
        for spec in specs
    ]
    lines += [f"size    {name:<14} {low} to {high}" for name, (low, high) in graph.limits.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
