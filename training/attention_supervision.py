"""Attention supervision: an auxiliary loss on the attention weights of some heads, layer by layer, from words to a box.

A box is copied from the visual token that encodes it, and copying begins with attending to that token. From the
coordinate loss alone a small model takes very long to learn this. So some heads are supervised: attribute words attend
to the visual tokens with that attribute; then answer positions attend to the attribute words of their question, and
then to the target object. What has no referent attends to the first token.

Shapes: R rows, S sequence, C model width, H heads, D head width, L supervised queries, F frames, K visual tokens of a
frame, A attributes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.dense import ATTRIBUTES, IGNORE, DenseTargets
from training.packed_attention import QueriesKeys
from training.packing import PackedQuestions
from vitron_ros.model.tokenizer import Tokenizer

MIN_SHARE = 0.5  # of the object's largest share among a frame's tokens, for a token to count as showing it
MIN_ATTENTION = 1e-6


@dataclass(frozen=True, eq=False)
class AttentionTargets:
    """Query positions of packed questions and the keys that they should attend to.

    Attributes:
        rows, columns: (L,) int64, the positions of the queries.
        keys: (L, S) bool, columns of the same row; at least one each.
    """

    rows: Tensor
    columns: Tensor
    keys: Tensor


class AttributeWords(nn.Module):
    """Which tokens are attribute words: `attribute` (V,), an index or -1, and `value` (V,) int64."""

    attribute: Tensor
    value: Tensor

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        attribute, value = torch.full((tokenizer.size,), -1), torch.zeros(tokenizer.size, dtype=torch.long)
        for index, names in enumerate(ATTRIBUTES.values()):
            for number, name in enumerate(names):
                tokens = tokenizer.encode(f" {name}")
                if len(tokens) == 1:
                    attribute[tokens[0]], value[tokens[0]] = index, number
        self.register_buffer("attribute", attribute, persistent=False)
        self.register_buffer("value", value, persistent=False)


def attribute_word_targets(packs: PackedQuestions, words: AttributeWords, shown: Tensor) -> AttentionTargets:
    """From every attribute word to the visual tokens with that attribute, to column 0 where there is none.

    Args:
        shown: (F, K, A) int64 from `visual_token_attributes`.
    """
    attribute = words.attribute[packs.token_ids]
    rows, columns = ((attribute >= 0) & (packs.segments > 0)).nonzero().unbind(1)
    token = packs.token_ids[rows, columns]
    visual = packs.visual[rows]  # (L, S)
    seen = shown.flatten(0, 1)[visual.clamp(min=0), words.attribute[token][:, None]]
    keys = (visual >= 0) & (seen == words.value[token][:, None])
    keys[:, 0] = ~keys.any(dim=1)
    return AttentionTargets(rows, columns, keys)


def question_word_targets(packs: PackedQuestions, words: AttributeWords) -> AttentionTargets:
    """From every pointer to the attribute words of its question."""
    rows, columns, _ = packs.pointers.unbind(1)
    is_word = words.attribute[packs.token_ids[rows]] >= 0
    is_own = packs.segments[rows] == packs.segments[rows, columns][:, None]
    is_before = torch.arange(is_word.shape[1], device=rows.device) < columns[:, None]
    return _nonempty(rows, columns, is_word & is_own & is_before)


def object_targets(packs: PackedQuestions, indices: Tensor, step: int = 1, steps: int = 1) -> AttentionTargets:
    """From every pointer to the visual tokens that show its object, in its frame; from answers about absent objects to
    column 0.

    Args:
        indices: (F, K) the patch of each visual token.
        step, steps: multi-step references: with step 0 of `steps` a pointer with a reference chain attends to the first
            object of its chain, with later ones to the next; with `steps` every pointer attends to its own object.
    """
    places, targets = packs.pointers, packs.pointer_targets
    rows, columns, _, number, count = packs.chain.unbind(1)
    is_due = step * (count + 1) // steps == number
    if is_due.any():
        width = packs.visual.shape[1]
        stays = ~torch.isin(places[:, 0] * width + places[:, 1], (rows * width + columns)[is_due])
        places = torch.cat([places[stays], packs.chain[is_due, :3]])
        targets = torch.cat([targets[stays], packs.chain_targets[is_due]])
    present = _visual_token_targets(packs, indices, places, targets)
    rows, columns = packs.absent.unbind(1)
    first_token = torch.zeros(len(rows), packs.visual.shape[1], dtype=torch.bool, device=rows.device)
    first_token[:, 0] = True
    return AttentionTargets(
        torch.cat([present.rows, rows]), torch.cat([present.columns, columns]), torch.cat([present.keys, first_token])
    )


def _visual_token_targets(packs: PackedQuestions, indices: Tensor, places: Tensor, targets: Tensor) -> AttentionTargets:
    """From places (L, 3), row, column and frame, to the visual tokens of that frame that show most of the object."""
    rows, columns, frames = places.unbind(1)
    shares = targets.gather(1, indices[frames])  # (L, K)
    is_object = (shares > 0) & (shares >= MIN_SHARE * shares.amax(dim=1, keepdim=True))
    tokens_per_frame = indices.shape[1]
    visual = packs.visual[rows]
    is_here = (visual >= 0) & (visual // tokens_per_frame == frames[:, None])
    return _nonempty(rows, columns, is_here & is_object.gather(1, visual.clamp(min=0) % tokens_per_frame))


def first_appearance_targets(packs: PackedQuestions, indices: Tensor, object_ids: Tensor) -> AttentionTargets:
    """From every visual token whose object was visible in an earlier frame to those of its first appearance.

    Args:
        indices: (F, K) the patch of each visual token.
        object_ids: (F, N) int64, the object that each patch shows; -100: none.
    """
    object_id = object_ids.gather(1, indices).flatten()[packs.visual.clamp(min=0)].masked_fill(packs.visual < 0, IGNORE)
    frame = packs.visual // indices.shape[1]
    rows, columns = (object_id != IGNORE).nonzero().unbind(1)
    is_same = object_id[rows] == object_id[rows, columns][:, None]  # (L, S); a row shows one clip
    first = frame[rows].masked_fill(~is_same, len(indices)).amin(dim=1)
    is_later = frame[rows, columns] > first
    keys = is_same & (frame[rows] == first[:, None])
    return AttentionTargets(rows[is_later], columns[is_later], keys[is_later])


def copy_targets(packs: PackedQuestions) -> AttentionTargets:
    """From every position whose label is a token of the question to that token: the occurrence after the same token as
    here, if there is one, or the only occurrence.
    """
    is_question = (packs.labels == IGNORE) & (packs.segments > 0) & (packs.visual < 0) & (packs.region < 0)
    rows, columns = ((packs.labels != IGNORE) & ~packs.is_number).nonzero().unbind(1)
    is_own = packs.segments[rows] == packs.segments[rows, columns][:, None]
    is_same = is_own & is_question[rows] & (packs.token_ids[rows] == packs.labels[rows, columns][:, None])
    before = packs.token_ids.roll(1, dims=1)[rows]
    follows = is_same & (before == packs.token_ids[rows, columns][:, None])
    is_alone = is_same & (is_same.sum(dim=1) == 1)[:, None]
    return _nonempty(rows, columns, torch.where(follows.any(dim=1)[:, None], follows, is_alone))


def previous_token_targets(packs: PackedQuestions, copied: AttentionTargets) -> AttentionTargets:
    """From tokens that are copied to the token before them."""
    rows = copied.rows[:, None].expand_as(copied.keys)[copied.keys]
    columns = copied.keys.nonzero()[:, 1]
    rows, columns = torch.unique(torch.stack([rows, columns], dim=1), dim=0).unbind(1)
    is_within = packs.segments[rows, columns] == packs.segments[rows, columns - 1]
    rows, columns = rows[is_within], columns[is_within]
    return AttentionTargets(
        rows, columns, torch.arange(packs.segments.shape[1], device=rows.device) == columns[:, None] - 1
    )


def _nonempty(rows: Tensor, columns: Tensor, keys: Tensor) -> AttentionTargets:
    has_target = keys.any(dim=1)
    return AttentionTargets(rows[has_target], columns[has_target], keys[has_target])


def visual_token_attributes(targets: DenseTargets, indices: Tensor) -> Tensor:
    """(F, K, A) int64, what the patches `indices` (F, K) show; -100 where there is no object."""
    shown = targets.attributes.gather(1, indices[..., None].expand(-1, -1, targets.attributes.shape[-1]))
    is_object = targets.objectness.gather(1, indices) == 1
    return shown.masked_fill(~is_object[..., None], IGNORE)


@dataclass(frozen=True)
class AttentionPlan:
    """Which layers are supervised with which targets. Words are in the first layer, where a state is still its word."""

    words: int
    objects: tuple[int, ...]
    copies: tuple[int, ...]
    history: int

    @classmethod
    def of(cls, layers: int) -> "AttentionPlan":
        """Object targets in all layers but the first and the last, copy targets in the later half of those, and
        motion-history targets in the second layer.
        """
        objects = tuple(range(1, layers - 1)) or (max(0, layers - 2),)
        return cls(0, objects, objects[len(objects) // 2 :], min(1, layers - 1))

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(sorted({self.words, self.history, *self.objects}))


def attention_loss(
    heads: QueriesKeys, segments: Tensor, targets: AttentionTargets, *, last_heads: bool = False
) -> Tensor:
    """Sum over queries of -log of the attention that the first, or last, half of a layer's heads pays to their keys.

    Args:
        heads: queries and keys of the layer, from `PackedAttention`.
        segments: (R, S) of the packs.
    """
    q, k = heads
    half = max(1, q.shape[2] // 2)
    chosen = slice(q.shape[2] - half, None) if last_heads else slice(0, half)
    keys = k.repeat_interleave(q.shape[2] // k.shape[2], dim=2)[:, :, chosen].transpose(1, 2).unbind()  # (h, S, D) each
    order = targets.rows.argsort(stable=True)
    columns, wanted = targets.columns[order], targets.keys[order]
    segments = segments[targets.rows[order]]
    own = segments.gather(1, columns[:, None])
    positions = torch.arange(segments.shape[1], device=segments.device)
    is_visible = ((segments == 0) | (segments == own)) & (positions <= columns[:, None])  # (L, S)
    queries = q[:, :, chosen][targets.rows[order], columns] / math.sqrt(q.shape[3])  # (L, h, D)
    counts = targets.rows.bincount(
        minlength=len(keys)
    ).tolist()  # all positions of a row would be several times as many
    parts = (torch.split(part, counts) for part in (queries, is_visible, wanted))
    attention = [
        ((query.transpose(0, 1) @ key.mT).masked_fill(~visible, -math.inf).softmax(-1) * goal).sum(-1)  # (h, L)
        for key, query, visible, goal in zip(keys, *parts, strict=True)
    ]
    return -torch.cat(attention, dim=1).clamp(min=MIN_ATTENTION).log().mean(0).sum()
