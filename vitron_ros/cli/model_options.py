"""The options of commands that load a model."""

import argparse

from vitron_ros.config import BACKENDS, CACHES, WEIGHTS, ModelRun


def add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model-device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--model-backend", default="auto", choices=BACKENDS, help="what it runs on (default: auto)")
    parser.add_argument(
        "--model-weights", default="full", choices=WEIGHTS, help="of its language model (default: full, as stored)"
    )
    parser.add_argument(
        "--model-cache", default="full", choices=CACHES, help="its keys and values in memory (default: full)"
    )


def model_run(arguments: argparse.Namespace) -> ModelRun:
    """How the model of `add_model_options` is to be run."""
    return ModelRun(
        device=arguments.model_device,
        backend=arguments.model_backend,
        weights=arguments.model_weights,
        cache=arguments.model_cache,
    )
