from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from oracles import llama_of
from tiny_language import CONFIG, tiny_language
from transformers import LlamaForCausalLM

from vitron_ros.errors import ModelError
from vitron_ros.model.config import LanguageConfig
from vitron_ros.model.language import LanguageModel


def llama(config: LanguageConfig) -> LlamaForCausalLM:
    """transformers' model of the same sizes, with random weights."""
    torch.manual_seed(1)
    return llama_of(config)


VARIANTS = {
    "grouped": CONFIG,
    "one head each": replace(CONFIG, num_kv_heads=4),
    "tied": replace(CONFIG, tie_embeddings=True),
    "other theta": replace(CONFIG, rope_theta=500000.0, head_dim=16),
}


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())
@torch.inference_mode()
def test_logits_equal_those_of_transformers(config):
    theirs = llama(config)
    ours = LanguageModel(config).eval()
    ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    embeds = torch.randn(2, 37, config.hidden_size)
    torch.testing.assert_close(ours(embeds), theirs(inputs_embeds=embeds).logits, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_prefill_and_decode_equal_the_whole_sequence_at_once():
    model = tiny_language()
    ids = torch.randint(CONFIG.vocab_size, (1, 30))
    whole = model(model.embed(ids))[0]
    cache = model.new_cache(rows=1, capacity=40)
    first = model.prefill(model.embed(ids[:, :11])[0], cache, 0)
    cache.advance(0, 11)
    torch.testing.assert_close(first, whole[10:11], atol=1e-5, rtol=0)
    more = model.prefill(model.embed(ids[:, 11:20])[0], cache, 0, keep=9)
    cache.advance(0, 9)
    torch.testing.assert_close(more, whole[11:20], atol=1e-5, rtol=0)
    for index in (20, 21, 22):
        logits = model.decode(ids[:, index : index + 1], cache.decode([1]), cache)
        cache.advance(0, 1)
        torch.testing.assert_close(logits[0, 0], whole[index], atol=1e-5, rtol=0)
    several = model.decode(ids[:, 23:30], cache.decode([7]), cache)
    torch.testing.assert_close(several[0], whole[23:30], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_questions_packed_behind_one_image_do_not_see_each_other():
    model = tiny_language()
    image, one, two = (torch.randn(1, count, CONFIG.hidden_size) for count in (10, 4, 6))
    packed = torch.cat([image, one, two], 1)
    owner = torch.tensor([0] * 10 + [1] * 4 + [2] * 6)
    mask = torch.ones(20, 20, dtype=torch.bool).tril() & ((owner == 0) | (owner[:, None] == owner))
    positions = torch.tensor([[*range(10), *range(10, 14), *range(10, 16)]])

    def attend(layer, q, k, v):
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[None, None], enable_gqa=True)
        return seen.transpose(1, 2)

    logits = model(packed, attend, positions)
    torch.testing.assert_close(logits[:, 10:14], model(torch.cat([image, one], 1))[:, 10:], atol=1e-5, rtol=0)
    torch.testing.assert_close(logits[:, 14:], model(torch.cat([image, two], 1))[:, 10:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@torch.inference_mode()
def test_half_precision_stays_near_single(dtype):
    model = tiny_language()
    embeds = torch.randn(1, 20, CONFIG.hidden_size)
    exact = model(embeds)
    half = tiny_language().to(dtype)
    half.load_state_dict(model.state_dict())
    logits = half(embeds.to(dtype))
    assert logits.dtype == dtype
    assert (logits.float() - exact).abs().max() < 0.03 * exact.abs().max()


@torch.inference_mode()
def test_a_model_that_was_cast_forgets_its_old_rotary_table():
    model = tiny_language()
    embeds = torch.randn(1, 20, CONFIG.hidden_size)
    exact = model(embeds)
    torch.testing.assert_close(model.double()(embeds.double()).float(), exact, atol=1e-5, rtol=0)


def test_every_weight_gets_a_gradient():
    model = tiny_language().train()
    model(torch.randn(1, 8, CONFIG.hidden_size)).square().mean().backward()
    without = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert without == ["model.embed_tokens.weight"]  # embeddings were given, not looked up


def test_a_context_beyond_the_positions_is_refused():
    with pytest.raises(ModelError, match=r"a context of 600 tokens exceeds the 512 positions"):
        tiny_language().new_cache(rows=1, capacity=600)


def test_a_7b_model_can_be_built_without_memory():
    with torch.device("meta"):
        model = LanguageModel(LanguageConfig())
    assert sum(weight.numel() for weight in model.parameters()) == 6_738_415_616
