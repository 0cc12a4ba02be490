"""How a command ends that could not be done."""

from enum import IntEnum

from vitron_ros.errors import VitronError


class Outcome(IntEnum):
    """The values of Command.Result.error_code."""

    NONE = 0
    CANCELED = 1
    TIMEOUT = 2
    INPUT_STALE = 3
    MODEL_ERROR = 4
    SHUTDOWN = 5
    BAD_REGION = 6
    NOT_UNDERSTOOD = 7
    UNSURE = 8
    REFUSED = 9
    INTERNAL_ERROR = 10
    NOT_FOUND = 11
    REJECTED = 12
    MODULE_ERROR = 13
    UNREACHABLE = 14
    BUSY = 15


class CommandFailure(VitronError):
    """A command, or a step of one, could not be done; one sentence says why."""

    def __init__(self, outcome: Outcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


def outcome_of(name: str, otherwise: Outcome) -> Outcome:
    """The outcome of that name, as other actions call theirs."""
    return Outcome.__members__.get(name, otherwise)
