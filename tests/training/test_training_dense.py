"""Dense targets against the masks, and a loss that falls."""

import numpy as np
import torch
from tiny_training import tiny_checkpoint

from training.data import normalise
from training.dense import DenseHead, dense_loss, dense_targets, gate_loss, patch_shares
from training.worlds import make_clip
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES


def test_shares_are_those_of_the_masks():
    clip = make_clip(4, frames=2, size=48)
    shares = patch_shares(clip, 6)
    masks = clip.masks.reshape(2, len(clip.objects), 6, 8, 6, 8).mean(axis=(3, 5))
    np.testing.assert_allclose(shares, masks.reshape(2, len(clip.objects), 36), atol=1e-6)


def test_targets_name_the_object_of_the_patch():
    checked = 0
    for seed in range(8):
        clip = make_clip(seed, frames=1, size=96)
        targets = dense_targets(clip, patch_shares(clip, 6))
        for patch in range(36):
            y, x = divmod(patch, 6)
            cell = clip.instances[0, 16 * y : 16 * y + 16, 16 * x : 16 * x + 16]
            counts = np.bincount(cell.ravel(), minlength=1 + len(clip.objects))
            if counts[1:].sum() == 0:
                assert targets.objectness[0, patch] == 0
                assert targets.attributes[0, patch].tolist() == [-100] * 4
            elif counts[1:].max() > 128:
                index = int(counts[1:].argmax())
                spec = clip.objects[index]
                assert targets.objectness[0, patch] == 1
                names = [COLOURS.index(spec.colour), SHAPES.index(spec.shape)]
                assert targets.attributes[0, patch, :2].tolist() == names
                np.testing.assert_allclose(96 * targets.boxes[0, patch], clip.boxes_xyxy[0, index], atol=1e-3)
                checked += 1
    assert checked > 20


def test_the_loss_falls_on_a_fixed_batch():
    torch.manual_seed(0)
    clip = make_clip(3, frames=4, size=48)
    targets = dense_targets(clip, patch_shares(clip, 6))
    vision = tiny_checkpoint().model.vision
    with torch.no_grad():
        patches = vision(normalise(torch.from_numpy(clip.frames).permute(0, 3, 1, 2))).patches
    head = DenseHead(32, 6)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        parts = dense_loss(head, patches, targets)
        parts["dense"].backward()
        optimizer.step()
        losses.append({name: value.item() for name, value in parts.items()})
    for name, value in losses[-1].items():
        assert value < 0.7 * losses[0][name], name


def test_the_best_patch_of_every_object_has_the_highest_gate_target():
    clip = make_clip(5, frames=3, size=64)
    shares = patch_shares(clip, 8)
    gate_targets = dense_targets(clip, shares).gate_targets.numpy()
    assert gate_targets.shape == (3, 64)
    for frame, object_ in zip(*np.nonzero(shares.max(axis=2) > 0), strict=True):
        assert gate_targets[frame, shares[frame, object_].argmax()] == 1
    assert not gate_targets[shares.max(axis=1) == 0].any()
    assert ((gate_targets == 0) | np.isclose(np.log2(np.where(gate_targets > 0, gate_targets, 1)) % 1, 0)).all()


def test_a_gate_that_selects_its_targets_has_the_lowest_loss():
    gate_targets = torch.tensor([[1.0, 0.5, 0.0, 0.5], [0.0, 0.0, 1.0, 0.0]])
    good = (gate_targets + 1e-4).log().log_softmax(-1)
    even = torch.zeros(2, 4).log_softmax(-1)
    assert (
        gate_loss(good, gate_targets) < gate_loss(even, gate_targets) < gate_loss((-good).log_softmax(-1), gate_targets)
    )
