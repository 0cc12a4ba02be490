"""Adapters that are damaged, or of another kind or model, are one line."""

import json
from pathlib import Path

import pytest
import torch
from published import LINEAR, save_vitron
from safetensors.torch import load_file, save_file
from tiny_vitron import PLAIN, tiny_vitron

from tests.refusals import assert_refused
from vitron_ros.errors import ModelError
from vitron_ros.model.lora import LoraAdapter


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    save_vitron(folder / "base", folder / "lora", pickled=False)
    return folder / "lora"


@pytest.fixture
def lora(good, tmp_path) -> Path:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        (tmp_path / name).write_bytes((good / name).read_bytes())
    return tmp_path


def read(lora: Path) -> LoraAdapter:
    language = tiny_vitron(PLAIN).language
    shapes = {name: tuple(weight.shape) for name, weight in language.named_parameters()}
    return LoraAdapter(lora, load_file(lora / "adapter_model.safetensors"), shapes)


def refused(lora: Path, sentence: str) -> None:
    with assert_refused(ModelError, sentence):
        read(lora)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"peft_type": "IA3"}, "is of a 'IA3' adapter"),
        ({"peft_type": None}, "is of a None adapter"),
        ({"target_modules": None}, "has target_modules None; list the layers"),
        ({"target_modules": []}, "has target_modules"),
        ({"target_modules": ["query_key_value"]}, "0 weights loaded; 42 unexpected"),
        ({"target_modules": ["q_proj"]}, "6 weights loaded; 36 unexpected"),
        ({"target_modules": "("}, "has target_modules"),
        ({"target_modules": {"a": 1}}, "has target_modules"),
        ({"r": 3}, r"42 misshaped: .*lora_A\.weight: file \(4, 96\), model \(3, 96\)"),
        ({"r": 10**9}, "has the rank 1000000000; it must be a whole number from 1 to"),
        ({"r": 0}, "has the rank"),
        ({"r": "4"}, "has the rank"),
        ({"rank_pattern": {"q_proj": 10**9}}, "has rank_pattern, which is not taken here"),
        ({"use_dora": True}, "has use_dora, which is not taken here"),
        ({"bias": "all"}, "has bias, which is not taken here"),
        ({"some_later_setting": 1}, "has some_later_setting, which is not taken here"),
        ({"lora_alpha": float("nan")}, "has lora_alpha"),
        ({"lora_alpha": "8"}, "has lora_alpha"),
        ({"init_lora_weights": "pissa"}, "has init_lora_weights 'pissa', which changes the base"),
        ({"init_lora_weights": {}}, "has init_lora_weights"),
        ({"megatron_config": {"a": 1}}, "has megatron_config, which is not taken here"),
        ({"layer_replication": [[0, 1000000]]}, "has layer_replication, which is not taken here"),
    ],
)
def test_settings_that_cannot_be_carried_out(lora, changes, sentence):
    path = lora / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    refused(lora, sentence)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe{", b"[" * 100_000])
def test_settings_that_are_no_table(lora, content):
    (lora / "adapter_config.json").write_bytes(content)
    refused(lora, r"adapter_config\.json (is no|holds no)")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda name, t: {f"x.{name}": t}, "42 missing: .*; 42 unexpected: x"),
        (lambda name, t: {name: torch.cat([t, t])}, r"42 misshaped: .* file \(8, 96\), model \(4, 96\)"),
        (lambda name, t: {name: t} if "layers.0" in name else {}, "28 missing"),
        (lambda name, t: {name: t * float("nan")}, "holds NaN or infinity"),
        (lambda name, t: {name: t.to(torch.int8)}, "is stored as int8"),
    ],
    ids=["names", "shapes", "missing", "nan", "int8"],
)
def test_weights_that_do_not_fit(lora, change, sentence):
    weights = load_file(lora / "adapter_model.safetensors")
    changed = {new: tensor for name, t in weights.items() for new, tensor in change(name, t).items()}
    save_file(changed, lora / "adapter_model.safetensors")
    refused(lora, sentence)


def test_the_release_of_an_older_peft_is_taken(lora):
    """Peft 0.4, which VITRON's adapter was saved with, wrote fewer settings."""
    values = {
        "auto_mapping": None, "base_model_name_or_path": "vicuna", "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "init_lora_weights": True, "layers_pattern": None, "layers_to_transform": None,
        "lora_alpha": 8, "lora_dropout": 0.05, "modules_to_save": None, "peft_type": "LORA", "r": 4,
        "revision": None, "target_modules": LINEAR, "task_type": "CAUSAL_LM",
    }  # fmt: skip
    (lora / "adapter_config.json").write_text(json.dumps(values))
    name, factors = "model.layers.0.self_attn.q_proj", load_file(lora / "adapter_model.safetensors")
    weight = torch.randn(48, 48)
    up, down = (factors[f"base_model.model.{name}.lora_{kind}.weight"] for kind in "BA")
    torch.testing.assert_close(read(lora).merged(f"{name}.weight", weight), weight + 8 / 4 * up @ down)
    assert read(lora).merged("model.norm.weight", weight) is weight
