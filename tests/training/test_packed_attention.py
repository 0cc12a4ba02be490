"""Both kinds of attention of packed questions see the same tokens."""

import random

import pytest
import torch
from torch.nn.attention.flex_attention import create_mask

from training.packed_attention import BlockAttention, FlexAttention


def random_segments(seed: int) -> torch.Tensor:
    """Segments (R, S) of rows with a prefix, up to four questions and padding."""
    rng = random.Random(seed)
    rows = []
    for _ in range(rng.randint(1, 4)):
        row = [0] * rng.randint(1, 6)
        for question in range(1, rng.randint(1, 5)):
            row += [question] * rng.randint(1, 5)
        rows.append(row)
    width = max(map(len, rows)) + rng.randint(0, 2)
    return torch.tensor([row + [-1] * (width - len(row)) for row in rows])


def visible(segments: torch.Tensor) -> torch.Tensor:
    """What each token attends to, (T, T): the prefix of its row, and causally its own question."""
    places = (segments >= 0).nonzero().tolist()
    own = [int(segments[row, column]) for row, column in places]
    return torch.tensor(
        [
            [r == q_row and c <= q_column and own[key] in (0, own[query]) for key, (r, c) in enumerate(places)]
            for query, (q_row, q_column) in enumerate(places)
        ]
    )


def test_masks_are_equal():
    for seed in range(30):
        segments = random_segments(seed)
        mask = visible(segments)
        tokens = len(mask)
        zeros, ones = torch.zeros(1, tokens, 1, tokens), torch.eye(tokens)[None, :, None]
        paid = BlockAttention(segments)(0, zeros, zeros, ones)[0, :, 0]  # uniform over what is seen
        assert torch.equal(paid > 0, mask), seed
        flex = FlexAttention(segments)
        assert torch.equal(create_mask(flex.mask.mask_mod, None, None, tokens, tokens, device="cpu")[0, 0], mask), seed


@torch.no_grad()
@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("kv_heads", [1, 4])
def test_outputs_and_recorded_heads_are_equal(kv_heads):
    segments = random_segments(5)
    tokens = int((segments >= 0).sum())
    q = torch.randn(1, tokens, 4, 16)
    k, v = torch.randn(2, 1, tokens, kv_heads, 16).unbind()
    blocks, flex = BlockAttention(segments, [0]), FlexAttention(segments, [0])
    torch.testing.assert_close(flex(0, q, k, v), blocks(0, q, k, v))
    for ours, theirs in zip(blocks.heads[0], flex.heads[0], strict=True):
        assert torch.equal(ours, theirs)
        assert torch.equal(ours[segments >= 0], (q if ours.shape[2] == 4 else k)[0]) or kv_heads == 4


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gradients_are_equal_on_a_gpu():
    segments = random_segments(5)
    tokens = int((segments >= 0).sum())
    q, k, v = (torch.randn(1, tokens, 4, 64, device="cuda", requires_grad=True) for _ in range(3))
    found = []
    for kind in (BlockAttention, FlexAttention):
        out = kind(segments.cuda())(0, q, k, v)
        found.append((out, *torch.autograd.grad(out.square().sum(), (q, k, v))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-3, rtol=2e-3)
