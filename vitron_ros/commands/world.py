"""What a command acts on: cameras and nodes, or a recording. The steps know nothing else of it."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

from vitron_ros.commands.plan import Step, Target
from vitron_ros.modules.module import Progress
from vitron_ros.region import Region


class Pictures(Protocol):
    """Images and masks that a module gave back."""

    @property
    def note(self) -> str:
        """What could not be done; empty: nothing."""
        ...

    @property
    def region(self) -> Region | None:
        """The object in the first of them; None: it is in none."""
        ...


P = TypeVar("P", bound=Pictures)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What the model says.

    Attributes:
        named: what its words name, the best first.
        instructions: of the module that it calls; empty: it calls none.
        called_on: what it calls the module for; None: nothing in the image.
    """

    text: str
    named: tuple[Target, ...] = ()
    instructions: tuple[str, ...] = ()
    called_on: Target | None = None


class World(Protocol[P]):
    """Every method blocks, and may be slow.

    Raises:
        CommandFailure: it cannot be done.
        Cancelled: `progress` was cancelled.
    """

    def marked(self) -> Target | None:
        """What the person pointed at with the sentence; None: nothing."""
        ...

    def ask(self, text: str, progress: Progress) -> Answer:
        """What the model says to a question or a command. Nothing is done yet."""
        ...

    def track(self, phrase: str, target: Target | None, progress: Progress) -> Target:
        """Follow an object from now on, until `release`.

        Args:
            target: where it is; None: the phrase says it.
        """
        ...

    def aligned(self, targets: tuple[Target, ...], progress: Progress) -> tuple[Target, ...]:
        """The targets as they are in one and the same image."""
        ...

    def release(self, track_ids: frozenset[int]) -> None:
        """Follow these no longer."""
        ...

    def run(self, step: Step, target: Target | None, before: P | None, progress: Progress) -> P:
        """Let a module do a step.

        Args:
            before: what it works on; None: what the camera shows, or the recording.
        """
        ...

    def play(self, pictures: P, progress: Progress) -> None:
        """Show a result as it would be seen by a camera."""
        ...
