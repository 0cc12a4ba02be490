"""The projector against the same layers by hand."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from tiny_vitron import CONFIG

from vitron_ros.model.config import ProjectorConfig
from vitron_ros.model.projector import build_projector


def test_mlp2x_gelu_is_linear_exact_gelu_linear():
    projector = build_projector(CONFIG)
    weights = projector.state_dict()
    assert list(weights) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    x = torch.randn(2, 5, 32)
    hidden = F.gelu(x @ weights["0.weight"].T + weights["0.bias"], approximate="none")
    torch.testing.assert_close(projector(x), hidden @ weights["2.weight"].T + weights["2.bias"])


@pytest.mark.parametrize("kind", ["mlp2x_gelu", "linear"])
def test_channels_of_the_language_model_come_out(kind):
    projector = build_projector(replace(CONFIG, projector=ProjectorConfig(kind=kind)))
    assert projector(torch.zeros(1, 3, 32)).shape == (1, 3, 48)
