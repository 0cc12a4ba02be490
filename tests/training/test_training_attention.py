"""Taught attention: the loss is that of the attention the layer really pays, and lessening it moves that attention."""

import copy
import math

import pytest
import torch
from test_training_packing import ask
from tiny_training import IMAGES, VIDEOS, tiny_checkpoint

from training.attention import attention_loss, layer_inputs, shown_tokens, taught_layers
from training.data import normalise
from training.packing import embed
from vitron_ros.model import language as language_module


def seen(kind):
    """Packs, the visual tokens of their clips, and the embeddings."""
    model = tiny_checkpoint().model.eval()
    clips, _, packs = ask(kind, (1, 2, 5))
    pixels = normalise(torch.cat([torch.from_numpy(clip.frames).permute(0, 3, 1, 2) for clip in clips]))
    features = model.vision(pixels, levels=model.region.levels)
    visual = model.visual_tokens(features)
    marked = model.region_tokens(features, packs.regions) if packs.regions else None
    return model.language, packs, visual.indices, embed(model, packs, visual.tokens, marked)


def with_target(packs, indices):
    shown = shown_tokens(packs, indices)
    return packs.pointing(shown.any(1)), shown[shown.any(1)]


@pytest.mark.parametrize("kind", [IMAGES, VIDEOS], ids=["images", "videos"])
@torch.no_grad()
def test_the_loss_is_that_of_the_attention_that_is_paid(kind, monkeypatch):
    language, packs, indices, embeds = seen(kind)
    packs, shown = with_target(packs, indices)
    paid = []

    def attend(q, k, v, attn_mask=None, **_):
        scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).masked_fill(~attn_mask, -math.inf)
        paid.append(scores.softmax(-1))
        return paid[-1] @ v

    monkeypatch.setattr(language_module.F, "scaled_dot_product_attention", attend)
    layers = taught_layers(language)
    with layer_inputs(language, layers) as states:
        language.hidden_states(embeds, packs.mask(), packs.positions)
    assert sorted(states) == list(layers)
    for index in layers:
        loss = attention_loss(
            language.model.layers[index], states[index], language.rotary_at(packs.positions), packs, shown
        )
        rows, columns, _ = packs.pointers.unbind(1)
        half = paid[index][rows, : paid[index].shape[1] // 2, columns]
        assert float(loss) == pytest.approx(float(-(half * shown[:, None]).sum(-1).log().mean(1).sum()), rel=1e-4)


@torch.no_grad()
def test_shown_tokens_lie_in_the_pointed_frame_and_on_the_object():
    _, packs, indices, _ = seen(VIDEOS)
    shown = shown_tokens(packs, indices)
    assert shown.any()
    kept = indices.shape[1]
    for pointer, column in shown.nonzero().tolist():
        row, _, frame = packs.pointers[pointer].tolist()
        place = int(packs.visual[row, column])
        assert place // kept == frame
        assert packs.pointer_targets[pointer, indices[frame, place % kept]] > 0
    hidden = ~shown.any(1)  # no kept patch shows them
    on_kept = packs.pointer_targets.gather(1, indices[packs.pointers[:, 2]]).sum(1)
    assert (on_kept[hidden] == 0).all()
    assert (on_kept[~hidden] > 0).all()


def test_following_its_gradient_moves_attention_to_the_object():
    language, packs, indices, embeds = seen(IMAGES)
    packs, shown = with_target(packs, indices)
    layer = copy.deepcopy(language.model.layers[0])
    losses = []
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    for _ in range(20):
        loss = attention_loss(layer, embeds.detach(), language.rotary_at(packs.positions), packs, shown)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_nothing_watches_a_layer_after_its_pass():
    language, packs, _, embeds = seen(IMAGES)
    with pytest.raises(RuntimeError, match="within"), layer_inputs(language, taught_layers(language)):
        raise RuntimeError("within")
    with layer_inputs(language, ()) as states:
        language.hidden_states(embeds.detach(), packs.mask(), packs.positions)
    assert states == {}
    assert not any(layer._forward_pre_hooks for layer in language.model.layers)
