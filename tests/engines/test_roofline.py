"""The roofline: its memory plan, its greedy step, and what it refuses."""

import json

import pytest
import torch

from engines import roofline
from engines.roofline import MIB, GreedyStep, main, make_plan
from tests.backends.small_models import GATED, small_model
from vitron_ros.errors import EngineError
from vitron_ros.model.config import profile
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.tokenizer import train_tokenizer


def test_the_sums_of_vicuna_7b():
    plan = make_plan(profile("elysium-7b"), weights="bfloat16", layers=None, frames=8, tokens=100)
    layer = 4 * 4096**2 + 3 * 4096 * 11008
    linear = 32 * layer + 32000 * 4096
    norms = (2 * 32 + 1) * 4096
    assert plan.prompt == 8 * 108 + 60
    assert plan.weight_bytes == 2 * (linear + norms)  # the embedding table is looked up, not read
    assert 14e9 < plan.peak_bytes < 18e9
    quarter = make_plan(profile("elysium-7b"), weights="int4", layers=None, frames=8, tokens=100)
    assert quarter.weight_bytes == linear // 2 + 2 * norms
    assert quarter.peak_bytes == plan.peak_bytes  # weights are made in 16 bits first
    shallow = make_plan(profile("elysium-7b"), weights="float32", layers=2, frames=8, tokens=100)
    assert shallow.weight_bytes == 4 * (2 * layer + 32000 * 4096 + 5 * 4096)


@pytest.mark.parametrize("kind", ["int8", "fp8"])
def test_the_sums_of_a_cache_in_bytes_are_what_it_takes(kind):
    config = profile("vitron-tiny")
    plan = make_plan(config, weights="float32", layers=2, frames=1, tokens=10, cache=kind)
    full = make_plan(config, weights="float32", layers=2, frames=1, tokens=10)
    capacity = plan.prompt + plan.tokens
    cache = LanguageModel(plan.config.language).new_cache(rows=1, capacity=capacity - 1, kind=kind)  # and a scrap slot
    assert cache.nbytes == plan.cache_bytes * capacity
    assert full.peak_bytes - plan.peak_bytes == (full.cache_bytes - plan.cache_bytes) * capacity > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"layers": 33}, "--layers is 33; it must be from 1 to 32"),
        ({"layers": 0}, "--layers is 0"),
        ({"frames": 40}, "--frames is 40; it must be from 1 to 32"),
        ({"tokens": 0}, "--tokens is 0"),
        ({"frames": 32, "tokens": 2000}, "are 5516; the context is 4096: give fewer"),
    ],
)
def test_numbers_out_of_range(changes, words):
    with pytest.raises(EngineError, match=words):
        make_plan(profile("elysium-7b"), **{"weights": "float32", "layers": 2, "frames": 1, "tokens": 9, **changes})


def test_a_step_over_fixed_memory_writes_what_the_decoder_writes():
    language = small_model(GATED).language
    embeds = torch.randn(11, 32, generator=torch.Generator().manual_seed(1))
    decoder = Decoder(language, train_tokenizer(["[1,2]"], 400), capacity=60)
    grammar: dict = {}
    grammar |= {token: grammar for token in range(64) if token != GATED.language.eos_token_id}
    expected = decoder.decode([Request(embeds=embeds, max_new_tokens=20, grammar=grammar)])[0].token_ids
    cache = language.new_cache(rows=1, capacity=40)
    step = GreedyStep(language, cache, compiled=False, captured=False)
    with torch.inference_mode():
        for _ in range(2):  # a second answer over the leavings of the first
            cache.reset()
            step.start(int(language.prefill(embeds, cache, 0)[-1].argmax()), len(embeds))
            tokens = [int(step.token)]
            while len(tokens) < 20:
                step()
                tokens.append(int(step.token))
            if GATED.language.eos_token_id not in tokens:
                assert tuple(tokens) == expected


@pytest.mark.parametrize("cache", ["full", "int8"])
def test_a_run_on_this_machine(cache, capsys):
    small = ("--frames", "2", "--tokens", "4", "--rounds", "1", "--cache", cache)
    assert main(["--profile", "vitron-tiny", "--device", "cpu", *small]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("no GPU: 2 of 6 layers are run")
    assert lines[1].startswith("needs at most ")
    figures = json.loads(lines[-1])
    assert figures["layers"] == 2 and figures["prompt_tokens"] == 2 * 16 + 60
    assert all(
        figures[stage]["ms"] > 0 and figures[stage]["bound_ms"] > 0 for stage in ("encoder", "prefill", "decode")
    )


def test_memory_that_is_not_there_is_not_taken(monkeypatch, capsys):
    monkeypatch.setattr(roofline, "free_memory", lambda device: 100 * MIB)
    monkeypatch.setattr(roofline, "build_model", lambda *_: pytest.fail("the model was built"))
    assert main(["--profile", "vitron-tiny", "--device", "cpu"]) == 1
    assert "not enough memory; give fewer --layers" in capsys.readouterr().err


def test_a_gpu_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--device", "cuda"]) == 1
    assert "device 'cuda' is not there" in capsys.readouterr().err


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("weights", ["bfloat16", "int8"])
def test_a_run_on_a_gpu_with_a_captured_step(capsys, weights):
    assert main(["--device", "cuda", "--layers", "2", "--weights", weights, "--frames", "1", "--tokens", "8"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["peak_mb"] <= figures["estimated_mb"]
