"""Taught attention: attended are what they are said to be, the loss is that of the attention a layer really pays, and
lessening it moves that attention."""

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
from training.packed_attention import PackedAttention
from training.packing import PackedQuestions, PackSizes, embed
from vitron_ros.model.language import rotate


class Seen:
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
            "of words": attribute_word_targets(self.packs, self.words, self.shown),
            "at words": question_word_targets(self.packs, self.words),
            "at objects": object_targets(self.packs, self.indices),
            "to copy": copy_targets(self.packs),
        }
        self.targets["back"] = previous_token_targets(self.packs, self.targets["to copy"])

        self.open = open_places(self.packs)

    def heads(self, layer, packs):
        """Queries and keys of a layer for the embeddings as they are."""
        attention, x = layer.self_attn, layer.input_layernorm(self.embeds)
        rotary = self.language.rotary_at(packs.positions)
        q, k = (proj(x).unflatten(-1, (-1, attention.head_dim)) for proj in (attention.q_proj, attention.k_proj))
        return rotate(q, rotary), rotate(k, rotary)

    def spelled(self, row, column):
        return tiny_checkpoint().tokenizer.decode([int(self.packs.token_ids[row, column])]).strip()


def open_places(packs: PackedQuestions) -> torch.Tensor:
    """(R, S, S) bool, whether row may look at column: at the prefix and its own question, not ahead."""
    rows, columns = packs.segments[:, :, None], packs.segments[:, None, :]
    causal = torch.ones(columns.shape[2], columns.shape[2], dtype=torch.bool).tril()
    return causal & (rows >= 0) & ((columns == 0) | (columns == rows))


@pytest.fixture(scope="module", params=[IMAGES, VIDEOS], ids=["images", "videos"])
def seen(request):
    with torch.no_grad():
        return Seen(request.param)


def test_every_look_has_a_goal_that_its_row_may_see(seen):
    for name, targets in seen.targets.items():
        assert len(targets.rows) > 0, name
        assert targets.attended.any(dim=1).all(), name
        allowed = seen.open[targets.rows, targets.columns]
        assert not (targets.attended & ~allowed).any(), name


def test_words_look_at_tokens_that_show_what_they_name(seen):
    targets = seen.targets["of words"]
    names = {name: (index, names.index(name)) for index, names in enumerate(ATTRIBUTES.values()) for name in names}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.attended, strict=True):
        attribute, value = names[seen.spelled(row, column)]
        shown = seen.shown.flatten(0, 1)[:, attribute]
        places = seen.packs.visual[row].tolist()
        wanted = [place >= 0 and int(shown[place]) == value for place in places]
        if not any(wanted):
            wanted[0] = True  # the first token of all
        assert attended.tolist() == wanted


def test_answers_look_at_the_attributes_in_their_own_question(seen):
    targets = seen.targets["at words"]
    known = {name for names in ATTRIBUTES.values() for name in names}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.attended, strict=True):
        for goal in attended.nonzero().flatten().tolist():
            assert goal < column
            assert seen.packs.segments[row, goal] == seen.packs.segments[row, column]
            assert seen.spelled(row, goal) in known


