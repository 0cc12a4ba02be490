"""Decoding over ONNX Runtime writes the tokens that torch writes, whatever way they are asked for."""

from dataclasses import replace

import pytest
import torch

from tests.backends.small_models import GATED
from vitron_ros.backends import onnx_llama
from vitron_ros.backends.onnx_language import OnnxLanguage, check_language
from vitron_ros.errors import EngineError, ModelError
from vitron_ros.model.decoding import Decoder, Request
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.model.vitron import VitronModel

pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["Frame 1: [1,2,3,4]"], 400)


@pytest.fixture(scope="module")
def languages(tokenizer):
    """The same wide-awake random weights on torch and on ONNX Runtime."""
    torch.manual_seed(2)
    model = VitronModel(replace(GATED, language=replace(GATED.language, vocab_size=tokenizer.size))).eval()
    for weight in model.language.parameters():
        if weight.dim() == 2:
            torch.nn.init.normal_(weight, std=0.4)  # else one token repeats, which anything would get right
    return model.language, OnnxLanguage(model.language)


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


@pytest.mark.parametrize("counts", [(2, 1, 0), (1, 1, 1), (5, 5, 5), (1, 6, 3), (2, 2, 2)])
def test_rows_of_different_lengths_with_a_full_one_among_them(languages, counts):
    """Padding of a row that is full goes to the scrap slot, also where the context is as long as the model's."""
    capacity = languages[0].config.max_positions
    lengths = (9, capacity - counts[1], 30)
    ids = torch.randint(64, (3, max(counts)), generator=torch.Generator().manual_seed(1))
    results = []
    with torch.inference_mode():
        for language in languages:
            cache = language.new_cache(rows=3, capacity=capacity)
            for row, length in enumerate(lengths):
                generator = torch.Generator().manual_seed(row)
                language.prefill(torch.randn(length, 32, generator=generator), cache, row)
                cache.advance(row, length)
            logits = language.decode(ids, cache.decode(counts), cache)
            for row, count in enumerate(counts):
                cache.advance(row, count)
            # What was padding must not be seen by what comes next.
            after = language.decode(ids[:1, :1], cache.decode([1]), cache)
            results.append((logits, after))
    for row, count in enumerate(counts):
        assert torch.allclose(results[0][0][row, :count], results[1][0][row, :count], rtol=1e-3, atol=1e-3)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-3, atol=1e-3)


def test_weights_that_it_does_not_take():
    with pytest.raises(EngineError, match=r"decodes float32 weights on a CPU, these are torch\.bfloat16 on cpu"):
        OnnxLanguage(VitronModel(GATED).eval().bfloat16().language)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"head_dim": 8}, "a multiple of 16, not 8; decode with torch")],
)
def test_models_that_it_does_not_take(changes, words):
    config = replace(GATED, language=replace(GATED.language, **changes))
    with pytest.raises(EngineError, match=words):
        OnnxLanguage(VitronModel(config).eval().language)


def test_weights_beyond_one_file(languages, monkeypatch):
    monkeypatch.setattr(onnx_llama, "MAX_BYTES", 1000)
    with pytest.raises(EngineError, match="are too many for one ONNX graph; decode with torch"):
        OnnxLanguage(languages[0])


def test_the_check_passes_what_agrees_and_refuses_what_does_not(languages):
    plain, onnx = languages
    check_language(plain, onnx)
    torch.manual_seed(9)
    with pytest.raises(EngineError, match="disagrees with torch"):
        check_language(plain, LanguageModel(plain.config).eval())


def test_two_caches_at_once_and_one_that_is_gone(languages):
    """Buffers are named once a cache: those of another must not be taken for them."""
    plain, onnx = languages
    for _ in range(2):
        caches = [onnx.new_cache(rows=1, capacity=40) for _ in range(2)]
        with torch.inference_mode():
            for cache, embeds in zip(caches, prompts(), strict=False):
                onnx.prefill(embeds, cache, 0)
                cache.advance(0, len(embeds))
            for cache, embeds in zip(caches, prompts(), strict=False):
                reference = plain.new_cache(rows=1, capacity=40)
                plain.prefill(embeds, reference, 0)
                reference.advance(0, len(embeds))
                ids = torch.tensor([[7]])
                expected = plain.decode(ids, reference.decode([1]), reference)
                assert torch.allclose(onnx.decode(ids, cache.decode([1]), cache), expected, rtol=1e-3, atol=1e-3)
        del caches, cache


def test_what_does_not_fit_is_refused_before_anything_is_written(languages):
    cache = languages[1].new_cache(rows=1, capacity=8)
    with pytest.raises(ModelError, match="the context is full"):
        languages[1].prefill(prompts()[0], cache, 0)
    assert not cache.keys[0].any()


def test_the_weights_are_shared_not_copied(languages):
    plain, onnx = languages
    assert onnx.model.embed_tokens.weight is plain.model.embed_tokens.weight
