"""Samples of questions with one true answer, by the predicates of `facts`: VQA about images, video QA about clips."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.worlds.expressions import FIND, attributes, motion_word
from training.worlds.facts import MAYBE, YES, SceneView, image_view, video_view
from training.worlds.queries import AttributeQuery, Moving, beside, is_absent, only_match
from training.worlds.query_sampling import DIRECTIONS, sample_kind
from training.worlds.sample import DialogueTurn, Sample
from training.worlds.templates import BESIDE_WORDS, article, kind_name, pick_template, plural, verbalize_kind
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.vocabulary import Split

COUNT = (
    "How many {kinds} are there?",
    "How many {kinds} do you see?",
    "Count the {kinds}.",
    "What is the number of {kinds}?",
)
COLOUR = (
    "What colour is {the}?",
    "Which colour does {the} have?",
    "Tell me the colour of {the}.",
    "What is the colour of {the}?",
)
SHAPE = (
    "What shape is {the}?",
    "Which shape does {the} have?",
    "Tell me the shape of {the}.",
    "What kind of thing is {the}?",
)
PATTERN = (
    "What pattern does {the} have?",
    "Is {the} plain, striped, dotted or checked?",
    "Tell me the pattern of {the}.",
    "What is the surface of {the} like?",
)
SIZE = ("What size is {the}?", "Is {the} small, medium or large?", "How large is {the}?", "Tell me the size of {the}.")
EXISTS = (
    "Is there {a}?",
    "Do you see {a}?",
    "Can you see {a}?",
    "Is {a} in the picture?",
    "Does the picture show {a}?",
)
BESIDE = (
    "What is {side} {the}?",
    "Which object is {side} {the}?",
    "What do you see {side} {the}?",
    "Name the object {side} {the}.",
)
WHICH_SIDE = (
    "Is {the} left or right of {anchor}?",
    "On which side of {anchor} is {the}?",
    "Which side of {anchor} is {the} on, left or right?",
)
WHICH_HEIGHT = (
    "Is {the} above or below {anchor}?",
    "Which is it, is {the} above {anchor} or below it?",
    "Does {the} lie above or below {anchor}?",
)
WHAT_IS_THIS = ("What is this?", "Describe this object.", "What do you see here?", "Tell me what this is.")
DIRECTION = (
    "Which way does {the} move?",
    "Where does {the} go?",
    "In which direction does {the} move?",
    "How does {the} move?",
)
DOES_MOVE = ("Does {the} move?", "Is {the} moving?", "Is {the} in motion?")
RETURNS = (
    "Does {the} come back after hiding?",
    "Does {the} disappear and come back?",
    "Does {the} hide and return?",
)
LEAVES = ("Does {the} leave?", "Does {the} go out of view?", "Does {the} go away?")
APPEARS = ("Does {the} appear later?", "Does {the} come into view?", "Does {the} turn up later?")
WHO = {
    "returns": (
        "Which object comes back after hiding?",
        "What disappears and comes back?",
        "Which object hides and returns?",
    ),
    "leaves": ("Which object leaves?", "What goes away?", "Which object goes out of view?"),
    "appears": ("Which object appears later?", "What turns up later?", "Which object comes into view?"),
    "still": ("Which object does not move?", "What stands still?", "Which object stays in place?"),
    "left": ("Which object moves left?", "What moves left?", "Which object goes left?", "What is heading left?"),
    "right": ("Which object moves right?", "What moves right?", "Which object goes right?", "What is heading right?"),
    "up": ("Which object moves up?", "What moves up?", "Which object goes up?", "What is heading up?"),
    "down": ("Which object moves down?", "What moves down?", "Which object goes down?", "What is heading down?"),
}
NONEMPTY_SIDE_SHARE = 0.7  # share of training's relation questions whose answer is an object
NOTHING = "nothing"
EVENT_QUESTIONS = {"returns": RETURNS, "leaves": LEAVES, "appears": APPEARS}


@dataclass(frozen=True, slots=True)
class Reference:
    """How a question refers to an object: by a name, by "it" after an earlier turn, or by a marked region."""

    index: int
    text: str
    region: int | None = None
    history: tuple[DialogueTurn, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The context of a question: a view, its frames, the split and the random generator."""

    view: SceneView
    frames: tuple[int, ...]
    is_video: bool
    split: Split
    rng: np.random.Generator

    def sample(
        self,
        kind: str,
        family: tuple[str, ...],
        answer: str,
        *,
        about: Reference | None = None,
        target: int | None = None,
        chain: tuple[tuple[int, int], ...] = (),
        **values: str,
    ) -> Sample:
        """A question from a family of templates, filled with the reference and the values."""
        phrase = pick_template(family, self.split, self.rng)
        if about is not None:
            values["the"] = about.text
            target = about.index if target is None else target
        text = phrase.template.format(**values)
        return Sample(
            task="video_qa" if self.is_video else "vqa",
            kind=kind,
            frames=self.frames,
            question=text[0].upper() + text[1:],
            answer=answer,
            target=target,
            region=about.region if about else None,
            chain=chain,
            history=about.history if about else (),
            template=phrase.template,
            held_out_template=phrase.is_held_out,
        )

    def visible_object(self) -> int | None:
        """Any object that is certainly present and visible, or None."""
        there = np.flatnonzero(np.minimum(self.view.present, self.view.placed) == YES)
        return int(there[int(self.rng.integers(len(there)))]) if len(there) else None

    def refer(self, *hidden: str, plain: bool = False) -> Reference | None:
        """A reference to an object that reveals none of the hidden attributes; `plain`: by its name alone."""
        index = self.visible_object()
        if index is None:
            return None
        choice = 1.0 if plain else self.rng.random()
        if choice < 0.15:
            return Reference(
                index, ("this object", "this", "the marked object")[int(self.rng.integers(3))], region=index
            )
        spec = self.view.objects[index]
        for _ in range(6):
            shown = {"shape": 0.85, "colour": 0.6, "size": 0.25, "pattern": 0.2}
            words = {
                name: getattr(spec, name)
                for name, share in shown.items()
                if name not in hidden and self.rng.random() < share
            }
            kind = AttributeQuery(**words)
            if words and only_match(kind.truth(self.view)) == index:
                name = verbalize_kind(kind, self.rng)
                if choice > 0.25:
                    return Reference(index, f"the {name}")
                opening = pick_template(FIND, self.split, self.rng).template.format(kind=name)
                return Reference(index, "it", history=(DialogueTurn(opening, "", index),))
        return None


