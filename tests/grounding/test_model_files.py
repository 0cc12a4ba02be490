"""What `vitron models verify` finds in a model's directory is what loading refuses, in the same words."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vitron_ros.config import ModelRun
from vitron_ros.errors import VitronError
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.model_files import verify_files
from vitron_ros.grounding.out_of_distribution import OutOfDistributionDetector
from vitron_ros.grounding.vocabulary import Vocabulary
from vitron_ros.model.checkpoint import Checkpoint, save_pretrained

Damage = Callable[[Path], object]


@pytest.fixture
def directory(checkpoint: Checkpoint, tmp_path: Path) -> Path:
    save_pretrained(checkpoint.model, tmp_path, tokenizer=checkpoint.tokenizer)
    Vocabulary.collect(["red ring"]).save(tmp_path)
    OutOfDistributionDetector(np.zeros(32, np.float32), np.eye(32, dtype=np.float32), 1.0).save(tmp_path)
    (tmp_path / "training.json").write_text('{"stages": []}')
    return tmp_path


def load(directory: Path) -> Grounder:
    return Grounder.load(directory, ModelRun(backend="torch"))


def written(name: str, content: bytes) -> Damage:
    return lambda directory: (directory / name).write_bytes(content)


def config(**changes: object) -> Damage:
    def change(directory: Path) -> None:
        values = json.loads((directory / "config.json").read_text())
        values["language"] |= changes
        (directory / "config.json").write_text(json.dumps(values))

    return change


def weights(change: Callable[[torch.Tensor], torch.Tensor]) -> Damage:
    def apply(directory: Path) -> None:
        tensors = load_file(directory / "model.safetensors")
        tensors["projector.0.weight"] = change(tensors["projector.0.weight"])
        save_file(tensors, directory / "model.safetensors")

    return apply


def tokens(**ids: int) -> Damage:
    """Adds tokens with ids of their own."""

    def add(directory: Path) -> None:
        values = json.loads((directory / "tokenizer.json").read_text())
        size = len(values["model"]["vocab"])
        for index, word in enumerate(ids):
            flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
            values["added_tokens"].append({"id": size + index, "content": word, **flags})
        (directory / "tokenizer.json").write_text(json.dumps(values))

    return add


def far_id(directory: Path) -> None:
    """A vocabulary of the right count whose last token has an id that the model has no row for."""
    values = json.loads((directory / "tokenizer.json").read_text())
    vocab = values["model"]["vocab"]
    used = {part for pair in values["model"]["merges"] for part in (*pair, "".join(pair))}
    word = next(word for word in reversed(vocab) if word not in used and len(word) == 1 and not word.isalnum())
    vocab[word] = 100_000
    (directory / "tokenizer.json").write_text(json.dumps(values))


DAMAGES: dict[str, tuple[str, str, Damage]] = {
    "nan": ("weights", "holds NaN or infinity", weights(lambda w: w * float("nan"))),
    "int8": ("weights", "is stored as int8", weights(lambda w: w.to(torch.int8))),
    "fp8": ("weights", "is stored as float8_e4m3fn", weights(lambda w: w.to(torch.float8_e4m3fn))),
    "turned": ("weights", "1 misshaped", weights(lambda w: w.T.contiguous())),
    "index": ("weights", "outside", written("model.safetensors.index.json", b'{"weight_map": {"a": "../b"}}')),
    "more tokens": ("tokenizer", "tokens, the model only", tokens(**{f"word{i}": 0 for i in range(300)})),
    "far token": ("tokenizer", "has 100001 tokens, the model only", far_id),
    "other end": ("tokenizer", "begins and ends text with tokens", config(eos_token_id=5)),
    "tokenizer latin-1": ("tokenizer", "not UTF-8", written("tokenizer.json", b"\xff\xfe\xe9")),
    "tokenizer of nothing": ("tokenizer", "is not a tokenizer", written("tokenizer.json", b"{}")),
    "wording": ("prompt_profile", "is not YAML", written("prompt_profile.yaml", b"{: :")),
    "wording cut": ("prompt_profile", "lacks", written("prompt_profile.yaml", b"system: Hello.\n")),
    "wording utf-16": ("prompt_profile", "not UTF-8", written("prompt_profile.yaml", "a: b".encode("utf-16"))),
    "words latin-1": ("vocabulary", "not UTF-8", written("words.txt", "café\n".encode("latin-1"))),
    "no words": ("vocabulary", "has no words", written("words.txt", b"\n")),
    "out_of_distribution": (
        "ood_detector",
        "is damaged",
        written("out_of_distribution.safetensors", b"junk" * 10),
    ),
    "another out_of_distribution": (
        "ood_detector",
        "of 32 channels",
        lambda d: OutOfDistributionDetector(np.zeros(3, np.float32), np.eye(3, dtype=np.float32), 1.0).save(d),
    ),
    "record": ("record", "is not valid JSON", written("training.json", b"{")),
    "another record": ("record", "is not a record of a training", written("training.json", b'{"a": 1}')),
    "context": ("memory", r"GiB for a context of 1,125,899,906,842,624 tokens", config(max_positions=1 << 50)),
}


def test_a_sound_directory_is_sound(directory):
    verdict = verify_files(directory, torch.device("cpu"))
    assert not verdict.faults and verdict.report is not None and verdict.report.is_complete
    load(directory)


@pytest.mark.parametrize(("part", "sentence", "damage"), DAMAGES.values(), ids=list(DAMAGES))
def test_what_is_found_is_what_is_refused(directory, part, sentence, damage):
    damage(directory)
    faults = verify_files(directory, torch.device("cpu")).faults
    assert list(faults) == [part]
    with pytest.raises(VitronError, match=sentence) as told:
        load(directory)
    assert str(told.value) == faults[part] and "\n" not in faults[part]


def test_every_fault_is_told_at_once(directory):
    for name in ("nan", "no words", "record"):
        DAMAGES[name][2](directory)
    assert list(verify_files(directory).faults) == ["weights", "vocabulary", "record"]


@pytest.mark.parametrize("device", ["cuda:77", "foo"])
def test_a_device_that_is_not_there(directory, device):
    with pytest.raises(VitronError, match=f"device '{device}'"):
        Grounder.load(directory, ModelRun(device=device))
