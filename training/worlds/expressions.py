"""Samples that find or describe an object: REC, REG, RSOT, SOT, Video-REG. Terms: Elysium, arXiv 2403.16558.

REC: the box of an expression in an image. REG: the description of a box. RSOT: the boxes of an expression in every
frame of a clip. SOT: the boxes of an object marked in the first frame. Video-REG: the description of an object marked
in the first frame.
"""

import numpy as np

from training.worlds.facts import NO, UNSEEN, YES, SceneView, image_view, video_view
from training.worlds.queries import AttributeQuery, Beside, Moving, Query, is_absent, only_match
from training.worlds.query_sampling import (
    DIRECTIONS,
    describe_kind,
    sample_family,
    sample_kind,
    sample_query,
)
from training.worlds.reference_chain import reference_chain
from training.worlds.sample import DialogueTurn, Sample
from training.worlds.templates import AT_THE_START, article, kind_name, pick_template, verbalize, verbalize_kind
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.vocabulary import Split

ABSENT_SHARE = 0.2
PRONOUN_SHARE = 0.1
TRIES = 14

FIND = ("Find the {kind}.", "Where is the {kind}?", "Look at the {kind}.", "Show me the {kind}.", "Locate the {kind}.")
IT = ("it", "that object", "the same object")


def rec_sample(clip: Clip, frame: int, rng: np.random.Generator, relational: float = 0.0) -> Sample | None:
    """A referring expression and its object in a frame, or one that matches none. relational: see `make_samples`."""
    view = image_view(clip, frame)
    if rng.random() < PRONOUN_SHARE:
        return _pronoun_sample(view, frame, clip.split, rng)
    wants_absent = rng.random() < ABSENT_SHARE
    family = sample_family(is_clip=False, relational=relational, rng=rng)
    for _ in range(TRIES):
        query = sample_query(family, view, clip.split, rng, change=wants_absent)
        truth = query.truth(view)
        target = only_match(truth)
        if not (is_absent(truth) if wants_absent else target is not None):
            continue
        phrase = verbalize(query, clip.split, rng)
        return Sample(
            task="rec",
            kind=family,
            frames=(frame,),
            expression=phrase.text,
            target=target,
            absent=target is None,
            chain=() if target is None else tuple((index, frame) for index in reference_chain(query, view)),
            template=phrase.template,
            held_out_template=phrase.is_held_out,
        )
    return None


def _pronoun_sample(view: SceneView, frame: int, split: Split, rng: np.random.Generator) -> Sample | None:
    """A second turn that refers back to the object of the first: "it", "the star left of it"."""
    there = np.flatnonzero(view.present == YES)
    if not len(there):
        return None
    index = int(there[int(rng.integers(len(there)))])
    anchor = describe_kind(view, index, rng)
    if anchor is None:
        return None
    opening = pick_template(FIND, split, rng).text.format(kind=verbalize_kind(anchor, rng))
    phrase, target = pick_template(IT, split, rng), index
    chain: tuple[tuple[int, int], ...] = ()
    if rng.random() < 0.6:
        query = Beside(sample_kind(view, split, rng, keep=0.4), DIRECTIONS[int(rng.integers(4))], anchor)
        found = only_match(query.truth(view))
        if found is not None:
            phrase, target, chain = verbalize(query, split, rng, anchor="it"), found, ((index, frame),)
    return Sample(
        task="rec",
        kind="pronoun",
        frames=(frame,),
        expression=phrase.text,
        target=target,
        chain=chain,
        history=(DialogueTurn(opening, "", index),),
        template=phrase.template,
        held_out_template=phrase.is_held_out,
    )


def rsot_sample(clip: Clip, rng: np.random.Generator, relational: float = 0.0) -> Sample | None:
    """A referring expression and its object through a clip, or one that matches none at any time.

    Positions refer to the first frame. They are stated without " at the start" only where they hold throughout: no
    other object matches in any later frame. relational: see `make_samples`.
    """
    view = video_view(clip)
    wants_absent = rng.random() < ABSENT_SHARE
    family = sample_family(is_clip=True, relational=relational, rng=rng)
    for _ in range(TRIES):
        query = sample_query(family, view, clip.split, rng, change=wants_absent)
        truth = query.truth(view)
        target = only_match(truth)
        if not (is_absent(truth) if wants_absent else target is not None):
            continue
        holds = _holds_throughout(query, clip, target)
        if not holds and (target is None or isinstance(query, AttributeQuery)):
            continue
        phrase = verbalize(query, clip.split, rng)
        text = phrase.text if holds else phrase.text + pick_template(AT_THE_START, clip.split, rng).text
        return Sample(
            task="rsot",
            kind=family,
            frames=tuple(range(len(clip.frames))),
            expression=text,
            target=target,
            absent=target is None,
            chain=() if target is None else _reference_chain_in_clip(query, clip, view, target),
            template=phrase.template,
            held_out_template=phrase.is_held_out,
        )
    return None


