"""Token selectors: the released one against what its code gave, the gate that learns, Elysium's rivals (Table 7)."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from released import RELEASED, wave, with_waves
from tiny_vitron import CONFIG, VISION
from torch import nn

from vitron_ros.model.config import SelectorConfig, profile
from vitron_ros.model.token_selector import GatedTSelector, PublishedTSelector, build_selector, pool_weights

KINDS = ("published", "gated", "concat", "cross_attention", "pool", "attention")
PICKING = ("published", "gated", "attention")
N, C = VISION.num_patches, VISION.hidden_size


def selector(kind: str, alpha: float = 0.25, gumbel_noise: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    built = build_selector(replace(CONFIG, selector=SelectorConfig(kind=kind, alpha=alpha, gumbel_noise=gumbel_noise)))
    return built.eval()


def seen(frames: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Patches and attention."""
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(frames, 4, 1 + N, 1 + N, generator=generator).softmax(-1)
    return torch.randn(frames, N, C, generator=generator), attention


@pytest.mark.parametrize("recorded", RELEASED["selector"], ids=[str(row["count"]) for row in RELEASED["selector"]])
def test_published_equals_the_released_code(recorded):
    ours = with_waves(PublishedTSelector(N, recorded["count"], C), 1.0)
    patches = wave((3, N, C), 2 + recorded["count"])
    selected = ours(patches)
    kept = torch.tensor(recorded["kept"])
    assert torch.equal(selected.indices, kept)
    assert torch.equal(selected.tokens, patches[torch.arange(3)[:, None], kept])


@pytest.mark.parametrize("recorded", RELEASED["selector_grid"], ids=lambda row: f"{row['count']} of {row['patches']}")
def test_published_begins_with_the_released_grid(recorded):
    ours = PublishedTSelector(recorded["patches"], recorded["count"], 4)
    assert ours.trans_bias.nonzero().flatten().tolist() == recorded["at"]


def test_published_has_the_released_names_sizes_and_initial_grid():
    config = profile("elysium-7b")
    ours = build_selector(config)
    assert {name: tuple(value.shape) for name, value in ours.state_dict().items()} == {
        "pre_proj.weight": (1, 1024),
        "pre_proj.bias": (1,),
        "trans_weight": (576, 576),
        "trans_bias": (576,),
        "score_proj.weight": (108, 576),
        "score_proj.bias": (108,),
    }
    assert not ours.trans_weight.any()
    assert ours.trans_bias.nonzero().flatten().tolist() == list(range(0, 540, 5))
    assert ours(torch.randn(2, 576, 1024)).indices.tolist() == [list(range(0, 540, 5))] * 2


def test_published_grid_of_many_tokens_goes_round_again():
    grid = PublishedTSelector(64, 24, 8).trans_bias.nonzero().flatten().tolist()
    assert grid == sorted([*range(0, 64, 4), *range(1, 33, 4)])


def gate_gradient(kind: str) -> float:
    ours = selector(kind).train()
    patches, attention = seen()
    ours(patches, attention).tokens.square().sum().backward()
    return sum(float(weight.grad.abs().sum()) for weight in ours.parameters() if weight.grad is not None)


def test_gradient_reaches_the_gate_of_gated_and_not_of_published():
    patches, attention = seen()
    published = selector("published").train()
    assert not published(patches, attention).tokens.requires_grad
    assert gate_gradient("gated") > 0


def test_gated_hands_tokens_on_unchanged_and_in_order():
    patches, _ = seen()
    selected = selector("gated")(patches)
    for frame in range(3):
        assert torch.equal(selected.tokens[frame], patches[frame, selected.indices[frame]])


