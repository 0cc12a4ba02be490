"""The mean of several checkpoints' weights, to ship."""

import pytest
import torch
from tiny_training import stage

from training.averaging import average, load_mean
from training.trainer import Trainer
from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import from_pretrained


def test_models_of_different_shapes_have_no_mean():
    one, other = torch.nn.Linear(3, 4), torch.nn.Linear(3, 5)
    with pytest.raises(ModelError, match="different shapes"):
        average(one, [other])


def test_a_mean_lies_between_the_checkpoints_that_it_is_of(tmp_path):
    one = Trainer(stage(tmp_path, "one", steps=1), "cpu").run()
    two = Trainer(stage(tmp_path, "two", steps=2, start=str(tmp_path / "one")), "cpu").run()
    mean = dict(load_mean(two, [one]).model.named_parameters())
    weights = [dict(from_pretrained(path).named_parameters()) for path in (one, two)]
    moved = [name for name in weights[0] if not torch.equal(weights[0][name], weights[1][name])]
    assert moved
    for name in weights[0]:
        torch.testing.assert_close(mean[name], (weights[0][name] + weights[1][name]) / 2)
