"""Directories of diffusers' pipelines, for `vitron models show` and `verify`."""

from pathlib import Path

import torch

from vitron_ros.config import ModelRun
from vitron_ros.grounding.families.published import PublishedSizes, check_finite
from vitron_ros.grounding.model_files import Verdict
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.pipeline_layout import MODEL_INDEX, stored_weights
from vitron_ros.model.weights import read_tensors
from vitron_ros.modules.diffusion.pipeline import Pipeline
from vitron_ros.modules.diffusion.pipeline_kinds import kind_of


def is_pipeline(directory: Path) -> bool:
    return is_file(directory / MODEL_INDEX)


def pipeline_sizes(directory: Path) -> PublishedSizes:
    """The sizes of the parts, from their weights, which are mapped into memory and not read.

    Raises:
        ModelError: it is a pipeline that does not run here, a file is damaged, or weights are missing.
    """
    class_name = str(read_json(directory / MODEL_INDEX).get("_class_name"))
    actions = kind_of(class_name, str(directory)).actions.values()
    counts: dict[str, int] = {}
    for file in stored_weights(directory):
        count = sum(weight.numel() for _, weight in read_tensors(file) if weight.is_floating_point())
        counts[file.parent.name] = counts.get(file.parent.name, 0) + count
    return PublishedSizes(
        name=str(directory),
        model_type="diffusers",
        architecture=class_name,
        can=tuple(sorted(frozenset().union(*actions))),
        parameters=counts,
    )


def verify_pipeline(directory: Path, device: torch.device) -> Verdict:
    """Reads every weight, and loads the pipeline on the device as a module's node does."""
    verdict = Verdict()
    verdict.check("values", lambda: check_finite(stored_weights(directory)))
    verdict.check("pipeline", lambda: Pipeline.load(directory, ModelRun(device=str(device))))
    return verdict
