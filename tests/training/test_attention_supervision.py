"""Attention supervision: targets are where they should be, the loss is that of the attention a layer really pays, and
its gradient moves that attention."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from test_training_packing import ask
from tiny_training import IMAGES, VIDEOS, tiny_checkpoint

from training.attention_supervision import (
    AttentionPlan,
    AttributeWords,
    attention_loss,
    attribute_word_targets,
    copy_targets,
    first_appearance_targets,
    object_targets,
    previous_token_targets,
    question_word_targets,
    visual_token_attributes,
)
from training.config import ClipsConfig
from training.data import normalise
from training.dense import ATTRIBUTES, IGNORE, DenseTargets, dense_targets, patch_shares
from training.packed_attention import BlockAttention
from training.packing import PackedQuestions, PackSizes, embed
from vitron_ros.model.language import rotate


class Packed:
    """Packed questions about three clips, their visual tokens, embeddings and all targets."""

    def __init__(self, kind):
        model = tiny_checkpoint().model.eval()
        self.language = model.language
        self.clips, _, self.packs = ask(kind, (1, 2, 5))
        pixels = normalise(torch.cat([torch.from_numpy(clip.frames).permute(0, 3, 1, 2) for clip in self.clips]))
        features = model.vision(pixels, levels=model.region.levels)
        visual = model.visual_tokens(features)
        marked = model.region_tokens(features, self.packs.regions) if self.packs.regions else None
        self.indices = visual.indices
        self.embeds = embed(model, self.packs, visual.tokens, marked)
        parts = [dense_targets(clip, patch_shares(clip, 6)) for clip in self.clips]
        dense = DenseTargets(*(torch.cat([vars(part)[name] for part in parts]) for name in vars(parts[0])))
        self.shown = visual_token_attributes(dense, self.indices)
        self.object_ids = dense.object_ids
        self.words = AttributeWords(tiny_checkpoint().tokenizer)
        self.targets = {
            "attribute words": attribute_word_targets(self.packs, self.words, self.shown),
            "question words": question_word_targets(self.packs, self.words),
            "objects": object_targets(self.packs, self.indices),
            "copies": copy_targets(self.packs),
        }
        self.targets["previous tokens"] = previous_token_targets(self.packs, self.targets["copies"])

        self.visible = visible_positions(self.packs)

    def heads(self, layer, packs):
        """Queries and keys of a layer for the embeddings as they are."""
        attention, x = layer.self_attn, layer.input_layernorm(self.embeds)
        rotary = self.language.rotary_at(packs.positions)
        q, k = (proj(x).unflatten(-1, (-1, attention.head_dim)) for proj in (attention.q_proj, attention.k_proj))
        return rotate(q, rotary), rotate(k, rotary)

    def spelled(self, row, column):
        return tiny_checkpoint().tokenizer.decode([int(self.packs.token_ids[row, column])]).strip()


def visible_positions(packs: PackedQuestions) -> torch.Tensor:
    """(R, S, S) bool, whether row may attend to column: to the prefix and, causally, to its own question."""
    rows, columns = packs.segments[:, :, None], packs.segments[:, None, :]
    causal = torch.ones(columns.shape[2], columns.shape[2], dtype=torch.bool).tril()
    return causal & (rows >= 0) & ((columns == 0) | (columns == rows))


@pytest.fixture(scope="module", params=[IMAGES, VIDEOS], ids=["images", "videos"])
def packed_questions(request):
    with torch.no_grad():
        return Packed(request.param)


def test_every_query_has_a_key_that_it_may_attend_to(packed_questions):
    for name, targets in packed_questions.targets.items():
        assert len(targets.rows) > 0, name
        assert targets.keys.any(dim=1).all(), name
        allowed = packed_questions.visible[targets.rows, targets.columns]
        assert not (targets.keys & ~allowed).any(), name


def test_attribute_words_attend_to_tokens_that_show_them(packed_questions):
    targets = packed_questions.targets["attribute words"]
    names = {name: (index, names.index(name)) for index, names in enumerate(ATTRIBUTES.values()) for name in names}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.keys, strict=True):
        attribute, value = names[packed_questions.spelled(row, column)]
        shown = packed_questions.shown.flatten(0, 1)[:, attribute]
        places = packed_questions.packs.visual[row].tolist()
        wanted = [place >= 0 and int(shown[place]) == value for place in places]
        if not any(wanted):
            wanted[0] = True  # the first token of all
        assert attended.tolist() == wanted


def test_answers_attend_to_the_attributes_in_their_own_question(packed_questions):
    targets = packed_questions.targets["question words"]
    known = {name for names in ATTRIBUTES.values() for name in names}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.keys, strict=True):
        for goal in attended.nonzero().flatten().tolist():
            assert goal < column
            assert packed_questions.packs.segments[row, goal] == packed_questions.packs.segments[row, column]
            assert packed_questions.spelled(row, goal) in known


def test_pointers_attend_to_their_object_in_its_frame(packed_questions):
    targets, packs = packed_questions.targets["objects"], packed_questions.packs
    tokens = packed_questions.indices.shape[1]
    meant = {tuple(at): place for place, at in enumerate(packs.pointers.tolist())}
    looked = set()
    absent = {(row, column) for row, column in packs.absent.tolist()}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.keys, strict=True):
        if (row, column) in absent:
            assert attended.nonzero().flatten().tolist() == [0]
            continue
        frames = {int(packs.visual[row, goal]) // tokens for goal in attended.nonzero().flatten()}
        assert len(frames) == 1
        at = (row, column, frames.pop())
        looked.add(at)
        pointer = meant[at]
        for goal in attended.nonzero().flatten().tolist():
            place = int(packs.visual[row, goal])
            assert packs.pointer_targets[pointer, packed_questions.indices[place // tokens, place % tokens]] > 0
    for at in set(meant) - looked:  # no selected patch shows these
        frame = packs.pointers[meant[at], 2]
        assert not packs.pointer_targets[meant[at], packed_questions.indices[frame]].any()


def test_multi_step_references_attend_to_their_chain_in_order():
    sizes = PackSizes(tokens_per_frame=36, tokens_per_region=2, max_positions=512)  # every patch is selected
    clips, _, packs = ask(replace(IMAGES, tasks=("rec",)), range(30), sizes)
    indices = torch.arange(36).expand(len(clips), -1)
    shares = {tuple(at): share for at, share in zip(packs.pointers.tolist(), packs.pointer_targets, strict=True)}
    chains = {
        (*at, place): share for (*at, place, _), share in zip(packs.chain.tolist(), packs.chain_targets, strict=True)
    }
    counts = {(row, column, frame): count for row, column, frame, _, count in packs.chain.tolist()}
    assert set(counts.values()) == {1, 2, 3}
    expected = {0: "....", 1: "00..", 2: "001.", 3: "012."}
    for step in range(5):
        targets = object_targets(packs, indices, step, 4)
        present = targets.keys[:, 0].logical_not()
        assert int(present.sum()) == len(shares)  # each position once
        for row, column, attended in zip(
            targets.rows[present], targets.columns[present], targets.keys[present], strict=True
        ):
            place, frame = (int(row), int(column)), int(packs.visual[row][attended][0]) // 36
            count = counts.get((*place, frame), 0)
            index = expected[count][step] if step < 4 else "."
            wanted = shares[(*place, frame)] if index == "." else chains[(*place, frame, int(index))]
            assert set((packs.visual[row][attended] % 36).tolist()) == set(
                (wanted >= wanted.max() / 2).nonzero()[:, 0].tolist()
            )


def test_visual_tokens_attend_to_the_first_appearance_of_their_object():
    tokens = 36  # every patch
    clips, _, packs = ask(VIDEOS, (1, 2, 5), PackSizes(tokens_per_frame=tokens, tokens_per_region=2, max_positions=512))
    frames = [(clip, frame) for clip in clips for frame in range(len(clip.frames))]
    shares = [patch_shares(clip, 6) for clip in clips]
    object_ids = torch.cat([dense_targets(clip, share).object_ids for clip, share in zip(clips, shares, strict=True)])
    targets = first_appearance_targets(packs, torch.arange(tokens).expand(len(object_ids), -1), object_ids)

    def shown(place):
        """The clip's object that a visual token shows, and the frame."""
        clip, frame = frames[place // tokens]
        share = shares[clips.index(clip)][frame, :, place % tokens]
        return int(share.argmax()) if share.max() >= 0.15 else None, frame

    found = 0
    assert not (targets.keys & ~visible_positions(packs)[targets.rows, targets.columns]).any()
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.keys, strict=True):
        places = packs.visual[row].tolist()
        object_, frame = shown(places[column])
        same = {at: shown(place) for at, place in enumerate(places) if place >= 0}
        certain = {at for at, who in same.items() if who == (object_, 0)}
        if object_ is None or not certain:
            continue  # in some frame it is but a small part of its only patch
        found += 1
        assert frame > 0
        goal = set(attended.nonzero().flatten().tolist())
        assert certain <= goal
        assert all(same[at] in ((object_, 0), (None, 0)) for at in goal)
    assert found > 20