def test_the_gate_learns_where_the_answer_is():
    """One patch of 64 carries three numbers to tell, and wanders; four are kept, so chance finds it one time in 16."""
    torch.manual_seed(0)
    gate, read = GatedTSelector(4, 32, gumbel_noise=0.3), nn.Linear(32, 3)
    optimiser = torch.optim.Adam([*gate.parameters(), *read.parameters()], lr=1e-2)

    def batch(size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        patches, place, told = 0.3 * torch.randn(size, 64, 32), torch.randint(64, (size,)), torch.randn(size, 3)
        patches[torch.arange(size), place, 0] = 3.0  # the mark of the patch says nothing of the numbers
        patches[torch.arange(size), place, 1:4] = 2 * told
        return patches, place, told

    def found() -> float:
        patches, place, _ = batch(512)
        return float((gate.eval()(patches).indices == place[:, None]).any(1).float().mean())

    assert found() < 0.3
    for _ in range(150):
        patches, _, told = batch(64)
        loss = nn.functional.mse_loss(read(gate.train()(patches).tokens.sum(1)), told)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert found() > 0.95


def test_gumbel_noise_tries_other_patches_in_training_only():
    noisy = selector("gated", gumbel_noise=1.0)
    patches, _ = seen()
    assert torch.equal(noisy(patches).indices, noisy(patches).indices)
    noisy.train()
    assert not torch.equal(noisy(patches).indices, noisy(patches).indices)


def test_attention_keeps_what_the_vision_model_looks_at():
    patches, attention = seen(1)
    attention[..., 1 + 5] += 1
    attention[..., 1 + 60] += 2
    assert selector("attention", alpha=2 / N)(patches, attention).indices.tolist() == [[5, 60]]


@settings(max_examples=40)
@given(kind=st.sampled_from(KINDS), alpha=st.floats(1e-3, 1.0), frames=st.integers(1, 3))
def test_every_kind_gives_k_tokens_of_each_frame_by_itself(kind, alpha, frames):
    ours, count = selector(kind, alpha), SelectorConfig(kind=kind, alpha=alpha).num_selected(N)
    patches, attention = seen(frames)
    with torch.no_grad():
        selected, last = ours(patches, attention), ours(patches[-1:], attention[-1:])
    assert selected.tokens.shape == (frames, count, C)
    torch.testing.assert_close(selected.tokens[-1:], last.tokens, atol=1e-5, rtol=0)
    if kind in PICKING:
        assert selected.indices.shape == (frames, count)
        assert (selected.indices.diff(dim=1) > 0).all()
        assert selected.indices.min() >= 0 and selected.indices.max() < N
    else:
        assert selected.indices is None


def test_none_keeps_every_patch():
    patches, _ = seen()
    selected = selector("none", 1.0)(patches)
    assert torch.equal(selected.tokens, patches)
    assert selected.indices.tolist() == [list(range(N))] * 3


def test_concatenation_mixes_runs_that_cover_every_patch():
    patches, _ = seen(1)
    ours = selector("concat", alpha=10 / N)
    base = ours(patches).tokens
    for patch in range(N):
        changed = patches.clone()
        changed[0, patch] += 1
        assert not torch.equal(ours(changed).tokens, base)
    quarters = selector("concat", alpha=0.25)
    expected = quarters.mix(patches.reshape(1, 16, 4 * C))
    torch.testing.assert_close(quarters(patches).tokens, expected)


@pytest.mark.parametrize(("grid", "count"), [(8, 16), (8, 64), (24, 108), (10, 25), (8, 7), (8, 1), (3, 8)])
def test_pooling_tiles_the_image(grid, count):
    weights = pool_weights(grid, count)
    assert weights.shape == (count, grid * grid)
    torch.testing.assert_close(weights.sum(1), torch.ones(count))
    area = (weights > 0).sum(0)
    assert (area >= 1).all()  # every patch has a share somewhere
    if round(count**0.5) ** 2 == count and grid % round(count**0.5) == 0:
        image = torch.randn(1, 1, grid, grid)
        side = round(count**0.5)
        expected = nn.functional.adaptive_avg_pool2d(image, side).flatten()
        torch.testing.assert_close(weights @ image.flatten(), expected)


def test_equal_scores_still_keep_k_patches():
    ours = PublishedTSelector(N, 20, C)
    nn.init.zeros_(ours.trans_bias)
    indices = ours(torch.zeros(1, N, C)).indices[0]
    assert len(set(indices.tolist())) == 20 and (indices.diff() > 0).all()


def test_half_precision_keeps_the_same_patches_when_scores_differ_clearly():
    ours = PublishedTSelector(N, 16, C)
    nn.init.zeros_(ours.trans_weight)
    with torch.no_grad():
        ours.trans_bias.copy_(torch.randperm(N) / 8)
    patches, _ = seen()
    assert torch.equal(ours(patches).indices, ours.half()(patches.half()).indices)