def _reference_chain_in_clip(query: Query, clip: Clip, view: SceneView, target: int) -> tuple[tuple[int, int], ...]:
    """Motion is known in the last frame that shows the object; all else refers to the first frame."""
    if isinstance(query, Moving):
        return ((target, int(np.flatnonzero(clip.visible[:, target] > UNSEEN)[-1])),)
    return tuple((index, 0) for index in reference_chain(query, view))


def _holds_throughout(query: Query, clip: Clip, target: int | None) -> bool:
    """Whether no object but the target can match a query, whichever frame positions refer to."""
    if isinstance(query, Moving) and query.kind.size is None:
        return True
    for frame in range(1, len(clip.frames)):
        truth = query.truth(video_view(clip, frame))
        if target is not None:
            truth[target] = NO
        if not is_absent(truth):
            return False
    return True


def _marked(view: SceneView, rng: np.random.Generator) -> int | None:
    """An object that can be marked with a box, or None."""
    there = np.flatnonzero(np.minimum(view.placed, view.present) == YES)
    return int(there[int(rng.integers(len(there)))]) if len(there) else None


def attributes(view: SceneView, index: int) -> tuple[str, ...] | None:
    """Size, pattern, colour and shape of an object, as words; None where its size is ambiguous."""
    spec = view.objects[index]
    if AttributeQuery(size=spec.size).truth(view)[index] != YES:
        return None
    return (spec.size, spec.pattern, spec.colour, spec.shape)


def reg_sample(clip: Clip, frame: int, rng: np.random.Generator) -> Sample | None:
    """The description of a marked object of a frame."""
    view = image_view(clip, frame)
    index = _marked(view, rng)
    words = None if index is None else attributes(view, index)
    if index is None or words is None:
        return None
    return Sample(
        task="reg", kind="attribute", frames=(frame,), region=index, expression=" ".join(words), attributes=words
    )


def motion_word(view: SceneView, index: int) -> str | None:
    """How an object moves, as a word of the vocabulary; None where that is ambiguous."""
    for direction in DIRECTIONS:
        if view.motions[direction][index] == YES:
            return f"moving {direction}"
    return "not moving" if view.motions["still"][index] == YES else None


def video_reg_sample(clip: Clip, rng: np.random.Generator) -> Sample | None:
    """The description of an object marked in the first frame, with its motion."""
    view = video_view(clip)
    index = _marked(view, rng)
    words = None if index is None else attributes(view, index)
    if index is None or words is None:
        return None
    motion = motion_word(view, index)
    if motion is None:
        return None
    return Sample(
        task="video_reg",
        kind="motion",
        frames=tuple(range(len(clip.frames))),
        region=index,
        expression=" ".join((*words, motion)),
        attributes=(*words, motion),
    )


def sot_sample(clip: Clip, rng: np.random.Generator) -> Sample | None:
    """An object marked in the first frame, to be tracked."""
    index = _marked(video_view(clip), rng)
    if index is None:
        return None
    return Sample(task="sot", kind="follow", frames=tuple(range(len(clip.frames))), region=index, target=index)


def caption_sample(clip: Clip, frame: int | None, *, grounded: bool) -> Sample | None:
    """All objects from left to right, of a frame or (None) of a clip with their motion; None where that is ambiguous.

    A grounded caption holds the span of each phrase in the text.
    """
    view = video_view(clip) if frame is None else image_view(clip, frame)
    placed = np.flatnonzero(view.placed == YES)
    left = view.centres[placed, 0]
    order = placed[np.argsort(left, kind="stable")]
    if not view.is_settled or not 1 <= len(order) <= 5 or (view.present == YES).sum() != len(order):
        return None
    if (np.diff(np.sort(left)) < 0.02).any():
        return None
    text, spans = "", []
    for number, index in enumerate(order.tolist()):
        spec = view.objects[index]
        joint = "" if number == 0 else " and " if number == len(order) - 1 else ", "
        name = article(kind_name(AttributeQuery(spec.shape, spec.colour)))
        start = len(text) + len(joint)
        text += joint + name
        spans.append((start, len(text), index))
        if frame is None:
            motion = motion_word(view, index)
            if motion is None:
                return None
            text += f" {motion}"
    text = text[0].upper() + text[1:] + "."
    return Sample(
        task="grounded_caption" if grounded else "caption",
        kind="video" if frame is None else "image",
        frames=tuple(range(len(clip.frames))) if frame is None else (frame,),
        answer=text,
        spans=tuple(spans) if grounded else (),
    )
