"""Decoding over ONNX Runtime writes the tokens that torch writes, whatever way they are asked for."""

from dataclasses import replace

import pytest
import torch

from tests.backends.small_models import GATED
from vitron_ros.backends.onnx_language import OnnxLanguage
from vitron_ros.errors import EngineError
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["Frame 1: [1,2,3,4]"], 400)


@pytest.fixture(scope="module")
def languages(tmp_path_factory, tokenizer):
    """The same wide-awake random weights on torch and on ONNX Runtime."""
    torch.manual_seed(2)
    model = VitronModel(replace(GATED, language=replace(GATED.language, vocab_size=tokenizer.size))).eval()
    for weight in model.language.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.4)  # else one token repeats, which anything would get right
    return model.language, OnnxLanguage(model, tmp_path_factory.mktemp("engines"))


def prompts():
    generator = torch.Generator().manual_seed(4)
    shared = torch.randn(20, 32, generator=generator)
    return [torch.cat([shared, torch.randn(extra, 32, generator=generator)]) for extra in (3, 9, 1)]


def test_rows_of_different_lengths_drafts_and_reused_prefixes(languages, tokenizer):
    answers = []
    for language in languages:
        decoder = Decoder(language, tokenizer, capacity=90, rows=3)
        plain = decoder.decode(
            [Request(embeds=embeds, max_new_tokens=12 + row) for row, embeds in enumerate(prompts())]
        )
        draft = (*plain[0].token_ids[:5], 7, 7)
        drafted = decoder.decode([Request(embeds=prompts()[0], max_new_tokens=12, draft=draft)])
        assert drafted[0].reused_tokens > 0
        answers.append([each.token_ids for each in (*plain, *drafted)])
    assert answers[0] == answers[1]
    assert len(set(answers[0][1])) > 4
    assert answers[0][3] == answers[0][0]


def test_logits_and_cache_are_those_of_torch(languages):
    embeds = prompts()[1]
    caches = [language.new_cache(rows=2, capacity=50) for language in languages]
    with torch.inference_mode():
        first = [language.prefill(embeds, cache, 1, keep=3) for language, cache in zip(languages, caches, strict=True)]
    assert first[0].shape == first[1].shape == (3, languages[0].config.vocab_size)
    assert torch.allclose(*first, rtol=1e-3, atol=1e-3)
    for torch_keys, onnx_keys in zip(caches[0].keys, caches[1].keys, strict=True):
        assert torch.allclose(torch_keys, onnx_keys, rtol=1e-3, atol=1e-3)


def test_weights_that_it_does_not_take(tmp_path):
    with pytest.raises(EngineError, match=r"decodes float32 weights on a CPU, these are torch\.bfloat16 on cpu"):
        OnnxLanguage(VitronModel(GATED).eval().bfloat16(), tmp_path)


def test_the_weights_are_shared_not_copied(languages):
    plain, onnx = languages
    assert onnx.model.embed_tokens.weight is plain.model.embed_tokens.weight
