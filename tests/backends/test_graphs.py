"""ModelBackends of a model as graphs: they compute what the model computes."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.backends.small_models import ATTENTION, AVERAGED, GATED, POOL, PUBLISHED, small_model
from vitron_ros.backends.graphs import build_graph, fingerprint
from vitron_ros.errors import EngineError
from vitron_ros.model.preprocess import mask_from_region
from vitron_ros.model.region import MarkedRegion
from vitron_ros.region import Region


def named(graph, outputs):
    return dict(zip((spec.name for spec in graph.outputs), outputs, strict=True))


@torch.no_grad()
@pytest.mark.parametrize("config", [GATED, PUBLISHED, ATTENTION, POOL], ids=lambda config: config.name)
def test_frames_are_features_and_visual_tokens(config):
    model = small_model(config)
    graph = build_graph(model, "frames", levels=True)
    pixels = torch.randn(3, 3, 48, 48)
    outputs = named(graph, graph.module(pixels))
    features = model.features(pixels)
    visual = model.visual_tokens(features)
    assert torch.equal(outputs["tokens"], visual.tokens)
    assert torch.equal(outputs["patches"], features.patches)
    if visual.indices is None:
        assert "indices" not in outputs
    else:
        assert torch.equal(outputs["indices"], visual.indices)
    levels = [outputs[f"level.{level}"] for level in config.region_levels]
    assert all(map(torch.equal, levels, features.levels))
    for spec, value in zip(graph.outputs, graph.module(pixels), strict=True):
        assert spec.at({"frames": 3}) == tuple(value.shape) and spec.dtype == value.dtype, spec.name


@torch.no_grad()
def test_regions_on_the_levels_of_the_frames_graph():
    model = small_model(GATED)
    features = model.features(torch.randn(3, 3, 48, 48))
    boxes = [(10.0, 5.0, 40.0, 30.0), (0.0, 0.0, 64.0, 48.0)]
    marked = [
        MarkedRegion(region=Region.from_box(box), width=64, height=48, frame=frame)
        for box, frame in zip(boxes, (2, 0), strict=True)
    ]
    graph = build_graph(model, "region")
    (tokens,) = graph.module(
        torch.tensor([2, 0]),
        torch.stack([mask_from_region(each.region, 64, 48, GATED.vision) for each in marked]),
        torch.from_numpy(np.array(boxes) / [64, 48, 64, 48]).float(),
        *features.levels,
    )
    assert torch.allclose(tokens, model.region_tokens(features, marked), atol=1e-6)


def memory_inputs(cache, slots):
    """The first slots of a cache's row as inputs of prefill and decode."""
    layers = zip(cache.keys, cache.values, strict=True)
    return [part[:1, :, :slots].contiguous() for layer in layers for part in layer]


@torch.no_grad()
def test_prefill_and_decode_over_a_cache_are_the_language_model():
    language = small_model(GATED).language
    prefill, decode = (build_graph(small_model(GATED), part) for part in ("prefill", "decode"))
    embeds = torch.randn(9, 32)
    ids = torch.tensor([[3, 4, 5]])
    cache, own = (language.new_cache(rows=1, capacity=20) for _ in range(2))

    def write(outputs, start, count):
        for layer in range(2):
            own.keys[layer][:, :, start : start + count] = outputs[f"new_keys.{layer}"]
            own.values[layer][:, :, start : start + count] = outputs[f"new_values.{layer}"]

    for first, last in ((0, 6), (6, 9)):  # a prompt in two pieces: the second stands behind the first
        expected = language.prefill(embeds[first:last], cache, 0, keep=2)
        cache.advance(0, last - first)
        memory = memory_inputs(own, 21)
        take = torch.tensor([last - first - 2, last - first - 1])
        outputs = named(prefill, prefill.module(embeds[None, first:last], take, torch.tensor([first]), *memory))
        write(outputs, first, last - first)
        assert torch.allclose(outputs["logits"][0], expected, atol=1e-5)
    expected = language.decode(ids, cache.decode([3]), cache)
    outputs = named(decode, decode.module(ids, torch.tensor([9]), *memory_inputs(own, 21)))
    write(outputs, 9, 3)
    assert torch.allclose(outputs["logits"], expected, atol=1e-5)
    for layer in range(2):
        assert torch.allclose(own.keys[layer], cache.keys[layer], atol=1e-5)
        assert torch.allclose(own.values[layer], cache.values[layer], atol=1e-5)


@torch.no_grad()
def test_rows_of_different_lengths_see_their_own_slots_alone():
    model = small_model(GATED)
    decode = build_graph(model, "decode")
    memory = [torch.randn(2, 2, 12, GATED.language.head_dim) for _ in range(4)]
    ids, lengths = torch.tensor([[1, 2], [3, 4]]), torch.tensor([0, 7])
    logits = decode.module(ids, lengths, *memory)[0]
    spoiled = [tensor.clone() for tensor in memory]
    for tensor in spoiled:
        tensor[0], tensor[1, :, 7:] = 9.0, 9.0
    assert torch.equal(decode.module(ids, lengths, *spoiled)[0], logits)
    alone = model.language(model.language.embed(ids[:1]))
    assert torch.allclose(logits[0], alone[0], atol=1e-5)


@pytest.mark.parametrize(
    ("config", "part", "words"),
    [
        (AVERAGED, "frames", "averaged encodes a clip by another way than frame by frame"),
        (replace(GATED, region=replace(GATED.region, kind="none")), "region", "takes no regions"),
        (GATED, "encoder", "there is no part 'encoder'; there are frames, vision, region, prefill, decode"),
    ],
)
def test_what_cannot_be_a_graph(config, part, words):
    with pytest.raises(EngineError, match=words):
        build_graph(small_model(config), part)


def test_a_model_in_training_is_refused():
    from vitron_ros.model.vitron import VitronModel

    with pytest.raises(EngineError, match=r"call eval\(\) first"):
        build_graph(VitronModel(GATED).train(), "frames")


def test_a_fingerprint_follows_the_weights_and_nothing_else():
    first, other = small_model(GATED), small_model(GATED, seed=1)
    assert fingerprint(first) == fingerprint(first)
    assert fingerprint(first) != fingerprint(other)
    halves = [torch.nn.Linear(3, 2).half(), torch.nn.Linear(3, 2)]
    halves[1].load_state_dict(halves[0].state_dict())
    assert fingerprint(halves[0]) == fingerprint(halves[1])
