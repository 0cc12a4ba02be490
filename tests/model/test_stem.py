"""The convolutional stem: shapes, what it refuses, and checkpoints that keep the statistics of its norms."""

from dataclasses import replace

import pytest
import torch
from tiny_vitron import CONFIG

from vitron_ros.errors import ConfigError
from vitron_ros.model.checkpoint import from_pretrained, save_pretrained
from vitron_ros.model.stem import ConvStem
from vitron_ros.model.vitron import VitronModel


def config():
    return replace(CONFIG, vision=replace(CONFIG.vision, stem="convolutions", image_size=32, patch_size=8))


@pytest.mark.parametrize(("patch", "width"), ((4, 16), (8, 16), (16, 32)))
def test_one_patch_a_cell(patch, width):
    stem = ConvStem(width, patch).eval()
    assert stem(torch.randn(2, 3, 4 * patch, 5 * patch)).shape == (2, width, 4, 5)


@pytest.mark.parametrize(("patch", "width"), ((14, 64), (2, 64), (12, 64), (32, 8)))
def test_patches_that_halving_cannot_reach_are_refused(patch, width):
    with pytest.raises(ConfigError, match="power of two"):
        ConvStem(width, patch)


def test_a_patch_sees_beyond_its_own_pixels():
    stem = ConvStem(16, 8).eval()
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    stem(image)[0, :, 1, 1].sum().backward()
    seen = image.grad[0].abs().sum(0) > 0
    assert seen[8:16, 8:16].any() and seen[16:, 8:16].any()


def test_a_checkpoint_keeps_the_statistics_of_the_norms(tmp_path):
    torch.manual_seed(0)
    model = VitronModel(config())
    pixels = torch.rand(4, 3, 32, 32) * 3 + 1
    for _ in range(3):
        model.train().encode_frames(pixels)  # moves the running statistics
    model.eval()
    save_pretrained(model, tmp_path)
    loaded = from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded.encode_frames(pixels), model.encode_frames(pixels), rtol=0, atol=0)
    fresh = VitronModel(config()).eval()
    fresh.load_state_dict(model.state_dict())
    for name, value in fresh.named_buffers():
        if "running" in name:
            value.copy_(torch.ones_like(value))
    assert not torch.allclose(fresh.encode_frames(pixels), model.encode_frames(pixels))


def test_one_frame_is_seen_as_among_others():
    torch.manual_seed(0)
    model = VitronModel(config()).eval()
    pixels = torch.rand(3, 3, 32, 32)
    together = model.encode_frames(pixels)
    for index in range(3):
        torch.testing.assert_close(model.encode_frames(pixels[index : index + 1])[0], together[index])
