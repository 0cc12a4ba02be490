"""Where the object is that a module's step names."""

from dataclasses import replace

from vitron_ros.commands.failure import CommandFailure, Outcome
from vitron_ros.commands.plan import Step, Target, check_call
from vitron_ros.commands.world import Answer, P, World
from vitron_ros.modules.module import Progress

NO_CALL = (Outcome.UNSURE, Outcome.REFUSED)
"""How a command ends that the model answers in words, or that it does not take on at all."""


def find_object(step: Step, world: World[P], progress: Progress) -> Target:
    """The model is told the step, and calls the module for the object; one that calls none is asked where it is.

    Raises:
        CommandFailure: it is not there, or the model would do something else.
    """
    try:
        answer = world.ask(step.text, progress)
    except CommandFailure as error:
        if error.outcome not in NO_CALL:
            raise
        answer = Answer(text="")
    if answer.instructions:
        check_call(step, answer.instructions)
    if answer.called_on is not None:
        return replace(answer.called_on, phrase=step.object, instructions=answer.instructions)
    named = world.ask(f"where is {step.object}?", progress).named
    if not named:
        raise CommandFailure(Outcome.NOT_FOUND, f"the model did not say where {step.object} is")
    return replace(named[0], phrase=step.object)
