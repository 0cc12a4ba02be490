"""All that a model's directory holds, read by one list that loading, `vitron models verify` and `convert` share."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

from vitron_ros.errors import ModelError, VitronError
from vitron_ros.grounding.out_of_distribution import OutOfDistributionDetector
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.checkpoint import (
    Checkpoint,
    read_config,
    read_model,
    read_prompt_profile,
    read_tokenizer,
)
from vitron_ros.model.config import ModelConfig
from vitron_ros.model.device import dtype_on
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.memory import check_memory
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import PromptBuilder
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vitron import build_empty
from vitron_ros.model.weights import Loaded, LoadReport, WeightsError

RECORD = "training.json"


class Readers(NamedTuple):
    """How each part of a directory is read. Each raises a VitronError where its part is damaged or does not fit."""

    weights: Callable[[], Loaded]
    tokenizer: Callable[[], Tokenizer]
    prompt_profile: Callable[[], PromptProfile]
    vocabulary: Callable[[], Vocabulary]
    ood_detector: Callable[[], OutOfDistributionDetector | None]
    record: Callable[[], None]


class ModelFiles(NamedTuple):
    """A model with what stands beside it: the words it was taught, and what its footage looks like."""

    checkpoint: Checkpoint
    vocabulary: Vocabulary
    ood_detector: OutOfDistributionDetector | None


def load_files(directory: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype | None = None) -> ModelFiles:
    """All that a directory holds; `device` and `dtype` as of `from_pretrained`.

    Raises:
        ModelError, ConfigError: the first part that is missing, damaged or does not fit.
    """
    config = read_config(directory)
    read = _readers(directory, config, device, dtype)
    read.record()
    vocabulary, ood_detector = read.vocabulary(), read.ood_detector()
    tokenizer, profile = read.tokenizer(), read.prompt_profile()
    prompts = PromptBuilder(profile, tokenizer, config.tokenisation == "published")
    return ModelFiles(Checkpoint(read.weights().model, tokenizer, prompts), vocabulary, ood_detector)


@dataclass
class Verdict:
    """What is wrong with a model's directory.

    Attributes:
        report: on the weights; None where they cannot be read.
        faults: by part, see `Readers`; "memory" where it does not fit the machine.
    """

    report: LoadReport | None = None
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def problems(self) -> list[str]:
        """What is wrong, each thing once."""
        return list(dict.fromkeys(self.faults.values()))

    def check(self, part: str, read: Callable[[], object]) -> None:
        """Note what is wrong with a part: the VitronError that reading it raises."""
        try:
            read()
        except VitronError as error:
            self.faults[part] = str(error)


def verify_files(directory: Path, device: torch.device | None = None) -> Verdict:
    """Reads all that a directory holds and keeps none of it.

    Args:
        device: that it is to run on; None: any, as of a model for another machine.

    Raises:
        ModelError, ConfigError: it has no config, or a wrong one, without which nothing else can be read.
    """
    verdict, config = Verdict(), read_config(directory)
    readers = _readers(directory, config, "meta", None)._asdict()
    if device is not None:
        readers["memory"] = lambda: check_memory(build_empty(config), device, dtype_on(device))
    for name, read in readers.items():
        try:
            found = read()
        except VitronError as error:
            verdict.faults[name] = str(error)
            found = error
        if isinstance(found, Loaded | WeightsError):
            verdict.report = found.report
    return verdict


def _readers(directory: Path, config: ModelConfig, device: torch.device | str, dtype: torch.dtype | None) -> Readers:
    return Readers(
        weights=lambda: read_model(directory, config, device=device, dtype=dtype),
        tokenizer=lambda: read_tokenizer(directory, config),
        prompt_profile=lambda: read_prompt_profile(directory, config),
        vocabulary=lambda: Vocabulary.load(directory),
        ood_detector=lambda: OutOfDistributionDetector.load(directory, config.vision.hidden_size),
        record=lambda: _check_record(directory / RECORD),
    )


def _check_record(path: Path) -> None:
    """Refuses a record of training that is there and is none."""
    if is_file(path) and not isinstance(read_json(path).get("stages"), list):
        raise ModelError(f"{path} is not a record of a training; fetch it again, or remove it")