Ask = Callable[[Scope], Sample | None]


def a_kind(view: SceneView, index: int) -> str:
    """An object's name as an answer: "a red star"."""
    spec = view.objects[index]
    return article(kind_name(AttributeQuery(spec.shape, spec.colour)))


def ask_count(scope: Scope) -> Sample | None:
    """How many of a kind there are, from 0."""
    kind = sample_kind(scope.view, scope.split, scope.rng, keep=0.5, change=scope.rng.random() < 0.3)
    if scope.rng.random() < 0.2:
        kind = AttributeQuery()
    truth = kind.truth(scope.view)
    if (truth == MAYBE).any() or kind.other_than:
        return None
    words = kind_name(kind).split()
    words[-1] = plural(words[-1])
    return scope.sample("count", COUNT, str(int((truth == YES).sum())), kinds=" ".join(words))


def ask_attribute(scope: Scope) -> Sample | None:
    """Colour, shape, pattern or size of an object."""
    name = ("colour", "shape", "pattern", "size", "colour", "shape")[int(scope.rng.integers(6))]
    about = scope.refer(name)
    if about is None:
        return None
    family = {"colour": COLOUR, "shape": SHAPE, "pattern": PATTERN, "size": SIZE}[name]
    answer = str(getattr(scope.view.objects[about.index], name))
    if name == "size" and AttributeQuery(size=answer).truth(scope.view)[about.index] != YES:
        return None
    return scope.sample(name, family, answer, about=about)


def ask_exists(scope: Scope) -> Sample | None:
    """Whether there is one of a kind."""
    change = bool(scope.rng.random() < 0.6)
    kind = sample_kind(scope.view, scope.split, scope.rng, change=change)
    truth = kind.truth(scope.view)
    if is_absent(truth):
        return scope.sample("exists", EXISTS, "no", a=article(verbalize_kind(kind, scope.rng)))
    if (truth == YES).any() and not (change and scope.rng.random() < 0.5):
        return scope.sample(
            "exists", EXISTS, "yes", a=article(verbalize_kind(kind, scope.rng)), target=only_match(truth)
        )
    return None


