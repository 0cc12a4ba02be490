"""Quantisation: what it does to the logits and to the bytes, and what it refuses."""

from dataclasses import replace

import pytest
import torch
from tiny_vitron import CONFIG, tiny_vitron
from torch import nn

from vitron_ros.errors import ModelError
from vitron_ros.model.footprint import footprint
from vitron_ros.model.quantise import quantise
from vitron_ros.model.vitron import VitronModel


def logits(model: VitronModel, embeds: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.language(embeds)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_moves_the_logits_little(tied, dtype):
    config = replace(CONFIG, language=replace(CONFIG.language, tie_embeddings=tied))
    plain, small = tiny_vitron(config).to(dtype), tiny_vitron(config).to(dtype)
    quantise(small, "int8")
    embeds = torch.randn(4, 32, 48, dtype=dtype)
    before, after = logits(plain, embeds).float(), logits(small, embeds).float()
    error = (before - after).pow(2).mean().sqrt() / before.std()
    print(f"int8, {dtype}, tied {tied}: relative error of the logits {error:.4f}")
    assert 0 < error < 0.03
    assert (before.argmax(-1) == after.argmax(-1)).float().mean() > 0.9


def test_calibrated_weights_are_closer_where_few_inputs_are_large():
    torch.manual_seed(0)
    plain, blind, calibrated = tiny_vitron(), tiny_vitron(), tiny_vitron()
    for model in (plain, blind, calibrated):
        for layer in model.language.model.layers:
            layer.input_layernorm.weight.data[::24] *= 100  # as trained models have it
            layer.post_attention_layernorm.weight.data[::24] *= 100
    examples, embeds = torch.randn(6, 1, 16, 48), torch.randn(1, 64, 48)
    quantise(blind, "int8")
    quantise(calibrated, "int8", lambda: [logits(calibrated, example) for example in examples])
    wanted = logits(plain, embeds)
    errors = [(logits(model, embeds) - wanted).pow(2).mean().sqrt() for model in (blind, calibrated)]
    print(f"int8: error of the logits {errors[0]:.4f}, calibrated {errors[1]:.4f}")
    assert 0 < errors[1] < 0.9 * errors[0]
    linear = [module for module in calibrated.language.modules() if isinstance(module, nn.Linear)]
    assert sum(module.weight.qdata.nbytes for module in linear) == footprint(CONFIG).int8_parameters


def test_a_calibration_that_does_not_run_the_model():
    other = tiny_vitron()
    with pytest.raises(ModelError, match="has to run the model that is to be quantised"):
        quantise(tiny_vitron(), "int8", lambda: logits(other, torch.randn(1, 4, 48)))


def test_int8_keeps_one_byte_of_each_linear_weight():
    model = tiny_vitron()
    quantise(model, "int8")
    linear = [module for module in model.language.modules() if isinstance(module, nn.Linear)]
    stored = sum(module.weight.qdata.nbytes for module in linear)
    assert stored == sum(module.weight.numel() for module in linear) == footprint(CONFIG).int8_parameters


def test_only_the_language_model_is_quantised():
    plain, small = tiny_vitron(), tiny_vitron()
    quantise(small, "int8")
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(plain.encode_frames(pixels), small.encode_frames(pixels))
    assert torch.equal(plain.language.model.embed_tokens.weight, small.language.model.embed_tokens.weight)


def test_a_shared_output_layer_stays_shared():
    model = tiny_vitron(replace(CONFIG, language=replace(CONFIG.language, tie_embeddings=True)))
    quantise(model, "int8")
    assert model.language.lm_head.weight is model.language.model.embed_tokens.weight


@pytest.mark.parametrize("kind", ["int4", "fp8"])
def test_what_needs_a_gpu(kind):
    with pytest.raises(ModelError, match=f"{kind} needs a GPU, this model is on cpu; use int8"):
        quantise(tiny_vitron(), kind)


def test_fp8_needs_a_newer_gpu(monkeypatch):
    model = tiny_vitron()
    monkeypatch.setattr(VitronModel, "device", property(lambda self: torch.device("cuda")))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 6))
    with pytest.raises(ModelError, match="fp8 needs a GPU of Ada, Hopper or later; use int8 or int4 on this one"):
        quantise(model, "fp8")


def test_an_unknown_kind():
    with pytest.raises(ModelError, match="cannot quantise to 'int2'; choose int8, int4 or fp8"):
        quantise(tiny_vitron(), "int2")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(("kind", "limit"), [("int8", 0.03), ("int4", 0.3), ("fp8", 0.1)])
def test_on_a_gpu(kind, limit):
    language = replace(
        CONFIG.language, hidden_size=256, intermediate_size=512, num_heads=4, num_kv_heads=4, head_dim=64
    )
    config = replace(CONFIG, language=language)
    plain, small = (tiny_vitron(config).to("cuda", torch.bfloat16) for _ in range(2))
    quantise(small, kind)
    embeds = torch.randn(2, 16, 256, device="cuda", dtype=torch.bfloat16)
    before, after = logits(plain, embeds).float(), logits(small, embeds).float()
    assert (before - after).pow(2).mean().sqrt() / before.std() < limit
