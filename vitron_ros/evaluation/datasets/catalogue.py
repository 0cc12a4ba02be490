"""What a name of the registry stands for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from vitron_ros.errors import ConfigError

Record = TypeVar("Record")
Entries = Sequence[Callable[[], Record]]
"""The records of a split, each read when it is called; a call raises SourceError where that one cannot be used."""


@dataclass(frozen=True, slots=True)
class Dataset(Generic[Record]):
    """A benchmark on disk.

    Attributes:
        title: its name in print.
        splits: the first is the one that is evaluated by default.
        reader: the records of a split in a folder, in a fixed order; raises SourceError.
        is_made: the records are made and not read; the folder is not looked at.
    """

    title: str
    splits: tuple[str, ...]
    reader: Callable[[Path, str], list[Record]]
    is_made: bool = False

    def read(self, root: Path, split: str | None = None) -> list[Record]:
        """The records of a split; None: the first of `splits`.

        Raises:
            ConfigError: there is no such split.
            SourceError: something is missing or damaged.
        """
        chosen = self.splits[0] if split is None else split
        if chosen not in self.splits:
            raise ConfigError(f"{self.title} has no split {chosen!r}; it has {', '.join(self.splits)}")
        return self.reader(root, chosen)
