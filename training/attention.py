"""Where the language model looks on its way from words to a box, taught layer after layer.

A box is copied from the visual token that knows it, and copying begins with looking there. Left to the loss of the
numbers alone, a small model takes very long to find that out. So some heads are shown it: words of attributes look at
what has them; then the place of an answer looks at the words that it is about, and then at the object that is meant.
What has nothing to look at looks at the first token of all.

Shapes: R rows, S sequence, C model width, H heads, D head width, L looks, F frames, K visual tokens of a frame,
A attributes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.dense import ATTRIBUTES, IGNORE, DenseTargets
from training.packed_attention import Heads
from training.packing import Packs
from vitron_ros.model.tokenizer import Tokenizer

LOWEST_SHARE = 0.5  # of the greatest share of the object among a frame's tokens, to count as showing it
LOWEST_MASS = 1e-6


@dataclass(frozen=True, eq=False)
class Looks:
    """Places of packs that should look somewhere.

    Attributes:
        rows, columns: (L,) int64, who looks.
        goals: (L, S) bool, at which columns of its row; at least one each.
    """

    rows: Tensor
    columns: Tensor
    goals: Tensor


class AttributeWords(nn.Module):
    """Which tokens are words of attributes: `attribute` (V,), an index or -1, and `value` (V,) int64."""

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


def looks_of_words(packs: Packs, words: AttributeWords, shown: Tensor) -> Looks:
    """Of every word of an attribute at the visual tokens that have it, at column 0 where none does.

    Args:
        shown: (F, K, A) int64 from `shown_attributes`.
    """
    attribute = words.attribute[packs.token_ids]
    rows, columns = ((attribute >= 0) & (packs.segments > 0)).nonzero().unbind(1)
    token = packs.token_ids[rows, columns]
    visual = packs.visual[rows]  # (L, S)
    seen = shown.flatten(0, 1)[visual.clamp(min=0), words.attribute[token][:, None]]
    goals = (visual >= 0) & (seen == words.value[token][:, None])
    goals[:, 0] = ~goals.any(dim=1)
    return Looks(rows, columns, goals)


def looks_at_words(packs: Packs, words: AttributeWords) -> Looks:
    """Of every pointer at the words of attributes in its question."""
    rows, columns, _ = packs.pointers.unbind(1)
    is_word = words.attribute[packs.token_ids[rows]] >= 0
    is_own = packs.segments[rows] == packs.segments[rows, columns][:, None]
    is_before = torch.arange(is_word.shape[1], device=rows.device) < columns[:, None]
    return _with_goals(rows, columns, is_word & is_own & is_before)


def looks_at_objects(packs: Packs, indices: Tensor, step: int = 1, steps: int = 1) -> Looks:
    """Of every pointer at the visual tokens that show its object, in its frame; of answers about what is absent at
    column 0.

    Args:
        indices: (F, K) the patch of each visual token.
        step, steps: so much of the way lies behind: pointers with stops look at the one that they have come to; all of
            it: every one looks at its object.
    """
    places, targets = packs.pointers, packs.pointer_targets
    rows, columns, _, number, count = packs.stops.unbind(1)
    is_due = step * (count + 1) // steps == number
    if is_due.any():
        width = packs.visual.shape[1]
        stays = ~torch.isin(places[:, 0] * width + places[:, 1], (rows * width + columns)[is_due])
        places = torch.cat([places[stays], packs.stops[is_due, :3]])
        targets = torch.cat([targets[stays], packs.stop_targets[is_due]])
    present = _looks_at(packs, indices, places, targets)
    rows, columns = packs.absent.unbind(1)
    nowhere = torch.zeros(len(rows), packs.visual.shape[1], dtype=torch.bool, device=rows.device)
    nowhere[:, 0] = True
    return Looks(
        torch.cat([present.rows, rows]), torch.cat([present.columns, columns]), torch.cat([present.goals, nowhere])
    )


def _looks_at(packs: Packs, indices: Tensor, places: Tensor, targets: Tensor) -> Looks:
    """Of places (L, 3), row, column and frame, at the visual tokens of their frames that show most of what is meant."""
    rows, columns, frames = places.unbind(1)
    shares = targets.gather(1, indices[frames])  # (L, K)
    is_object = (shares > 0) & (shares >= LOWEST_SHARE * shares.amax(dim=1, keepdim=True))
    kept = indices.shape[1]
    visual = packs.visual[rows]
    is_here = (visual >= 0) & (visual // kept == frames[:, None])
    return _with_goals(rows, columns, is_here & is_object.gather(1, visual.clamp(min=0) % kept))


def looks_at_past(packs: Packs, indices: Tensor, owners: Tensor) -> Looks:
    """Of every visual token that shows an object seen in an earlier frame, at those that show it in its first.

    Args:
        indices: (F, K) the patch of each visual token.
        owners: (F, N) int64, the object that each patch shows; -100: none.
    """
    owner = owners.gather(1, indices).flatten()[packs.visual.clamp(min=0)].masked_fill(packs.visual < 0, IGNORE)
    frame = packs.visual // indices.shape[1]
    rows, columns = (owner != IGNORE).nonzero().unbind(1)
    is_same = owner[rows] == owner[rows, columns][:, None]  # (L, S); a row shows one clip
    first = frame[rows].masked_fill(~is_same, len(indices)).amin(dim=1)
    is_later = frame[rows, columns] > first
    goals = is_same & (frame[rows] == first[:, None])
    return Looks(rows[is_later], columns[is_later], goals[is_later])


def looks_to_copy(packs: Packs) -> Looks:
    """Of every place that says a token of its question, at that token: after the same token as here, if it has such a
    place, or where it stands alone.
    """
    is_question = (packs.labels == IGNORE) & (packs.segments > 0) & (packs.visual < 0) & (packs.region < 0)
    rows, columns = ((packs.labels != IGNORE) & ~packs.is_number).nonzero().unbind(1)
    is_own = packs.segments[rows] == packs.segments[rows, columns][:, None]
    is_same = is_own & is_question[rows] & (packs.token_ids[rows] == packs.labels[rows, columns][:, None])
    before = packs.token_ids.roll(1, dims=1)[rows]
    follows = is_same & (before == packs.token_ids[rows, columns][:, None])
    is_alone = is_same & (is_same.sum(dim=1) == 1)[:, None]
    return _with_goals(rows, columns, torch.where(follows.any(dim=1)[:, None], follows, is_alone))


def looks_back(packs: Packs, copied: Looks) -> Looks:
    """Of tokens that are copied, at those before them."""
    rows = copied.rows[:, None].expand_as(copied.goals)[copied.goals]
    columns = copied.goals.nonzero()[:, 1]
    rows, columns = torch.unique(torch.stack([rows, columns], dim=1), dim=0).unbind(1)
    is_within = packs.segments[rows, columns] == packs.segments[rows, columns - 1]
    rows, columns = rows[is_within], columns[is_within]
    return Looks(rows, columns, torch.arange(packs.segments.shape[1], device=rows.device) == columns[:, None] - 1)


def _with_goals(rows: Tensor, columns: Tensor, goals: Tensor) -> Looks:
    has_goal = goals.any(dim=1)
    return Looks(rows[has_goal], columns[has_goal], goals[has_goal])


def shown_attributes(targets: DenseTargets, indices: Tensor) -> Tensor:
    """(F, K, A) int64, what the patches `indices` (F, K) show; -100 where there is no object."""
    shown = targets.attributes.gather(1, indices[..., None].expand(-1, -1, targets.attributes.shape[-1]))
    is_object = targets.objectness.gather(1, indices) == 1
    return shown.masked_fill(~is_object[..., None], IGNORE)


@dataclass(frozen=True)
class AttentionPlan:
    """Which layers learn which looks. Words look, and are looked at, in the first, while they are still themselves."""

    words: int
    objects: tuple[int, ...]
    copies: tuple[int, ...]
    pasts: int

    @classmethod
    def of(cls, layers: int) -> "AttentionPlan":
        """All layers between the first and the last, which is left to make use of what they saw, look at objects.
        Those in their middle and after it copy. In the second visual tokens look back, and then know their past.
        """
        objects = tuple(range(1, layers - 1)) or (max(0, layers - 2),)
        return cls(0, objects, objects[len(objects) // 2 :], min(1, layers - 1))

    @property
    def layers(self) -> tuple[int, ...]:
        return tuple(sorted({self.words, self.pasts, *self.objects}))


def attention_loss(heads: Heads, segments: Tensor, looks: Looks, *, last_heads: bool = False) -> Tensor:
    """Sum over looks of -log of the attention that the first, or last, half of a layer's heads gives to their goals.

    Args:
        heads: queries and keys of the layer, from `PackedAttention`.
        segments: (R, S) of the packs.
    """
    q, k = heads
    half = max(1, q.shape[2] // 2)
    chosen = slice(q.shape[2] - half, None) if last_heads else slice(0, half)
    keys = k.repeat_interleave(q.shape[2] // k.shape[2], dim=2)[:, :, chosen].transpose(1, 2).unbind()  # (h, S, D) each
    order = looks.rows.argsort(stable=True)
    columns, goals = looks.columns[order], looks.goals[order]
    segments = segments[looks.rows[order]]
    own = segments.gather(1, columns[:, None])
    places = torch.arange(segments.shape[1], device=segments.device)
    is_open = ((segments == 0) | (segments == own)) & (places <= columns[:, None])  # (L, S)
    queries = q[:, :, chosen][looks.rows[order], columns] / math.sqrt(q.shape[3])  # (L, h, D)
    counts = looks.rows.bincount(minlength=len(keys)).tolist()  # all places of a row would be several times as many
    parts = (torch.split(part, counts) for part in (queries, is_open, goals))
    paid = [
        ((query.transpose(0, 1) @ key.mT).masked_fill(~opened, -math.inf).softmax(-1) * goal).sum(-1)  # (h, L)
        for key, query, opened, goal in zip(keys, *parts, strict=True)
    ]
    return -torch.cat(paid, dim=1).clamp(min=LOWEST_MASS).log().mean(0).sum()
