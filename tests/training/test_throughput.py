"""What the log says of a run's speed."""

import csv

import pytest
import torch
from tiny_training import IMAGES, MODEL, stage, tiny_checkpoint
from torch.utils.flop_counter import FlopCounterMode

from training.throughput import forward_flops
from training.trainer import Trainer


@torch.no_grad()
def test_flops_are_those_of_the_matrix_products_that_run():
    model = tiny_checkpoint().model
    with FlopCounterMode(display=False) as counter:
        hidden = model.language.hidden_states(torch.zeros(1, 50, 48), attend=lambda layer, q, k, v: q)
        model.language.lm_head(hidden[:, :7])
    assert forward_flops(model.config, frames=0, tokens=50, labels=7) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        model.vision(torch.zeros(3, 3, 48, 48))
    assert forward_flops(MODEL, frames=3, tokens=0, labels=0) == counter.get_total_flops()


def test_the_log_has_tokens_a_second_and_the_share_of_waiting_and_tensorboard_shows_it(tmp_path):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    config = stage(tmp_path, steps=2, clips=(IMAGES,), tensorboard=True)
    Trainer(config, "cpu").run()
    with (tmp_path / "out" / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(float(row["tokens_per_second"]) > 0 and 0 < float(row["data_wait"]) < 1 for row in rows)
    shown = events.EventAccumulator(str(tmp_path / "out" / "tensorboard")).Reload()
    assert [(item.step, item.value) for item in shown.Scalars("loss")] == [
        (int(row["step"]), pytest.approx(float(row["loss"]), rel=1e-5)) for row in rows
    ]
