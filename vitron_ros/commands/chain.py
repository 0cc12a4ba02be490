"""Does the steps of a command one after the other; each works on what the one before gave."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Generic

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.commands.conversation import OTHER, Conversation, Turn
from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.finding import find_object
from vitron_ros.commands.plan import Plan, Step, Target, check_plan
from vitron_ros.commands.reading import with_object
from vitron_ros.commands.world import P, World
from vitron_ros.grounding.intent import read_intent, tokenise
from vitron_ros.modules.module import Progress
from vitron_ros.region import Region

OnStep = Callable[[int, Plan, str], object]
"""Told before each step: its number from 1, the plan, and what was said so far."""
FIND_SHARE = 0.2  # of a step's progress, where its object must be found first
EVERYTHING = frozenset(("all", "everything"))  # beside "undo"
SAME_IOU = 0.5  # of the boxes of one and the same object
NO_OBJECT = '"{text}": what is meant? Name the object, or mark it'
NO_FRONT = '"{text}": what stays in front of it? Name that first, as in "cut out the mug and {text}", or mark it'


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Reply(Generic[P]):
    """What came of a command.

    Attributes:
        text: for a person.
        target: what it was about.
        pictures: its result; None: none.
    """

    text: str
    target: Target | None = None
    pictures: P | None = None


def do(
    text: str,
    world: World[P],
    conversation: Conversation[P],
    progress: Progress,
    on_step: OnStep = lambda number, plan, said: None,
) -> Reply[P]:
    """Do what a sentence says. What it brought about is added to the conversation.

    Raises:
        CommandFailure: a step cannot be done; those before it are, those behind it not.
        Cancelled: `progress` was cancelled.
    """
    if read_intent(text).control == "undo":
        return _undo(world, conversation, is_all=not EVERYTHING.isdisjoint(tokenise(text)))
    marked = world.marked()
    target: Target | None
    pictures: P | None = None
    if marked is None and OTHER.fullmatch(text):
        plan, target = _other(world, conversation, progress)
    else:
        plan, target, pictures = conversation.read(text)
    is_remembered = marked is None and target is conversation.target
    chain = _Chain(world, plan, progress, on_step, marked or target, pictures, is_remembered)
    try:
        return chain.run()
    finally:
        if chain.is_something_done:
            conversation.add(chain.turn())


def _undo(world: World[P], conversation: Conversation[P], is_all: bool) -> Reply[P]:
    undone = [conversation.undo()]
    while is_all and conversation.has_done_something:
        undone.append(conversation.undo())
    for turn in undone:
        world.release(turn.tracks)
    said = f"undone: {', '.join(step.text for turn in undone for step in turn.plan)}"
    return Reply(text=said, target=conversation.target, pictures=conversation.pictures)


def _other(world: World[P], conversation: Conversation[P], progress: Progress) -> tuple[Plan, Target]:
    """The newest steps, for another object that the same words fit."""
    plan, last = conversation.other()
    assert last.region is not None
    name = last.phrase.removeprefix("the ").removeprefix("a ").removeprefix("an ")
    named = world.ask(f"where is every {name}?", progress.part(0, 0)).named
    others = [target for target in named if target.region is not None and not _is_same(target.region, last.region)]
    if not others:
        raise CommandFailure(Outcome.NOT_FOUND, f"the model names no other {name}; describe the one that is meant")
    return plan, replace(others[0], phrase=last.phrase)


def _is_same(one: Region, other: Region) -> bool:
    return float(iou(_box(one), _box(other))) >= SAME_IOU


def _box(region: Region) -> Boxes:
    return np.concatenate([region.points.min(axis=0), region.points.max(axis=0)])


@dataclass(slots=True, eq=False)
class _Chain(Generic[P]):
    """A plan while it is carried out."""

    world: World[P]
    plan: Plan
    progress: Progress
    on_step: OnStep
    target: Target | None
    pictures: P | None
    is_remembered: bool
    result: P | None = None
    start: tuple[Target | None, P | None] = (None, None)
    inputs: tuple[Target | None, P | None] = (None, None)
    tracks: set[int] = field(default_factory=set)
    found: dict[int, Target] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def run(self) -> Reply[P]:
        check_plan(self.plan)
        self.start = self.target, self.pictures
        self._find_objects()
        count = len(self.plan)
        for index, step in enumerate(self.plan):
            self.on_step(index + 1, self.plan, "\n".join(self.said))
            part = self.progress.part(index / count, (index + 1) / count)
            part.report(0.0)
            try:
                self.said.append(self._do(index, step, part))
            except CommandFailure as error:
                done = f" ({index} of {count} steps were done)" if index else ""
                where = f"{step.text}: " if count > 1 else ""
                raise CommandFailure(error.outcome, f"{where}{error}{done}") from error
            part.report(1.0)
        if not self.plan and self.target is not None:
            self.said.append(f"the other {self.target.phrase}")
        return Reply(text="\n".join(self.said), target=self.target, pictures=self.result)

    @property
    def is_something_done(self) -> bool:
        return bool(self.said or self.tracks)

    def turn(self) -> Turn[P]:
        return Turn(
            plan=self.plan,
            target=self.target,
            pictures=self.result,
            start_target=self.start[0],
            start_pictures=self.start[1],
            input_target=self.inputs[0],
            input_pictures=self.inputs[1],
            tracks=frozenset(self.tracks),
        )

    def _find_objects(self) -> None:
        """Before anything is changed: where all objects are that modules' steps name, if they name several."""
        named = [index for index, step in enumerate(self.plan) if step.kind == "module" and step.object]
        if len(named) > 1:
            targets = tuple(find_object(self.plan[index], self.world, self.progress.part(0, 0)) for index in named)
            self.found = dict(zip(named, self.world.aligned(targets, self.progress.part(0, 0)), strict=True))

    def _do(self, index: int, step: Step, progress: Progress) -> str:
        if step.kind == "ask":
            answer = self.world.ask(step.text, progress)
            if answer.named:
                self.target = replace(answer.named[0], phrase=step.object or answer.named[0].phrase)
            return answer.text
        if step.kind == "track":
            return self._track(step, progress)
        if step.kind == "play":
            return self._play(step, progress)
        return self._run_module(index, step, progress)

    def _track(self, step: Step, progress: Progress) -> str:
        if not step.object and self.target is None:
            raise CommandFailure(Outcome.REFUSED, NO_OBJECT.format(text=step.text))
        self.target = self.world.track(step.object, None if step.object else self.target, progress)
        self.tracks.add(self.target.track_id)
        return f"{step.text}: target {self.target.track_id}"

    def _play(self, step: Step, progress: Progress) -> str:
        if self.pictures is None:
            raise CommandFailure(Outcome.REFUSED, f'"{step.text}": there is no result yet that could be played')
        self.world.play(self.pictures, progress)
        return f"{step.text}: done"

    def _run_module(self, index: int, step: Step, progress: Progress) -> str:
        start = FIND_SHARE if step.object and index not in self.found else 0.0
        target = self._object(index, step, progress.part(0, start))
        self.inputs = target, self.pictures
        self.pictures = self.result = self.world.run(step, target, self.pictures, progress.part(start, 1))
        self.target = _after(step, target, self.result) or self.target
        return f"{step.text}: done" + (f"; {self.result.note}" if self.result.note else "")

    def _object(self, index: int, step: Step, progress: Progress) -> Target | None:
        """What a module's step is about; None: all that there is to see, or nothing."""
        if index in self.found:
            return self.found[index]
        if step.object:
            return find_object(step, self.world, progress)
        if not step.needs_object:
            return None
        if self.target is None:
            unknown = NO_FRONT if step.action == "background" else NO_OBJECT
            raise CommandFailure(Outcome.REFUSED, unknown.format(text=step.text))
        if self.target.region is None:
            raise CommandFailure(Outcome.NOT_FOUND, f"nothing is left of {self.target.phrase or 'it'}")
        if self.is_remembered and self.pictures is None and self.target.phrase and not self.target.track_id:
            return find_object(with_object(step, self.target.phrase), self.world, progress)  # it may have moved since
        return self.target


def _after(step: Step, target: Target | None, result: P) -> Target | None:
    """What "it" means after a step; None: what it meant before."""
    if step.action == "remove" and target is not None:
        return replace(target, region=None)
    if target is None:
        return Target(phrase="", region=result.region) if step.action == "generate" else None
    return target if result.region is None else replace(target, region=result.region)
