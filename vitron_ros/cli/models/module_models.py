"""Models of the modules' nodes, for `vitron models show` and `verify`: pipelines of diffusers, and others."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from vitron_ros.cli.models.kinds import config_of
from vitron_ros.config import ModelRun
from vitron_ros.grounding.families.published import PublishedSizes, check_finite, sizes_of_kind
from vitron_ros.grounding.model_files import Verdict
from vitron_ros.model.pipeline_layout import stored_weights
from vitron_ros.model.weights import read_tensors, weight_files
from vitron_ros.module_registry import REGISTRY, Node
from vitron_ros.modules.backends import MODEL_BACKENDS, load_backend
from vitron_ros.modules.diffusion.pipeline import Pipeline
from vitron_ros.modules.diffusion.pipeline_kinds import kind_of


def module_sizes(directory: Path) -> PublishedSizes:
    """The sizes of a model; of a pipeline's parts from their weights, which are mapped into memory and not read.

    Raises:
        ModelError: it does not run here, a file is damaged, or weights are missing.
    """
    config = config_of(directory)
    if "_class_name" not in config:
        sizes, node = sizes_of_kind(directory, config["model_type"]), _node(config)
        served = frozenset().union(*(entry.actions for entry in REGISTRY.values() if entry.node == node))
        return replace(sizes, can=tuple(sorted(served)))
    actions = kind_of(config["_class_name"], str(directory)).actions.values()
    counts: dict[str, int] = {}
    for file in stored_weights(directory):
        count = sum(weight.numel() for _, weight in read_tensors(file) if weight.is_floating_point())
        counts[file.parent.name] = counts.get(file.parent.name, 0) + count
    return PublishedSizes(
        name=str(directory),
        model_type="diffusers",
        architecture=config["_class_name"],
        can=tuple(sorted(frozenset().union(*actions))),
        parameters=counts,
    )


def verify_module_model(directory: Path, device: torch.device) -> Verdict:
    """Reads every weight, and loads the model on the device as a module's node does."""
    verdict, config, run = Verdict(), config_of(directory), ModelRun(device=str(device))
    if "_class_name" in config:
        verdict.check("values", lambda: check_finite(stored_weights(directory)))
        verdict.check("pipeline", lambda: Pipeline.load(directory, run))
    else:
        verdict.check("values", lambda: check_finite(weight_files(directory)))
        verdict.check("model", lambda: load_backend(_node(config), str(directory), run))
    return verdict


def _node(config: Mapping[str, Any]) -> Node:
    return next(node for node, known in MODEL_BACKENDS.items() if config["model_type"] in known)
