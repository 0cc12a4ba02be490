"""The whole model: parity with transformers' own parts, images and video as one path, errors that say what to do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import clip_of, llama_of
from tiny_vitron import CONFIG, PLAIN, tiny_vitron
from torch import nn

from vitron_ros.errors import ModelError
from vitron_ros.model.config import RegionConfig, SelectorConfig
from vitron_ros.model.prompts import ImageSegment, Prompt, RegionSegment, TextSegment
from vitron_ros.model.region import MarkedRegion
from vitron_ros.model.vitron import VitronModel
from vitron_ros.region import Region


def frames(count: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, 48, 80, 3), np.uint8))


def prompt_for(images: int, *, regions: int = 0) -> Prompt:
    segments = [TextSegment((1, 7, 9))]
    for index in range(images):
        segments += [ImageSegment(index), TextSegment((11 + index,))]
    segments += [RegionSegment(index) for index in range(regions)]
    return Prompt((*segments, TextSegment((5, 6))))


def box(frame: int = 0) -> MarkedRegion:
    return MarkedRegion(region=Region.from_box([10, 10, 40, 30]), width=80, height=48, frame=frame)


def test_the_whole_forward_equals_transformers_own_parts():
    """CLIPVisionModel, an MLP and LlamaForCausalLM on inputs_embeds, with the same weights."""
    torch.manual_seed(0)
    clip, llama = clip_of(PLAIN), llama_of(PLAIN.language)
    mlp = nn.Sequential(nn.Linear(32, 48), nn.GELU(), nn.Linear(48, 48))
    ours = tiny_vitron(PLAIN)
    clip_state = {key.replace("encoder.layers", "layers"): value for key, value in clip.state_dict().items()}
    ours.vision.load_state_dict(clip_state, strict=False)
    ours.projector.load_state_dict(mlp.state_dict())
    ours.language.load_state_dict(llama.state_dict())
    pixels = ours.pixels(frames(3))
    with torch.no_grad():
        features = clip(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        visual = mlp(features)
        parts = []
        for segment in prompt_for(3).segments:
            if isinstance(segment, TextSegment):
                parts.append(llama.get_input_embeddings()(torch.tensor(segment.token_ids)))
            else:
                parts.append(visual[segment.index])
        theirs = llama(inputs_embeds=torch.cat(parts)[None]).logits[0]
        logits = ours(prompt_for(3), pixels)
    assert logits.shape == (3 + 3 * 65 + 2, 400)
    torch.testing.assert_close(logits, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["gated", "published", "concat", "cross_attention", "pool", "attention"])
def test_every_selector_answers(kind):
    model = tiny_vitron(replace(CONFIG, selector=SelectorConfig(kind=kind, alpha=0.25)))
    pixels = model.pixels(frames(2))
    with torch.no_grad():
        visual = model.visual_tokens(model.features(pixels))
        logits = model(prompt_for(2), pixels)
    assert visual.tokens.shape == (2, 16, 48)
    assert (visual.indices is None) == (kind in ("concat", "cross_attention", "pool"))
    assert logits.shape == (3 + 2 * 17 + 2, 400) and torch.isfinite(logits).all()


class Encoder(nn.Module):
    """What an engine is built from: pixels to visual tokens."""

    def __init__(self, model: VitronModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.model.encode_frames(pixels)


@pytest.mark.parametrize("kind", ["gated", "cross_attention", "pool"])
def test_the_number_of_frames_stays_free_in_an_exported_graph(kind):
    """len(pixels) fixes it, and a tensor that is made while tracing and kept breaks the next call."""
    encoder = Encoder(tiny_vitron(replace(CONFIG, selector=SelectorConfig(kind=kind, alpha=0.25)))).eval()
    pixels, free = torch.randn(5, 3, 64, 64), {0: torch.export.Dim("frames", min=1, max=8)}
    graph = torch.export.export(encoder, (pixels[:2],), dynamic_shapes=(free,), strict=False).module()
    with torch.no_grad():
        for count in (1, 5):
            torch.testing.assert_close(graph(pixels[:count]), encoder(pixels[:count]), atol=1e-5, rtol=1e-5)


def test_an_image_is_a_video_of_one_frame():
    model = tiny_vitron()
    pixels = model.pixels(frames(3))
    with torch.no_grad():
        together = model.encode_frames(pixels)
        alone = torch.cat([model.encode_frames(pixel[None]) for pixel in pixels])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_video_averaged_over_time_is_one_set_of_tokens():
    model = tiny_vitron(replace(PLAIN, temporal="average"))
    pixels = model.pixels(frames(4))
    with torch.no_grad():
        tokens = model.encode_frames(pixels)
        features = model.features(pixels)
        expected = model.projector(features.patches.mean(0))
    assert tokens.shape == (1, 64, 48)
    torch.testing.assert_close(tokens[0], expected)


def test_an_average_over_time_selects_by_attention_too():
    model = tiny_vitron(replace(CONFIG, selector=SelectorConfig(kind="attention", alpha=0.25), temporal="average"))
    assert model.encode_frames(model.pixels(frames(4))).shape == (1, 16, 48)


def test_a_video_tower_sees_videos_and_the_image_tower_images():
    video = replace(PLAIN.vision, time_frames=4)
    model = tiny_vitron(replace(PLAIN, video=video, region=RegionConfig(kind="none")))
    pixels = model.pixels(frames(4))
    with torch.no_grad():
        torch.testing.assert_close(model.features(pixels).patches, model.video(pixels).patches)
        torch.testing.assert_close(model.features(pixels[:1]).patches, model.vision(pixels[:1]).patches)


def test_region_tokens_take_their_place_in_the_prompt():
    model = tiny_vitron()
    features = model.features(model.pixels(frames(2)))
    regions = model.region_tokens(features, [box(0), box(1)])
    visual = model.visual_tokens(features).tokens
    embeds = model.splice(prompt_for(2, regions=2), visual, regions)
    assert embeds.shape == (3 + 2 * 17 + 2 * 2 + 2, 48)
    assert torch.equal(embeds[3 : 3 + 16], visual[0])
    assert torch.equal(embeds[37:41], regions.flatten(0, 1))
    assert torch.equal(embeds[-2:], model.language.embed(torch.tensor([[5, 6]]))[0])
    assert model(prompt_for(2, regions=2), model.pixels(frames(2)), [box(0), box(1)]).shape == (43, 400)


def test_a_prompt_may_be_text_alone():
    assert tiny_vitron()(Prompt((TextSegment((1, 2, 3)),))).shape == (3, 400)


def test_gradient_reaches_every_part_in_training():
    model = tiny_vitron().train()
    logits = model(prompt_for(2, regions=1), model.pixels(frames(2)), [box()])
    nn.functional.cross_entropy(logits[:-1], torch.randint(400, (len(logits) - 1,))).backward()
    untouched = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    # A key's bias adds the same to every score of a query, and softmax does not see it.
    assert [name for name in untouched if not name.endswith("k_proj.bias")] == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    full, half = tiny_vitron(PLAIN), tiny_vitron(PLAIN).to(dtype)
    pixels = full.pixels(frames(2))
    with torch.no_grad():
        a, b = full(prompt_for(2, regions=1), pixels, [box()]), half(prompt_for(2, regions=1), pixels, [box()])
    assert b.dtype == dtype
    assert (a - b.float()).abs().max() < 0.05 * a.abs().max()


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m: m.pixels([]), "there are no frames; give at least one"),
        (lambda m: m.pixels(frames(9)), "9 frames are more than the 8 .* sample fewer or split"),
        (lambda m: m.features(torch.zeros(0, 3, 64, 64)), "there are no frames"),
        (lambda m: m.features(torch.zeros(9, 3, 64, 64)), "9 frames are more than the 8"),
        (lambda m: m.features(torch.zeros(1, 3, 48, 80)), r"pixels are \(frames, 3, 64, 64\)"),
        (lambda m: m.splice(Prompt(())), "the prompt is empty"),
        (lambda m: m.splice(prompt_for(1)), "the prompt names image 0, but there are 0 images"),
        (lambda m: m.splice(prompt_for(3), torch.zeros(2, 16, 48)), "the prompt names image 2, but there are 2"),
        (lambda m: m.splice(prompt_for(0, regions=1)), "the prompt names region 0, but there are 0 regions"),
        (lambda m: m.splice(Prompt((TextSegment((1,) * 513),))), "a prompt of 513 tokens with 0 images"),
        (
            lambda m: m.splice(prompt_for(40), torch.zeros(40, 16, 48)),
            "685 tokens with 40 images of 16 exceeds the context of 512; give fewer frames",
        ),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(ask, sentence):
    with pytest.raises(ModelError, match=sentence):
        ask(tiny_vitron())


def test_a_model_without_regions_says_so():
    model = VitronModel(replace(CONFIG, region=RegionConfig(kind="none")))
    with pytest.raises(ModelError, match="takes no regions; give the box as text"):
        model.region_tokens(model.features(model.pixels(frames(1))), [box()])