def test_a_single_image_has_no_history():
    with torch.no_grad():
        packed_questions = Packed(IMAGES)
    assert (
        len(
            first_appearance_targets(packed_questions.packs, packed_questions.indices, packed_questions.object_ids).rows
        )
        == 0
    )


def test_copied_words_attend_to_the_question(packed_questions):
    targets, packs = packed_questions.targets["copies"], packed_questions.packs
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.keys, strict=True):
        places = attended.nonzero().flatten()
        assert (packs.token_ids[row, places] == packs.labels[row, column]).all()
        assert (packs.segments[row, places] == packs.segments[row, column]).all()
        assert (packs.labels[row, places] == IGNORE).all(), "a place in the answer"
        is_led = packs.token_ids[row, places - 1] == packs.token_ids[row, column]
        assert is_led.all() or len(places) == 1


def test_commands_are_copied_word_by_word():
    tokenizer = tiny_checkpoint().tokenizer
    _, _, packs = ask(ClipsConfig(frames=1, count=1, tasks=("invocation",)), range(12))
    targets = copy_targets(packs)
    said = [tokenizer.decode([int(token)]).strip() for token in packs.labels[targets.rows, targets.columns]]
    assert len(set(said) & {name for names in ATTRIBUTES.values() for name in names}) >= 5


