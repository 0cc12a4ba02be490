"""The instructions of an invocation, such as "recolour: the red ring to blue", as an action and its words."""

from collections.abc import Sequence

from vitron_ros.module_registry import INSTRUCTION_VERBS, REGISTRY, Action, Module
from vitron_ros.modules.module import BadJob, Unsupported

LONGEST = 2000  # characters


def read_instructions(module: int, instructions: Sequence[str]) -> tuple[Module, Action, str]:
    """What is to be done, by which module, and to or with what.

    An instruction without a verb is meant for the only action of its module.

    Raises:
        Unsupported: there is no such module, or it has no such action.
        BadJob: there is not one action that is meant.
    """
    entry = REGISTRY.get(Module(module)) if module in list(Module) else None
    if entry is None:
        raise Unsupported(f"module {module} is none that does anything; see vitron_msgs/Invocation")
    said = [instruction.strip() for instruction in instructions if instruction.strip()]
    if not said:
        raise BadJob(f"{entry.name} was not told what to do; give an instruction, such as {_example(entry.actions)!r}")
    if sum(map(len, said)) > LONGEST:
        raise BadJob(f"the instructions have more than {LONGEST:,} characters; say less")
    read = [_read(instruction, entry.actions) for instruction in said]
    actions = {action for action, _ in read}
    if None in actions:
        raise BadJob(f"{said[0][:80]!r} does not say what to do; begin with one of {', '.join(sorted(entry.actions))}")
    if len(actions) > 1:
        asked = ", ".join(sorted(map(str, actions)))
        raise BadJob(f"one goal does one thing, this asks for {asked}; send one goal each")
    action = next(action for action in actions if action is not None)
    if action not in entry.actions:
        raise Unsupported(f"{entry.name} cannot {action}; it does {', '.join(sorted(entry.actions))}")
    return entry.module, action, "; ".join(text for _, text in read)


def _read(instruction: str, actions: frozenset[Action]) -> tuple[Action | None, str]:
    verb, colon, text = instruction.partition(":")
    known = INSTRUCTION_VERBS.get(verb.strip().lower()) if colon else None
    if known is not None:
        return known, text.strip()
    return (next(iter(actions)) if len(actions) == 1 else None), instruction


def _example(actions: frozenset[Action]) -> str:
    return f"{sorted(actions)[0]}: the red mug"
