"""The vision encoder against transformers' own."""

from dataclasses import replace

import pytest
import torch
from tiny_vitron import VISION
from transformers import CLIPVisionConfig, CLIPVisionModel

from vitron_ros.errors import ModelError
from vitron_ros.model.config import VisionConfig, profile
from vitron_ros.model.vision import VisionEncoder


def clip_and_ours(config: VisionConfig = VISION) -> tuple[CLIPVisionModel, VisionEncoder]:
    """transformers' whole model, and ours with its weights."""
    torch.manual_seed(0)
    clip = CLIPVisionModel(
        CLIPVisionConfig(
            image_size=config.image_size,
            patch_size=config.patch_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            hidden_act=config.activation,
            attn_implementation="eager",
        )
    ).eval()
    state = {key.replace("encoder.layers", "layers"): value for key, value in clip.state_dict().items()}
    ours = VisionEncoder(config).eval()
    assert ours.load_state_dict(state, strict=False).missing_keys == []
    return clip, ours


@pytest.mark.parametrize("layer", [-1, -2, -4])
def test_patches_are_the_hidden_state_without_the_class_token(layer):
    config = replace(VISION, layer=layer)
    clip, ours = clip_and_ours(config)
    pixels = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        states = clip(pixels, output_hidden_states=True).hidden_states
        features = ours(pixels, levels=range(1, config.used_layers + 1))
    torch.testing.assert_close(features.patches, states[layer][:, 1:], atol=1e-5, rtol=0)
    for level, ours_at_level in enumerate(features.levels, start=1):
        torch.testing.assert_close(ours_at_level, states[level][:, 1:], atol=1e-5, rtol=0)


def test_attention_is_that_of_the_last_layer_that_is_run():
    clip, ours = clip_and_ours()
    pixels = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        theirs = clip(pixels, output_attentions=True).attentions[VISION.used_layers - 1]
        torch.testing.assert_close(ours(pixels, attention=True).attention, theirs, atol=1e-6, rtol=0)
    assert ours(pixels).attention is None


def test_layers_after_the_used_one_are_not_built():
    assert len(VisionEncoder(replace(VISION, layer=-4)).layers) == 1


def test_clip_large_is_built_without_memory():
    with torch.device("meta"):
        encoder = VisionEncoder(profile("elysium-7b").vision)
    assert encoder.pre_layrnorm.weight.is_meta and not encoder.embeddings.position_ids.is_meta
    # The vision model of openai/clip-vit-large-patch14-336, less its layer 24 and last norm.
    layer = 4 * (1024 * 1024 + 1024) + 2 * 1024 * 4096 + 4096 + 1024 + 4 * 1024
    assert sum(weight.numel() for weight in encoder.parameters()) == 303_507_456 - layer - 2048


def test_a_video_model_lets_frames_see_each_other():
    config = replace(VISION, time_frames=4)
    torch.manual_seed(0)
    encoder = VisionEncoder(config).eval()
    pixels = torch.randn(4, 3, 64, 64)
    changed = pixels.clone()
    changed[3] += 1
    with torch.no_grad():
        first, second = encoder(pixels).patches, encoder(changed).patches
    assert not torch.allclose(first[0], second[0], atol=1e-4)
    with pytest.raises(ModelError, match="exactly 4 frames at once, these are 3"):
        encoder(pixels[:3])


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        ((2, 3, 32, 64), r"pixels are \(frames, 3, 64, 64\) for this model, these are \(2, 3, 32, 64\)"),
        ((2, 1, 64, 64), "prepare images with pixels_from_images"),
        ((3, 64, 64), "pixels are"),
        ((0, 3, 64, 64), "there are no frames"),
    ],
)
def test_pixels_of_a_wrong_shape_are_refused(shape, sentence):
    with pytest.raises(ModelError, match=sentence):
        VisionEncoder(VISION)(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_takes_float32_pixels(dtype):
    _, ours = clip_and_ours()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        full, half = ours(pixels).patches, ours.to(dtype)(pixels).patches
    assert half.dtype == dtype
    torch.testing.assert_close(half.float(), full, atol=0.1, rtol=0.1)
