"""What requests are about: captions, and phrases with their boxes, of annotated images and clips."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from training.annotations import AnnotatedMedia, Captions, Regions, TrackedObject, Tracks
from training.config import JSON_READERS, READER_TASKS, RecordsConfig
from training.errors import RecordError
from training.media import is_video
from training.sources import open_source
from vitron_ros.errors import UsageError
from vitron_ros.grounding.intent import tokenise
from vitron_ros.grounding.lexicon import DETERMINERS
from vitron_ros.model.answers import Box

CLIP_FRAMES = 8
READERS = tuple(name for name, tasks in READER_TASKS.items() if {"caption", "rec", "rsot"} & set(tasks))


@dataclass(frozen=True, slots=True)
class Media:
    """An image, the frames of a clip, or a video file; paths below the folder of media."""

    files: tuple[str, ...]
    is_clip: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """What a caption says, without its last period."""

    media: Media
    text: str


@dataclass(frozen=True, slots=True)
class Thing:
    """Something in an image or a clip.

    Attributes:
        name: a phrase without its article, "man in the red coat".
        box: in the image, or the first frame.
    """

    media: Media
    name: str
    box: Box


@dataclass(slots=True)
class Subjects:
    """What requests can be about, and what is wrong with each record that cannot be used."""

    scenes: list[Scene] = field(default_factory=list)
    image_things: list[Thing] = field(default_factory=list)
    clip_things: list[Thing] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def read(self, reader: str, path: str, media: Path) -> None:
        """Add what a source of training data has.

        Args:
            reader: a key of `READER_TASKS` with captions, regions or tracks.
            media: the folder that files are named from.

        Raises:
            SourceError: something is missing or damaged.
            UsageError: there is no such reader.
        """
        if reader not in READERS:
            raise UsageError(f"there are no phrases or captions in {reader!r}; give one of {', '.join(READERS)}")
        config = RecordsConfig(reader=reader, path=path, tasks=READER_TASKS[reader][:1])
        source = open_source(replace(config, media=str(media)) if reader in JSON_READERS else config)
        for index in range(len(source)):
            try:
                self._add(source[index], media)
            except RecordError as error:
                self.problems.append(f"record {index} of {path}: {error}")

    def _add(self, given: AnnotatedMedia, folder: Path) -> None:
        match given.annotation:
            case Captions(texts):
                media = _media(given, range(len(given.media)), folder)
                self.scenes += [Scene(media, _sentence(text)) for text in texts]
            case Regions(phrases, _):
                media = _media(given, range(1), folder)
                one_box = [phrase for phrase in phrases if len(phrase.boxes) == 1 and bare(phrase.text)]
                self.image_things += [Thing(media, bare(phrase.text), phrase.boxes[0]) for phrase in one_box]
            case Tracks(objects):
                self.clip_things += [_tracked(given, one, folder) for one in objects if bare(one.text)]
            case _:
                raise RecordError("it has no phrase and no caption")


def bare(phrase: str) -> str:
    """A phrase without its article and without marks at its end."""
    words = phrase.strip().rstrip(".!?;,").split()
    return " ".join(words[1:] if words and words[0].lower() in ("a", "an", "the") else words)


def the(name: str) -> str:
    """A name with its determiner: "the man in the red coat", "his dog"."""
    return name if name.split()[0].lower() in DETERMINERS else f"the {name}"


def words_by_media(things: Sequence[Thing]) -> dict[Media, frozenset[str]]:
    """Every word that is said of an image or clip."""
    found: dict[Media, set[str]] = {}
    for thing in things:
        found.setdefault(thing.media, set()).update(tokenise(thing.name))
    return {media: frozenset(words) for media, words in found.items()}


def _tracked(given: AnnotatedMedia, one: TrackedObject, folder: Path) -> Thing:
    """An object in frames that lie evenly over the clip from its first one on."""
    seen = np.flatnonzero(np.isfinite(one.boxes).all(axis=1))
    if not len(seen):
        raise RecordError(f"{one.text!r} is in no frame")
    count = min(CLIP_FRAMES, len(given.media) - int(seen[0]))
    if count < 2:
        raise RecordError(f"{one.text!r} comes with the last frame")
    places = np.linspace(seen[0], len(given.media) - 1, count).round().astype(int).tolist()
    x_min, y_min, x_max, y_max = one.boxes[seen[0]].tolist()
    return Thing(_media(given, places, folder), bare(one.text), (x_min, y_min, x_max, y_max))


def _media(given: AnnotatedMedia, places: Sequence[int], folder: Path) -> Media:
    names = []
    for file in (given.media[place] for place in places):
        if not isinstance(file, Path) or not file.is_relative_to(folder):
            raise RecordError(f"{file} is not a file below {folder}")
        names.append(file.relative_to(folder).as_posix())
    return Media(tuple(names), len(names) > 1 or is_video(given.media[0]))


def _sentence(caption: str) -> str:
    """The first sentence, to go on with behind other words."""
    first = caption.split(". ")[0].strip().rstrip(".!?")
    is_name = len(first) > 1 and first[:2].isalpha() and first[:2].isupper()
    return first if is_name else first[:1].lower() + first[1:]