def test_places_look_at_the_object_in_the_frame_that_is_pointed_at(seen):
    targets, packs = seen.targets["at objects"], seen.packs
    kept = seen.indices.shape[1]
    meant = {tuple(at): place for place, at in enumerate(packs.pointers.tolist())}
    looked = set()
    absent = {(row, column) for row, column in packs.absent.tolist()}
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.attended, strict=True):
        if (row, column) in absent:
            assert attended.nonzero().flatten().tolist() == [0]
            continue
        frames = {int(packs.visual[row, goal]) // kept for goal in attended.nonzero().flatten()}
        assert len(frames) == 1
        at = (row, column, frames.pop())
        looked.add(at)
        pointer = meant[at]
        for goal in attended.nonzero().flatten().tolist():
            place = int(packs.visual[row, goal])
            assert packs.pointer_targets[pointer, seen.indices[place // kept, place % kept]] > 0
    for at in set(meant) - looked:  # no kept patch shows these
        frame = packs.pointers[meant[at], 2]
        assert not packs.pointer_targets[meant[at], seen.indices[frame]].any()


def test_answers_come_to_their_object_by_its_way():
    sizes = PackSizes(tokens_per_frame=36, tokens_per_region=2, max_positions=512)  # every patch is kept
    clips, _, packs = ask(replace(IMAGES, tasks=("rec",)), range(30), sizes)
    indices = torch.arange(36).expand(len(clips), -1)
    targets = {tuple(at): share for at, share in zip(packs.pointers.tolist(), packs.pointer_targets, strict=True)}
    ways = {
        (*at, place): share for (*at, place, _), share in zip(packs.chain.tolist(), packs.chain_targets, strict=True)
    }
    counts = {(row, column, frame): count for row, column, frame, _, count in packs.chain.tolist()}
    assert set(counts.values()) == {1, 2, 3}
    expected = {0: "....", 1: "00..", 2: "001.", 3: "012."}
    for step in range(5):
        targets = object_targets(packs, indices, step, 4)
        present = targets.attended[:, 0].logical_not()
        assert int(present.sum()) == len(targets)  # of each place once
        for row, column, attended in zip(
            targets.rows[present], targets.columns[present], targets.attended[present], strict=True
        ):
            place, frame = (int(row), int(column)), int(packs.visual[row][attended][0]) // 36
            count = counts.get((*place, frame), 0)
            stop = expected[count][step] if step < 4 else "."
            wanted = targets[(*place, frame)] if stop == "." else ways[(*place, frame, int(stop))]
            assert set((packs.visual[row][attended] % 36).tolist()) == set(
                (wanted >= wanted.max() / 2).nonzero()[:, 0].tolist()
            )


def test_visual_tokens_look_back_at_the_first_sight_of_their_object():
    kept = 36  # every patch
    clips, _, packs = ask(VIDEOS, (1, 2, 5), PackSizes(tokens_per_frame=kept, tokens_per_region=2, max_positions=512))
    frames = [(clip, frame) for clip in clips for frame in range(len(clip.frames))]
    shares = [patch_shares(clip, 6) for clip in clips]
    object_ids = torch.cat([dense_targets(clip, share).object_ids for clip, share in zip(clips, shares, strict=True)])
    targets = first_appearance_targets(packs, torch.arange(kept).expand(len(object_ids), -1), object_ids)

    def shown(place):
        """The clip's object that a visual token shows, and the frame."""
        clip, frame = frames[place // kept]
        share = shares[clips.index(clip)][frame, :, place % kept]
        return int(share.argmax()) if share.max() >= 0.15 else None, frame

    found = 0
    assert not (targets.attended & ~open_places(packs)[targets.rows, targets.columns]).any()
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.attended, strict=True):
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


def test_a_single_image_has_no_past():
    with torch.no_grad():
        seen = Seen(IMAGES)
    assert len(first_appearance_targets(seen.packs, seen.indices, seen.object_ids).rows) == 0


def test_what_an_answer_takes_from_its_question_is_looked_up_there(seen):
    targets, packs = seen.targets["to copy"], seen.packs
    for row, column, attended in zip(targets.rows.tolist(), targets.columns.tolist(), targets.attended, strict=True):
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


def test_what_is_copied_looks_at_the_token_before_it(seen):
    copied, back = seen.targets["to copy"], seen.targets["back"]
    attended = {
        (row, int(place))
        for row, one in zip(copied.rows.tolist(), copied.attended, strict=True)
        for place in one.nonzero()
    }
    places = list(zip(back.rows.tolist(), back.columns.tolist(), strict=True))
    assert set(places) <= attended
    assert len(places) == len(set(places))
    assert (back.attended.nonzero()[:, 1] == back.columns - 1).all()


def test_what_is_absent_is_looked_for_at_the_first_token(seen):
    asked = [(row, column) for row, column in seen.packs.absent.tolist()]
    targets = seen.targets["at objects"]
    looking = list(zip(targets.rows.tolist(), targets.columns.tolist(), strict=True))
    assert asked
    assert set(asked) <= set(looking)
    said = {int(seen.packs.labels[row, column]) for row, column in asked}
    assert all("[" not in tiny_checkpoint().tokenizer.decode([token]) for token in said)


def test_what_shows_no_object_has_no_attributes(seen):
    assert (seen.shown == IGNORE).any()
    assert ((seen.shown == IGNORE).any(-1) == (seen.shown == IGNORE).all(-1)).all()


@torch.no_grad()
def test_the_loss_is_that_of_the_attention_that_is_paid(seen):
    language, packs = seen.language, seen.packs
    shares = []

    def attend(q, k, v):
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        scores = (q @ k.mT / math.sqrt(q.shape[-1])).masked_fill(~seen.open[:, None], -math.inf)
        shares.append(scores.softmax(-1).nan_to_num())
        return (shares[-1] @ v).transpose(1, 2)

    packed = PackedAttention(packs.segments, kept=(0, 1))
    expected = language.hidden_states(seen.embeds, attend, packs.positions)
    states = language.hidden_states(seen.embeds, packed, packs.positions)
    is_token = packs.segments >= 0
    torch.testing.assert_close(states[is_token], expected[is_token], atol=1e-4, rtol=1e-4)
    assert sorted(packed.heads) == [0, 1]
    for layer, paid in enumerate(shares[:2]):
        for targets in seen.targets.values():
            first, last = paid[targets.rows, :, targets.columns].chunk(2, dim=1)
            for is_last, half in ((False, first), (True, last)):
                loss = attention_loss(packed.heads[layer], packs.segments, targets, last_heads=is_last)
                wanted = -(half * targets.attended[:, None]).sum(-1).log().mean(1).sum()
                assert float(loss) == pytest.approx(float(wanted), rel=1e-4)


def test_following_its_gradient_moves_attention_to_the_object(seen):
    layer = copy.deepcopy(seen.language.model.layers[0])
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        loss = attention_loss(seen.heads(layer, seen.packs), seen.packs.segments, seen.targets["at objects"])
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.6 * losses[0]


def test_a_question_without_attributes_asks_for_no_looks(seen):
    silent = replace(seen.packs, token_ids=torch.zeros_like(seen.packs.token_ids))
    assert len(attribute_word_targets(silent, seen.words, seen.shown).rows) == 0
    empty = question_word_targets(silent, seen.words)
    heads = seen.heads(seen.language.model.layers[0], silent)
    assert float(attention_loss(heads, silent.segments, empty).detach()) == 0


@pytest.mark.parametrize("layers", range(1, 33))
def test_a_plan_goes_up_the_layers_and_leaves_the_last(layers):
    plan = AttentionPlan.of(layers)
    assert plan.words == 0
    assert max(plan.objects) == max(0, layers - 2)
    assert min(plan.objects) == min(1, max(0, layers - 2))
