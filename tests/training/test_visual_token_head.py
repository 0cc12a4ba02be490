"""The visual-token loss falls to its floor where tokens encode the targets, not where they do not."""

import pytest
import torch
from tiny_training import tiny_checkpoint

from training.dense import ATTRIBUTES, DenseTargets
from training.losses import soft_coordinates
from training.visual_token_head import VisualTokenHead, visual_token_loss

FRAMES, PATCHES, SELECTED, WIDTH = 6, 16, 4, 24
SIGMA = 0.5


def scene() -> tuple[torch.Tensor, DenseTargets]:
    """Kept patches, and targets in which every patch shows an object of its own."""
    draw = torch.Generator().manual_seed(0)
    boxes = torch.rand(FRAMES, PATCHES, 4, generator=draw)
    counts = [len(names) for names in ATTRIBUTES.values()]
    attributes = torch.stack([torch.randint(n, (FRAMES, PATCHES), generator=draw) for n in counts], dim=-1)
    objectness = torch.ones(FRAMES, PATCHES, dtype=torch.int64)
    objectness[:, 0] = 0
    indices = torch.tensor([[0, 3, 7, 11]]).expand(FRAMES, -1)
    unknown = torch.full((FRAMES, PATCHES, 6), torch.nan)
    object_ids = torch.zeros(FRAMES, PATCHES, dtype=torch.int64)
    return indices, DenseTargets(objectness, boxes, attributes, torch.zeros(FRAMES, PATCHES), object_ids, unknown)


def learn(tokens: torch.Tensor, indices: torch.Tensor, targets: DenseTargets, steps: int = 150) -> float:
    torch.manual_seed(0)
    tokenizer = tiny_checkpoint().tokenizer
    head = VisualTokenHead(WIDTH, tokenizer)
    embeddings = torch.nn.Parameter(torch.randn(tokenizer.size, WIDTH) * 0.3)
    ids = torch.tensor([numbers[0] for numbers in tokenizer.number_ids()])
    optimizer = torch.optim.Adam([*head.parameters(), embeddings], lr=0.02)
    for _ in range(steps):
        loss = visual_token_loss(head, tokens, indices, targets, embeddings, ids, soft_coordinates(SIGMA))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_what_a_token_encodes_is_learned_and_nothing_else():
    indices, targets = scene()
    informative = torch.randn(
        FRAMES, SELECTED, WIDTH, generator=torch.Generator().manual_seed(1)
    )  # each token is another
    told, hidden = learn(informative, indices, targets), learn(torch.ones_like(informative), indices, targets)
    floor = float(-(soft_coordinates(SIGMA) * (soft_coordinates(SIGMA) + 1e-12).log()).sum(-1).mean())
    assert told < floor + 0.3
    assert hidden > floor + 2


def test_background_tokens_do_not_count():
    indices, targets = scene()
    tokens = torch.randn(FRAMES, SELECTED, WIDTH, generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 0] += 5  # patch 0 shows no object
    assert learn(tokens, indices, targets, 3) == pytest.approx(learn(changed, indices, targets, 3), abs=1e-6)
