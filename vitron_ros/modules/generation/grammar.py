"""The grammar of embedded generation: a text to the scene that it asks for.

It is closed: a text is understood in all its words, or refused with what is known. Nothing is drawn wrong.

    scene      thing { tail } { ("and" | "with" | ",") (thing | motion) { tail } }
    thing      count { colour | size | pattern } noun [ "with" stripes ]
    tail       place | relation thing | motion | background
"""

from dataclasses import dataclass, field, replace
from typing import Any

from vitron_ros.modules.generation.lexicon import (
    COLOUR_WORDS,
    COUNTS,
    FILLERS,
    GROUNDS,
    KNOWN_WORDS,
    LEADS,
    MOTION_VERBS,
    MOVE_VERBS,
    NOUNS,
    PATTERN_NOUNS,
    PATTERN_WORDS,
    PICTURES,
    RELATIONS,
    SAME_IN_PLURAL,
    SINGULAR,
    SIZE_WORDS,
    SURFACE_WORDS,
    TURN_VERBS,
    TURNS,
    VIEWS,
    WHOLE_MOTIONS,
    what_is_known,
)
from vitron_ros.modules.generation.scene_plan import MAX_THINGS, STILL, Motion, Relation, ScenePlan, Side, Thing
from vitron_ros.modules.module import BadJob
from vitron_ros.modules.words import DIRECTIONS, SIDES, words_of

_SEPARATORS = frozenset((",", ".", ";", "and", "with", "then", "plus"))
_ATTRIBUTES = {"colour": COLOUR_WORDS, "size": SIZE_WORDS, "pattern": PATTERN_WORDS}
_ADJECTIVES = frozenset().union(*_ATTRIBUTES.values())
_ARTICLES = frozenset(("a", "an", "the", "its"))


def parse_scene(text: str) -> ScenePlan:
    """The scene that a text asks for, such as "a red ball left of a large striped cup, moving up".

    Raises:
        BadJob: a word is not understood, it contradicts another, or there are too many things.
    """
    parser = _Parser(words_of(text))
    parser.lead()
    while not parser.at_end():
        parser.statement()
    return parser.plan()


def parse_thing(text: str) -> Thing:
    """The one thing that a text names, such as "a blue star".

    Raises:
        BadJob: it names no such thing, more than one, or says where it is.
    """
    plan = parse_scene(text)
    if (
        len(plan.things) != 1
        or plan.background
        or plan.things[0].place != (None, None)
        or plan.things[0].motion != STILL
    ):
        raise BadJob(f"{text!r} is more than one thing; name one, such as a blue star")
    return plan.things[0]


def parse_motion(text: str) -> Motion:
    """The motion at the end of "the red car drives to the left and turns".

    Raises:
        BadJob: there is none, or a word after its verb is not understood.
    """
    words = words_of(text)
    start = next((index for index, word in enumerate(words) if word in MOTION_VERBS), None)
    if start is None:
        raise BadJob(f"{text!r} does not say how it moves; say that it moves left, right, up or down, or turns")
    parser = _Parser(words[start:])
    motion = parser.motion()
    while not parser.at_end():
        if parser.word() not in _SEPARATORS | FILLERS:
            raise parser.refusal()
        parser.next()
        if parser.word() in MOTION_VERBS:
            motion = _joined(motion, parser.motion())
    return motion


def _joined(first: Motion, second: Motion) -> Motion:
    x, y = (one or other for one, other in zip(first.direction, second.direction, strict=True))
    return Motion((x, y), first.turns or second.turns)


