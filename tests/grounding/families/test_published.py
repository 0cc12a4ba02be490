"""Directories in the formats of transformers: their sizes, and what is wrong with them."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

from vitron_ros.cli.main import main
from vitron_ros.grounding.families import FAMILIES
from vitron_ros.grounding.families.published import published_sizes, verify_directory

SIZES = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
WEIGHTS = "model.safetensors"


@pytest.fixture
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model of a type that, for the test, is one of ours."""
    monkeypatch.setitem(FAMILIES, "clip", "vitron_ros.grounding.nowhere:Model")
    text = {**SIZES, "vocab_size": 8, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
    config = CLIPConfig(text_config=text, vision_config={**SIZES, "image_size": 8, "patch_size": 4}, projection_dim=4)
    CLIPModel(config).save_pretrained(tmp_path)
    words = ["<|startoftext|>", "<|endoftext|>", "a", "b", "a</w>", "b</w>"]
    CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[]).save_pretrained(tmp_path)
    CLIPImageProcessor().save_pretrained(tmp_path)
    return tmp_path


def test_show_counts_by_part_without_weights(clip, capsys):
    stored = sum(weight.numel() for weight in load_file(clip / WEIGHTS).values())
    (clip / WEIGHTS).unlink()
    sizes = published_sizes(clip)
    assert sizes.total == stored and {"text_model", "vision_model", "text_projection"} <= set(sizes.parameters)
    assert main(["models", "show", str(clip)]) == 0
    assert "clip, CLIPModel" in capsys.readouterr().out


def test_a_sound_directory_is_found_so(clip, capsys):
    assert main(["models", "verify", str(clip)]) == 0
    assert capsys.readouterr().out.endswith("weights loaded\nok\n")


def rewrite(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(directory: Path) -> None:
        weights = load_file(directory / WEIGHTS)
        change(weights)
        save_file(weights, directory / WEIGHTS, metadata={"format": "pt"})

    return damage


def rename_architecture(directory: Path) -> None:
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**values, "architectures": ["CLIPOfTomorrow"]}))


def remove(*names: str) -> Callable[[Path], None]:
    return lambda directory: [(directory / name).unlink(missing_ok=True) for name in names]


@pytest.mark.parametrize(
    ("damage", "part", "sentence"),
    [
        (rewrite(lambda w: w["logit_scale"].fill_(float("nan"))), "values", "logit_scale in .* holds NaN or infinity"),
        (rewrite(lambda w: w.pop("text_projection.weight")), "weights", "1 missing: text_projection.weight"),
        (
            rewrite(lambda w: w.update({"text_projection.weight": torch.zeros(4, 9)})),
            "weights",
            r"1 misshaped: text_projection.weight: file \(4, 9\), model \(4, 8\)",
        ),
        (
            rename_architecture,
            "weights",
            "names the architecture 'CLIPOfTomorrow', which transformers .* does not have",
        ),
        (remove(WEIGHTS), "weights", "has no weights"),
        (remove("tokenizer.json", "vocab.json", "merges.txt"), "tokenizer", "has no tokenizer"),
        (remove("preprocessor_config.json"), "image processor", "the image processor in .* cannot be loaded"),
        (lambda directory: (directory / WEIGHTS).write_bytes(b"cut"), "weights", "cannot be compared|is damaged"),
    ],
)
def test_each_fault_is_one_sentence(clip, damage, part, sentence):
    damage(clip)
    faults = verify_directory(clip).faults
    assert part in faults and not any("\n" in fault for fault in faults.values())
    assert re.search(sentence, faults[part])


def test_what_does_not_fit_the_machine(clip, monkeypatch):
    monkeypatch.setattr("vitron_ros.grounding.families.published.memory_bytes", lambda device: 100)
    assert "use a larger machine, or a smaller model" in verify_directory(clip, torch.device("cpu")).faults["memory"]
