"""The samples of every kind: as many as are asked for, of what is annotated, each sentence about a thing once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from training.invocations.checks import problem
from training.invocations.samples import (
    KINDS,
    Kind,
    Rng,
    Sample,
    absent_sample,
    forbidden_sample,
    scene_sample,
    thing_sample,
)
from training.invocations.subjects import Media, Scene, Subjects, Thing, words_by_media
from vitron_ros.grounding.intent import tokenise
from vitron_ros.grounding.referring_expressions import parse_expressions, same
from vitron_ros.module_registry import Module

TRIES = 20  # for each sample that is asked for
CAN_DECLINE = (Module.IMAGE_SEGMENTATION, Module.IMAGE_EDITING, Module.VIDEO_SEGMENTATION, Module.VIDEO_EDITING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much of what.

    Attributes:
        of_kind: samples of each kind.
        absent, forbidden: shares of the samples of a kind whose reply declines: the thing is not there, or the text
            says what is not to be done. VITRON has none.
    """

    of_kind: int = 2000
    absent: float = 0.1
    forbidden: float = 0.03


@dataclass(slots=True)
class Generated:
    """Samples, and how many were left out for what reason."""

    samples: list[Sample] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def generate(subjects: Subjects, amounts: Amounts, seed: int) -> Generated:
    """Samples of every kind that there are subjects for, in a mixed order that the seed determines."""
    found = Generated()
    for number, kind in enumerate(KINDS):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        _of_kind(kind, subjects, amounts, rng, found)
    order = np.random.Generator(np.random.PCG64([seed, len(KINDS)])).permutation(len(found.samples))
    found.samples = [found.samples[place] for place in order]
    return found


def _of_kind(kind: Kind, subjects: Subjects, amounts: Amounts, rng: Rng, found: Generated) -> None:
    things = subjects.clip_things if kind.of_clip else subjects.image_things
    pool: Sequence[Scene | Thing] = subjects.scenes if kind.of_scene else things
    said_of = words_by_media(things)
    seen: set[tuple[Media, str]] = set()
    for attempt in range(amounts.of_kind * TRIES if pool else 0):
        if len(seen) == amounts.of_kind:
            return
        subject = pool[attempt % len(pool)]
        sample = _drawn(kind, subject, pool, said_of, amounts, rng)
        if sample is None or (sample.media, sample.request) in seen:
            continue
        reason = problem(sample)
        if reason:
            found.refused[reason] += 1
            continue
        seen.add((sample.media, sample.request))
        found.samples.append(sample)


def _drawn(
    kind: Kind,
    subject: Scene | Thing,
    pool: Sequence[Scene | Thing],
    said_of: dict[Media, frozenset[str]],
    amounts: Amounts,
    rng: Rng,
) -> Sample | None:
    other = pool[int(rng.integers(len(pool)))]
    if isinstance(subject, Scene):
        return scene_sample(kind, subject, other.media, rng)
    choice = rng.random() if kind.module in CAN_DECLINE and not kind.is_marked else 1.0
    if choice < amounts.absent:
        assert isinstance(other, Thing)
        return (
            absent_sample(kind, subject.media, other.name, rng) if _is_absent(other, said_of[subject.media]) else None
        )
    if choice < amounts.absent + amounts.forbidden:
        return forbidden_sample(kind, subject, rng)
    return thing_sample(kind, subject, rng)


def _is_absent(thing: Thing, said: frozenset[str]) -> bool:
    """Whether no word that is said of an image may name the thing. What nobody annotated may still be there."""
    words = parse_expressions(thing.name).items[0].words or tuple(tokenise(thing.name))
    return not any(same(words[-1], word) for word in said)
