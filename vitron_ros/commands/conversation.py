"""What a conversation remembers, and the sentences that refer to it: "again, but blue", "the other one", "undo"."""

import re
from dataclasses import dataclass, field, replace
from typing import Generic

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Plan, Step, Target
from vitron_ros.commands.reading import read_plan
from vitron_ros.commands.world import P
from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import read_intent

MOST_TURNS = 8
AGAIN = re.compile(
    r"\W*(?:and |now |please )*(?:(?:do|try) (?:it|that|this) |the same )?"
    r"(?:once more|again|re(?:peat|do)(?: that| it)?|the same)\b"
    r"\W*(?:(?:but|and|only|just|this time|now|please)\b\W*)*(?P<change>.*?)\W*",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"(?:.*[,;.] *)?(?:no|not? that one|i mean(?:t)?|and|now|but|take|try)?\W*(?:the )?other(?: one)?\W*", re.IGNORECASE
)
COLOUR = re.compile(rf"\b(?:{'|'.join(sorted(lexicon.COLOURS))})\b")
LEADS = {"move": "move it", "replace": "replace it", "background": "change the background", "style": "make the picture"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Turn(Generic[P]):
    """What one sentence brought about.

    Attributes:
        target: what it was about in the end.
        pictures: its result; None: it made none.
        start_target, start_pictures: what it began with.
        input_target, input_pictures: what its last module step worked on.
        tracks: ids of the targets that it began to follow.
    """

    plan: Plan
    target: Target | None = None
    pictures: P | None = None
    start_target: Target | None = None
    start_pictures: P | None = None
    input_target: Target | None = None
    input_pictures: P | None = None
    tracks: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class Conversation(Generic[P]):
    """The turns of a conversation. Used by one thread at a time.

    Attributes:
        turns: oldest first, at most `MOST_TURNS`.
        undone: the turn that was undone last, without what it made; "it" and "again" may mean it until something is
            made anew.
    """

    turns: list[Turn[P]] = field(default_factory=list)
    undone: Turn[P] | None = None

    def add(self, turn: Turn[P]) -> None:
        self.turns = [*self.turns, turn][-MOST_TURNS:]
        if _is_something_made(turn):
            self.undone = None

    @property
    def target(self) -> Target | None:
        """What "it" means."""
        return next((turn.target for turn in self._newest_first() if turn.target is not None), None)

    @property
    def pictures(self) -> P | None:
        """The newest result, if the newest sentence made one."""
        return self.turns[-1].pictures if self.turns else None

    @property
    def last_pictures(self) -> P | None:
        """The newest result of all sentences; what was undone is none."""
        return next((turn.pictures for turn in reversed(self.turns) if turn.pictures is not None), None)

    @property
    def has_done_something(self) -> bool:
        """Whether there is a turn to undo."""
        return any(map(_is_something_made, self.turns))

    def undo(self) -> Turn[P]:
        """Forget the newest turn that did something, and give it back.

        Raises:
            CommandFailure: there is none.
        """
        done = [turn for turn in self.turns if _is_something_made(turn)]
        if not done:
            raise CommandFailure(Outcome.REFUSED, "there is nothing to undo in this conversation")
        turn = done[-1]
        self.turns = self.turns[: self.turns.index(turn)]
        followed = replace(turn.target, track_id=0) if turn.target is not None and turn.tracks else None
        self.undone = replace(turn, target=turn.input_target or followed, pictures=None, tracks=frozenset())
        return turn

    def read(self, text: str) -> tuple[Plan, Target | None, P | None]:
        """The steps of a sentence, and the target and the pictures that it begins with.

        Raises:
            CommandFailure: it refers to what is not there, or does not say how.
        """
        turns = self._newest_first()
        last = next((turn for turn in turns if any(step.kind == "module" for step in turn.plan)), None)
        if match := AGAIN.fullmatch(text):
            if last is None:
                raise CommandFailure(
                    Outcome.REFUSED, "nothing was done yet in this conversation that could be repeated"
                )
            if change := match["change"].lower():
                return _changed(last, change)
            return last.plan, last.start_target, last.start_pictures
        plan = read_plan(text)
        refers_back = plan[0].kind == "play" or (plan[0].needs_object and not plan[0].object)
        return plan, self.target, self.pictures if refers_back else None

    def other(self) -> tuple[Plan, Target]:
        """The steps of the newest turn that was about an object, to be done to another one, and that object.

        Raises:
            CommandFailure: there was none.
        """
        last = next((turn for turn in self._newest_first() if turn.target and turn.target.region), None)
        if last is None or last.target is None or not last.target.phrase:
            said = "no object was named in this conversation of which there could be another"
            raise CommandFailure(Outcome.REFUSED, said)
        done = last.input_target or last.target  # where it was before anything was moved
        return tuple(replace(step, object="") for step in last.plan if step.kind != "ask"), done

    def _newest_first(self) -> list[Turn[P]]:
        return [*([self.undone] if self.undone else []), *reversed(self.turns)]


def _is_something_made(turn: Turn[P]) -> bool:
    return turn.pictures is not None or bool(turn.tracks)


def _changed(last: Turn[P], change: str) -> tuple[Plan, Target | None, P | None]:
    """The last step of a turn once more, on what it worked on, but otherwise."""
    step = next(step for step in reversed(last.plan) if step.kind == "module")
    colour = COLOUR.search(change)
    is_colour_alone = colour is not None and change.removeprefix("in ") == colour.group()
    if step.action == "recolour" and is_colour_alone and colour is not None:
        again = replace(step, text=f"make it {colour.group()}", object="")
    elif step.action == "generate" and is_colour_alone and colour is not None and COLOUR.search(step.text):
        again = replace(step, text=COLOUR.sub(colour.group(), step.text, count=1))
    elif step.action == "replace" and is_colour_alone and colour is not None and COLOUR.search(_replacement(step)):
        thing = COLOUR.sub(colour.group(), _replacement(step), count=1)
        again = replace(step, text=f"{LEADS['replace']} with {thing}", object="")
    elif step.action == "replace" and change.startswith(("a ", "an ")):
        again = replace(step, text=f"{LEADS['replace']} with {change}", object="")
    elif step.action in LEADS and read_intent(f"{LEADS[step.action]} {change}").actions == {step.action}:
        again = replace(step, text=f"{LEADS[step.action]} {change}", object="")
    elif change.startswith("the ") and step.object:
        again = replace(step, text=step.text.replace(step.object, change), object=change)
    else:
        raise CommandFailure(Outcome.NOT_UNDERSTOOD, f'"{step.text}" again, but how is "{change}" meant? Say all of it')
    return (again, *last.plan[last.plan.index(step) + 1 :]), last.input_target, last.input_pictures


def _replacement(step: Step) -> str:
    """What is put in the place of the object."""
    return step.text.rpartition(" with ")[2] if " with " in step.text else ""