@dataclass(slots=True)
class _Parser:
    """Reads words from left to right. `subjects` are the things that a verb is about, `before`
    those of the statement before, `latest` those just named."""

    words: list[str]
    index: int = 0
    things: list[Thing] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    background: str | None = None
    subjects: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    latest: tuple[int, ...] = ()

    def word(self, ahead: int = 0) -> str:
        """A word from here on; empty after the last."""
        place = self.index + ahead
        return self.words[place] if place < len(self.words) else ""

    def next(self) -> str:
        word = self.word()
        self.index += 1
        return word

    def skip(self, *words: str) -> bool:
        """Whether these words come next; if so they are passed."""
        if tuple(self.words[self.index : self.index + len(words)]) != words:
            return False
        self.index += len(words)
        return True

    def skip_any(self, words: frozenset[str]) -> bool:
        """Whether one of these words comes next; if so it is passed."""
        if self.word() not in words:
            return False
        self.index += 1
        return True

    def at_end(self) -> bool:
        return self.index >= len(self.words)

    def refusal(self) -> BadJob:
        """Why the text cannot be read on from here."""
        rest = " ".join(self.words[self.index : self.index + 4])
        if self.at_end():
            told = "ends where it should name something"
        elif self.word() not in KNOWN_WORDS:
            told = f"has a word that embedded generation does not know, {self.word()!r}"
        else:
            told = f"is not understood from {rest!r} on"
        return BadJob(f"the text {told}; {what_is_known()}")

    def plan(self) -> ScenePlan:
        if not self.things:
            raise BadJob(f"the text names nothing to draw; {what_is_known()}")
        return ScenePlan(tuple(self.things), tuple(self.relations), self.background)

    def lead(self) -> None:
        """Passes "draw me a picture of"."""
        while self.skip_any(LEADS):
            pass
        start = self.index
        self.skip_any(_ARTICLES)
        if self.skip_any(PICTURES) and (self.at_end() or self.skip("of") or self.skip("with") or self.skip("showing")):
            return
        if self.skip("in", "which") or self.skip("where"):
            self.lead()
            return
        self.index = start

    def statement(self) -> None:
        """A thing, or more of what was said before, and what follows it."""
        while self.skip_any(_SEPARATORS) or self.skip("there", "is") or self.skip("there", "are"):
            pass
        if self.at_end():
            return
        if not (self.subjects and self.tail()):
            before, self.subjects = self.subjects, self.named(it=self.subjects)
            self.before, self.latest = before, self.subjects
        while not self.at_end():
            if self.word() == "with" and self.pattern_noun():
                continue
            if self.word() in _SEPARATORS:
                break
            if not self.tail():
                raise self.refusal()

    def named(self, *, it: tuple[int, ...]) -> tuple[int, ...]:
        """The things that a noun phrase names: new ones, those that "the" means, or what "it" stands for."""
        if it and self.skip_any(frozenset(("it", "they", "them"))):
            return it
        is_definite = self.word() == "the"
        thing, count = self.thing()
        if is_definite:
            same = tuple(index for index, other in enumerate(self.things) if _is_meant(thing, other))
            if same:
                return same[:1]
        if len(self.things) + count > MAX_THINGS:
            raise BadJob(f"the text names more than {MAX_THINGS} things; name at most {MAX_THINGS}")
        self.things += [thing] * count
        return tuple(range(len(self.things) - count, len(self.things)))

    def thing(self) -> tuple[Thing, int]:
        """A noun phrase, and how many it means."""
        count = 1
        if self.word() in COUNTS:
            count = COUNTS[self.next()]
        elif not self.skip_any(SINGULAR):
            count = 0
        attributes: dict[str, str] = {}
        while self.word() in _ADJECTIVES or (self.word() == "," and self.word(1) in _ADJECTIVES):
            word = self.next()
            for name, words in _ATTRIBUTES.items():
                if word in words:
                    attributes[name] = _only(attributes.get(name), words[word], name)
        if self.word() not in NOUNS:
            raise self.refusal()
        word = self.next()
        shape, is_plural = NOUNS[word]
        if not count and is_plural:
            raise BadJob(f"say how many {word}: two to eight")
        if is_plural != (count > 1) and word not in SAME_IN_PLURAL:
            raise BadJob(f"{count or 1} {word} is not clear: is it one, or more?")
        colour, size, pattern = map(attributes.get, ("colour", "size", "pattern"))
        return Thing(shape, colour, size, pattern), count or 1

    def tail(self) -> bool:
        """Whether what comes next says more of what was named; if so it is read."""
        if self.skip_any(FILLERS):
            if self.word() in MOTION_VERBS and self.words[self.index - 1] in ("that", "which", "who"):
                self.change(self.latest, motion=self.motion())
            return True
        if self.word() in MOTION_VERBS:
            self.change(self.subjects, motion=self.motion())
            return True
        return self.attribute() or self.ground() or self.relation() or self.place()

    def change(self, indices: tuple[int, ...], *, motion: Motion) -> None:
        for index in indices:
            self.things[index] = replace(self.things[index], motion=_joined(self.things[index].motion, motion))

    def attribute(self) -> bool:
        """Whether "(is) red" comes next; if so it is read."""
        for name, words in _ATTRIBUTES.items():
            if self.word() in words:
                self.say(name, words[self.next()])
                return True
        return False

    def say(self, attribute: str, value: str) -> None:
        """That what was just named has that attribute."""
        for index in self.latest:
            said = _only(getattr(self.things[index], attribute), value, attribute)
            change: dict[str, Any] = {attribute: said}
            self.things[index] = replace(self.things[index], **change)

    def pattern_noun(self) -> bool:
        """Whether "with stripes" comes next; if so it is read."""
        if self.word(1) not in PATTERN_NOUNS:
            return False
        self.next()
        self.say("pattern", PATTERN_NOUNS[self.next()])
        return True

    def ground(self) -> bool:
        """Whether "on grass", "in front of a brick wall" or "on a blue background" comes next; if so it is read."""
        start = self.index
        if not (self.skip("in", "front", "of") or self.skip_any(frozenset(("on", "over", "against", "in")))):
            return False
        self.skip_any(_ARTICLES)
        if self.word() in SURFACE_WORDS:
            kind = SURFACE_WORDS[self.next()]
            self.skip_any(GROUNDS)
        elif self.word() in COLOUR_WORDS and self.word(1) in GROUNDS:
            kind = COLOUR_WORDS[self.next()]
            self.next()
        else:
            self.index = start
            return False
        self.background = _only(self.background, kind, "background")
        return True

    def relation(self) -> bool:
        """Whether "to the left of the cup" comes next; if so it is read."""
        start = self.index
        if self.skip_any(frozenset(("to", "on", "at"))):
            self.skip("the")
        side = next((side for words, side in RELATIONS.items() if self.skip(*words)), None)
        if side is None or self.is_view():
            self.index = start
            return False
        others = self.named(it=self.before)
        self.latest = others
        for subject in self.subjects:
            self.relate(subject, side, others)
        return True

    def is_view(self) -> bool:
        """Whether "the picture" comes next: its left is a place, and no relation."""
        return self.word() in VIEWS or (self.word() in _ARTICLES and self.word(1) in VIEWS)

    def relate(self, subject: int, side: Side, others: tuple[int, ...]) -> None:
        if subject in others:
            raise BadJob(
                f"the {self.things[subject].shape} cannot be {side} of itself; say which is meant by its colour"
            )
        self.relations += [Relation(subject, side, other) for other in others]

    def place(self) -> bool:
        """Whether "at the top left" or "in the middle of the picture" comes next; if so it is read."""
        start = self.index
        if not self.skip_any(frozenset(("on", "at", "in", "to"))):
            return False
        self.skip("the")
        sides: list[tuple[int, int]] = []
        while self.word() in SIDES:
            sides.append(SIDES[self.next()])
        if not sides:
            self.index = start
            return False
        self.skip_any(frozenset(("corner", "side", "edge", "half", "part")))
        if self.word() == "of":
            self.next()
            self.skip_any(_ARTICLES)
            if not self.skip_any(VIEWS):
                raise self.refusal()
        place = _place(sides)
        for index in self.latest:
            if self.things[index].place not in ((None, None), place):
                raise BadJob("the text puts one thing at two places")
            self.things[index] = replace(self.things[index], place=place)
        return True

    def motion(self) -> Motion:
        """A verb of motion and its direction."""
        verb = self.next()
        if verb in WHOLE_MOTIONS:
            self.skip("still")
            self.skip_any(frozenset(("down", "up")))
            return WHOLE_MOTIONS[verb]
        self.skip_any(FILLERS)
        if verb in TURN_VERBS:
            self.skip("to", "the")
            turns = TURNS[self.next()] if self.word() in TURNS else 1
            self.skip_any(frozenset(("around", "round")))
            return Motion(turns=turns)
        assert verb in MOVE_VERBS
        if self.skip("from"):
            self.skip("the")
            self.skip_any(frozenset(SIDES))
        self.skip("to")
        self.skip("the")
        if self.word() == "bottom" or self.word() == "top":
            return Motion(SIDES[self.next()])
        if self.word() not in DIRECTIONS:
            raise BadJob("the text says that something moves, and not where: say left, right, up or down")
        x, y = DIRECTIONS[self.next()]
        if self.word() == "and" and self.word(1) in DIRECTIONS:
            self.next()
            other = DIRECTIONS[self.next()]
            x, y = x or other[0], y or other[1]
        return Motion((x, y))


def _place(sides: list[tuple[int, int]]) -> tuple[int | None, int | None]:
    """The place of "top left", "left" (any height) or "middle" (of both axes)."""
    x = next((x for x, _ in sides if x), None)
    y = next((y for _, y in sides if y), None)
    if (0, 0) in sides:
        x, y = x or 0, y or 0
    return x, y


def _is_meant(said: Thing, other: Thing) -> bool:
    """Whether "the red ball" may mean that thing."""
    attributes = (said.colour, other.colour), (said.size, other.size), (said.pattern, other.pattern)
    return said.shape == other.shape and all(word in (None, known) for word, known in attributes)


def _only(before: str | None, now: str, what: str) -> str:
    if before not in (None, now):
        raise BadJob(f"the text gives two of one {what}: {before} and {now}")
    return now
