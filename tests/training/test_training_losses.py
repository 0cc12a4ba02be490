"""Soft targets, smooth embeddings, and losses."""

import pytest
import torch
import torch.nn.functional as F

from training.losses import NUMBERS, coordinate_loss, fourier_embeddings, soft_coordinates, text_loss


@pytest.mark.parametrize("sigma", [0.01, 0.5, 1.5, 10.0])
def test_soft_numbers_sum_to_one_and_peak_at_the_number(sigma):
    soft = soft_coordinates(sigma)
    torch.testing.assert_close(soft.sum(1), torch.ones(NUMBERS))
    assert soft.argmax(1).tolist() == list(range(NUMBERS))


def test_neighbours_of_a_number_weigh_less_with_distance():
    row = soft_coordinates(2.0)[50]
    assert (row[50:60].diff() < 0).all() and torch.equal(row[40:50], row[51:61].flip(0))


def test_number_loss_prefers_a_near_miss_and_hardens_to_cross_entropy():
    ids = torch.arange(NUMBERS) + 7
    labels = ids[[50]]

    def loss(said: int, sigma: float) -> float:
        logits = torch.zeros(1, 150)
        logits[0, ids[said]] = 8.0
        return float(coordinate_loss(logits, labels, ids, soft_coordinates(sigma)))

    assert loss(50, 1.0) < loss(51, 1.0) < loss(53, 1.0) < loss(70, 1.0) + 1e-6
    logits = torch.randn(1, 150, generator=torch.Generator().manual_seed(0))
    hard = F.cross_entropy(logits, labels)
    torch.testing.assert_close(coordinate_loss(logits, labels, ids, soft_coordinates(0.01)), hard)
    torch.testing.assert_close(text_loss(logits, labels), hard)


def test_embeddings_of_near_numbers_are_near():
    table = F.normalize(fourier_embeddings(192, 0.02, torch.Generator().manual_seed(0)), dim=1)
    near = (table[:-1] * table[1:]).sum(1)
    far = (table[:50] * table[51:]).sum(1)
    assert near.min() > far.max()
    # Smooth, and yet each number is its own best match.
    assert (table @ table.T).argmax(1).tolist() == list(range(NUMBERS))
