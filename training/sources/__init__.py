"""Where records come from: JSON files, data sets in their official layouts, and shards."""

from typing import Protocol

from training.annotations import AnnotatedMedia
from training.config import RecordsConfig
from training.sources.json_file import JsonFile
from training.sources.layouts import LAYOUTS, LayoutFolder
from training.sources.shards import Shards


class Source(Protocol):
    """Annotated images or clips, by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> AnnotatedMedia:
        """Raises RecordError if that one cannot be used; nothing takes its place."""


def open_source(config: RecordsConfig) -> Source:
    """The source of a set of records.

    Raises:
        SourceError: something is missing or damaged; says what, and where to get it.
    """
    if config.reader == "shards":
        return Shards(config)
    if config.reader in LAYOUTS:
        return LayoutFolder(config)
    return JsonFile(config)