def test_copied_tokens_attend_to_the_token_before_them(packed_questions):
    copied, previous = packed_questions.targets["copies"], packed_questions.targets["previous tokens"]
    attended = {
        (row, int(place)) for row, one in zip(copied.rows.tolist(), copied.keys, strict=True) for place in one.nonzero()
    }
    places = list(zip(previous.rows.tolist(), previous.columns.tolist(), strict=True))
    assert set(places) <= attended
    assert len(places) == len(set(places))
    assert (previous.keys.nonzero()[:, 1] == previous.columns - 1).all()


def test_answers_about_absent_objects_attend_to_the_first_token(packed_questions):
    asked = [(row, column) for row, column in packed_questions.packs.absent.tolist()]
    targets = packed_questions.targets["objects"]
    looking = list(zip(targets.rows.tolist(), targets.columns.tolist(), strict=True))
    assert asked
    assert set(asked) <= set(looking)
    said = {int(packed_questions.packs.labels[row, column]) for row, column in asked}
    assert all("[" not in tiny_checkpoint().tokenizer.decode([token]) for token in said)


def test_what_shows_no_object_has_no_attributes(packed_questions):
    assert (packed_questions.shown == IGNORE).any()
    assert ((packed_questions.shown == IGNORE).any(-1) == (packed_questions.shown == IGNORE).all(-1)).all()


@torch.no_grad()
def test_the_loss_is_that_of_the_attention_that_is_paid(packed_questions):
    language, packs = packed_questions.language, packed_questions.packs
    shares = []

    def attend(layer, q, k, v):
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~packed_questions.visible[:, None], -math.inf)
        shares.append(scores.softmax(-1).nan_to_num())
        return (shares[-1] @ v).transpose(1, 2)

    packed = BlockAttention(packs.segments, recorded=(0, 1))
    expected = language.hidden_states(packed_questions.embeds, attend, packs.positions)
    is_token = packs.segments >= 0
    tokens, positions = (values[is_token][None] for values in (packed_questions.embeds, packs.positions))
    states = language.hidden_states(tokens, packed, positions)
    torch.testing.assert_close(states[0], expected[is_token], atol=1e-4, rtol=1e-4)
    assert sorted(packed.heads) == [0, 1]
    for layer, paid in enumerate(shares[:2]):
        for targets in packed_questions.targets.values():
            first, last = paid[targets.rows, :, targets.columns].chunk(2, dim=1)
            for is_last, half in ((False, first), (True, last)):
                loss = attention_loss(packed.heads[layer], packs.segments, targets, last_heads=is_last)
                wanted = -(half * targets.keys[:, None]).sum(-1).log().mean(1).sum()
                assert float(loss) == pytest.approx(float(wanted), rel=1e-4)


def test_following_its_gradient_moves_attention_to_the_object(packed_questions):
    layer = copy.deepcopy(packed_questions.language.model.layers[0])
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        loss = attention_loss(
            packed_questions.heads(layer, packed_questions.packs),
            packed_questions.packs.segments,
            packed_questions.targets["objects"],
        )
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_a_question_without_attributes_has_no_targets(packed_questions):
    silent = replace(packed_questions.packs, token_ids=torch.zeros_like(packed_questions.packs.token_ids))
    assert len(attribute_word_targets(silent, packed_questions.words, packed_questions.shown).rows) == 0
    empty = question_word_targets(silent, packed_questions.words)
    heads = packed_questions.heads(packed_questions.language.model.layers[0], silent)
    assert float(attention_loss(heads, silent.segments, empty).detach()) == 0


@pytest.mark.parametrize("layers", range(1, 33))
def test_a_plan_goes_up_the_layers_and_leaves_the_last(layers):
    plan = AttentionPlan.of(layers)
    assert plan.words == 0
    assert max(plan.objects) == max(0, layers - 2)
    assert min(plan.objects) == min(1, max(0, layers - 2))
