"""A sentence as steps: data that is checked before anything is done."""

from dataclasses import dataclass
from typing import Literal

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.module_registry import INSTRUCTION_VERBS, REGISTRY, Action, ModuleEntry
from vitron_ros.modules.instructions import LONGEST
from vitron_ros.region import Region

StepKind = Literal["track", "ask", "module", "play"]
MOST_STEPS = 12
WITHOUT_OBJECT: frozenset[Action] = frozenset(("generate", "style"))
"""Actions that need no object in the images."""
VERBS = {action: verb for verb, action in reversed(INSTRUCTION_VERBS.items())}
"""What the instruction of each action begins with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do.

    Attributes:
        text: the clause that asks for it, such as "make it blue".
        object: what it is done to, such as "the purple mug"; empty: the last target.
        action: of a module.
        is_clip: on a clip rather than one image; None: the sentence does not say.
    """

    kind: StepKind
    text: str
    object: str = ""
    action: Action | None = None
    is_clip: bool | None = None

    @property
    def needs_object(self) -> bool:
        return self.kind == "track" or (self.action is not None and self.action not in WITHOUT_OBJECT)

    @property
    def instruction(self) -> str:
        """As an invocation has it."""
        return f"{VERBS[self.action]}: {self.text}" if self.action is not None else self.text


Plan = tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """An object that a step is about.

    Attributes:
        phrase: what it was called.
        region: where it is in the image of `stamp_ns`; None: nowhere any more.
        stamp_ns: 0: the newest image.
        track_id: 0: it is not followed.
        instructions: of the call that the model made of the step.
    """

    phrase: str
    region: Region | None
    stamp_ns: int = 0
    track_id: int = 0
    instructions: tuple[str, ...] = ()


def module_for(action: Action, *, is_clip: bool) -> ModuleEntry:
    """The module that does an action on, or makes, a clip or one image."""
    entries = [entry for entry in REGISTRY.values() if action in entry.actions]
    kinds = [entry for entry in entries if (entry.input == "clip" or entry.makes_clip) == is_clip]
    return (kinds or entries)[0]


def check_plan(plan: Plan) -> None:
    """Raises CommandFailure for what could not be done whatever the camera shows; nothing has been done yet."""
    if len(plan) > MOST_STEPS:
        raise CommandFailure(Outcome.REFUSED, f"that is {len(plan)} steps; say at most {MOST_STEPS} at once")
    for step in plan:
        if (step.kind == "module") != (step.action is not None):
            raise CommandFailure(Outcome.REJECTED, f'the step "{step.text}" names no action of a module')
        if not step.text:
            raise CommandFailure(Outcome.REJECTED, "nothing was said; say what to do, or ask a question")
        if len(step.text) > LONGEST:
            raise CommandFailure(Outcome.REJECTED, f"a step has {LONGEST:,} characters at most; say it in fewer words")
        if step.kind == "track" and step.is_clip is False:
            raise CommandFailure(Outcome.REJECTED, f'"{step.text}" speaks of one image, in which nothing is followed')


def check_call(step: Step, instructions: tuple[str, ...]) -> None:
    """Raises CommandFailure if a call that the model made is not what its step asks for."""
    verbs = [text.partition(":")[0].strip().lower() for text in instructions]
    others = [action for verb in verbs if (action := INSTRUCTION_VERBS.get(verb, step.action)) != step.action]
    if others:
        raise CommandFailure(Outcome.REJECTED, f'the model would {others[0]}, but "{step.text}" was said')
