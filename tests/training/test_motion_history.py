"""Motion-history targets follow from the frames so far, and only the layers before the head get gradients from them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import VIDEOS, stage

from training.config import LossWeightsConfig
from training.data import Batches
from training.motion_history import MotionHistoryHead, motion_history_loss, motion_history_targets
from training.trainer import Trainer
from training.worlds import make_clip

SIDE = 48


def passing(visible: list[float], x: list[float], pan: float = 0.0):
    """A clip of one object at those places, the camera moving by `pan` px a frame."""
    clip = make_clip(3, frames=len(visible), size=SIDE)
    centre, count = np.array(x), len(visible)
    box = np.stack([centre - 4, np.full(count, 10.0), centre + 4, np.full(count, 20.0)], axis=1)[:, None]
    world = np.stack([(centre + pan * np.arange(count)) / SIDE, np.zeros(count)], axis=1)[:, None]
    return replace(
        clip,
        objects=clip.objects[:1],
        full_boxes_xyxy=box,
        visible=np.array(visible)[:, None],
        world_centers=world,
    )


def test_displacements_count_from_the_first_appearance():
    targets = motion_history_targets(passing([0.0, 1.0, 1.0, 0.0, 1.0], [6, 12, 18, 24, 30], pan=-6))[:, 0]
    assert np.isnan(targets[:2]).tolist() == [[True] * 6, [False] * 6]  # not seen yet; seen for the first time
    assert targets[1:, 0].tolist() == pytest.approx([0, 6 / SIDE, 12 / SIDE, 18 / SIDE])
    assert targets[1:, 1].tolist() == [0.0] * 4
    assert targets[1:, 2].tolist() == pytest.approx([0.0] * 4, abs=1e-7)  # it stands still, the camera goes
    assert targets[1:, 4].tolist() == [1.0] * 4  # was not there at first
    assert targets[1:, 5].tolist() == [0.0, 0.0, 1.0, 1.0]  # hidden in frame 3


def test_an_object_of_the_first_frame_did_not_enter_late_and_that_frame_has_no_history():
    targets = motion_history_targets(passing([1.0, 0.2, 1.0], [6, 7, 8]))[:, 0]
    assert np.isnan(targets[0]).all()
    assert targets[1:, 4:].tolist() == [[0.0, 0.0]] * 2  # half hidden is not gone


def test_unknown_targets_do_not_count():
    torch.manual_seed(0)
    head, states = MotionHistoryHead(8), torch.randn(5, 8)
    targets = torch.rand(5, 6).round()
    whole, count = motion_history_loss(head, states, targets)
    assert count == 5
    targets[3:] = float("nan")
    part, count = motion_history_loss(head, states, targets)
    assert count == 3
    assert 0 < part.item() < whole.item()
    rest, count = motion_history_loss(head, states[3:], targets[3:])
    assert (rest.item(), count) == (0.0, 0)


def test_the_first_layers_learn_it_and_the_loss_falls(tmp_path):
    none = LossWeightsConfig(text=0, coordinate=0, pointer=0, motion_history=1)
    config = stage(tmp_path, loss_weights=none, clips=(replace(VIDEOS, frames=4),), steps=26, learning_rate=1e-2)
    trainer = Trainer(config, "cpu")
    model = trainer.checkpoint.model
    batch = Batches(config, model.config, trainer.checkpoint.prompts, model.region.tokens_per_region)[0]
    trainer.module(batch).total.backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.language.model.layers[0].parameters())
    assert model.language.model.norm.weight.grad is None or not model.language.model.norm.weight.grad.any()
    trainer.optimizers.step(0.0)
    first = float(trainer.module(batch).terms["motion_history"])
    for _ in range(25):
        trainer.module(batch).total.backward()
        trainer.optimizers.step(1e-2)
    assert float(trainer.module(batch).terms["motion_history"]) < 0.75 * first