def ask_beside(scope: Scope) -> Sample | None:
    """What is on a side of an object: the one that is there, or nothing."""
    about = scope.refer()
    if about is None or not scope.view.is_settled:
        return None
    # Two sides in three are empty; a model that learns this prior answers "nothing" too often.
    wants_nonempty = scope.split == "train" and bool(scope.rng.random() < NONEMPTY_SIDE_SHARE)
    for direction in (
        scope.rng.permutation(DIRECTIONS).tolist() if wants_nonempty else scope.rng.choice(DIRECTIONS, 1).tolist()
    ):
        truth = np.minimum(beside(scope.view, direction, about.index), scope.view.present)
        side, found = BESIDE_WORDS[direction], only_match(truth)
        if found is not None:
            chain = ((about.index, scope.frames[0]),)
            answer = a_kind(scope.view, found)
            return scope.sample("relation", BESIDE, answer, about=about, target=found, chain=chain, side=side)
        if is_absent(truth) and not wants_nonempty:
            return scope.sample("relation", BESIDE, NOTHING, about=about, side=side)
    return None


def ask_side(scope: Scope) -> Sample | None:
    """On which side of one object another lies."""
    about, anchor = scope.refer(), scope.refer(plain=True)
    if about is None or anchor is None or about.index == anchor.index:
        return None
    is_across = bool(scope.rng.random() < 0.5)
    for direction in ("left", "right") if is_across else ("up", "down"):
        if beside(scope.view, direction, anchor.index)[about.index] == YES:
            answer = BESIDE_WORDS[direction].removesuffix(" of")
            family = WHICH_SIDE if is_across else WHICH_HEIGHT
            return scope.sample("side", family, answer, about=about, anchor=anchor.text)
    return None


def ask_what_is_this(scope: Scope) -> Sample | None:
    """The description of a marked object."""
    index = scope.visible_object()
    words = None if index is None else attributes(scope.view, index)
    if index is None or words is None:
        return None
    return scope.sample("describe", WHAT_IS_THIS, article(" ".join(words)), about=Reference(index, "", region=index))


def ask_direction(scope: Scope) -> Sample | None:
    """The direction in which an object moves."""
    about = scope.refer()
    motion = None if about is None else motion_word(scope.view, about.index)
    if motion is None:
        return None
    if scope.rng.random() < 0.25:
        return scope.sample("motion", DOES_MOVE, "no" if motion == "not moving" else "yes", about=about)
    return scope.sample("motion", DIRECTION, motion, about=about)


def ask_event(scope: Scope) -> Sample | None:
    """Whether an object comes back, leaves or appears."""
    about = scope.refer()
    event = tuple(EVENT_QUESTIONS)[int(scope.rng.integers(3))]
    if about is None or scope.view.motions[event][about.index] == MAYBE:
        return None
    happens = bool(scope.view.motions[event][about.index] == YES)
    if not happens and scope.rng.random() < 0.6:
        return None
    return scope.sample("event", EVENT_QUESTIONS[event], "yes" if happens else "no", about=about)


def ask_object(scope: Scope) -> Sample | None:
    """Which object does something, or that none does."""
    motion = tuple(WHO)[int(scope.rng.integers(len(WHO)))]
    truth = Moving(AttributeQuery(), motion).truth(scope.view)
    if is_absent(truth):
        return scope.sample("who", WHO[motion], NOTHING) if scope.rng.random() < 0.3 else None
    found = only_match(truth)
    return None if found is None else scope.sample("who", WHO[motion], a_kind(scope.view, found), target=found)


IMAGE_QUESTIONS: tuple[tuple[Ask, float], ...] = (
    (ask_count, 0.17),
    (ask_attribute, 0.30),
    (ask_exists, 0.15),
    (ask_beside, 0.18),
    (ask_side, 0.10),
    (ask_what_is_this, 0.10),
)
VIDEO_QUESTIONS: tuple[tuple[Ask, float], ...] = (
    (ask_direction, 0.30),
    (ask_object, 0.24),
    (ask_event, 0.16),
    (ask_attribute, 0.15),
    (ask_count, 0.08),
    (ask_exists, 0.07),
)


def question_sample(clip: Clip, frame: int | None, rng: np.random.Generator) -> Sample | None:
    """A question about a frame, or (None) about the whole clip; None where every case was ambiguous."""
    view = video_view(clip) if frame is None else image_view(clip, frame)
    frames = tuple(range(len(clip.frames))) if frame is None else (frame,)
    scope = Scope(view, frames, frame is None, clip.split, rng)
    questions = VIDEO_QUESTIONS if frame is None else IMAGE_QUESTIONS
    edges = np.cumsum([weight for _, weight in questions])
    for _ in range(4):
        ask = questions[int(np.searchsorted(edges, rng.random() * edges[-1], side="right"))][0]
        sample = ask(scope)
        if sample is not None:
            return sample
    return None
