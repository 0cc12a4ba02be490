"""Shards: tars of samples, a JSON file and its images or video each.

Those of `python -m training.shards` have the JSON of `training/annotations.py`. Those of img2dataset have a caption as
text; of GRIT, which it fetches, also `ref_exps` in JSON, [[start, end, x_min, y_min, x_max, y_max, score], ...], where
start and end are of the caption.

Samples are read by number, by an index of their places, and not as a stream, as the webdataset library does: the order
of a run depends on the number of the batch alone, which a stream with a shuffling buffer cannot give.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.annotations import AnnotatedMedia, Annotation, Captions, Phrase, Regions, from_json
from training.config import RecordsConfig
from training.errors import RecordError
from training.media import TarMember
from training.sources.tar_index import read_index
from vitron_ros.errors import SourceError


class Shards:
    """The samples of a folder of shards."""

    def __init__(self, config: RecordsConfig) -> None:
        """
        Raises:
            SourceError: the folder or its index is missing or damaged.
        """
        folder = Path(config.path)
        if not folder.is_dir():
            raise SourceError(f"{folder} is missing; {config.origin or 'give the folder of the shards'}")
        self._index = read_index(folder)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> AnnotatedMedia:
        """
        Raises:
            RecordError: the sample cannot be used.
        """
        files = self._index.files(index)
        texts = {file.suffix: file for file in files if file.suffix in (".json", ".txt")}
        entry = _entry(texts[".json"]) if ".json" in texts else {}
        return AnnotatedMedia(
            id=str(entry.get("id", entry.get("key", index))),
            media=tuple(file for file in files if file.suffix not in texts),
            annotation=_annotation(entry, texts),
        )


def _annotation(entry: Mapping[str, Any], texts: Mapping[str, TarMember]) -> Annotation:
    if "ref_exps" in entry:
        return _grit(entry)
    if ".txt" in texts:
        return Captions((_text(texts[".txt"]),))
    return from_json(entry)


def _grit(entry: Mapping[str, Any]) -> Regions:
    try:
        caption = entry["caption"]
        phrases = [
            Phrase(caption[int(start) : int(end)].strip(), ((x_min, y_min, x_max, y_max),))
            for start, end, x_min, y_min, x_max, y_max, _ in entry["ref_exps"]
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordError(f"its ref_exps cannot be read: {error}") from error
    return Regions(tuple(phrases))


def _entry(file: TarMember) -> Mapping[str, Any]:
    try:
        entry = json.loads(_text(file))
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{file} is not JSON: {error}") from error
    if not isinstance(entry, Mapping):
        raise RecordError(f"{file} holds no table")
    return entry


def _text(file: TarMember) -> str:
    try:
        return file.read_bytes().decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"{file} cannot be read: {error}") from error
