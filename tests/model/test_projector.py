"""The projector against what the released code gave."""

from dataclasses import replace

import pytest
import torch
from released import RELEASED, wave, with_waves
from tiny_vitron import CONFIG

from vitron_ros.model.config import ProjectorConfig
from vitron_ros.model.projector import build_projector


def test_mlp2x_gelu_is_that_of_the_released_code():
    projector = with_waves(build_projector(CONFIG))
    assert list(projector.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    expected = torch.tensor(RELEASED["projector"]).reshape(2, 8)
    torch.testing.assert_close(projector(wave((2, 32), 3))[:, :8], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", ["mlp2x_gelu", "linear"])
def test_channels_of_the_language_model_come_out(kind):
    projector = build_projector(replace(CONFIG, projector=ProjectorConfig(kind=kind)))
    assert projector(torch.zeros(1, 3, 32)).shape == (1, 3, 48)
