"""A question about an image or a video."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import required


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question and its annotated answers, as they are written in the data.

    Attributes:
        name: unique within its data set.
        media: the image or video file. That an image is there is checked when the set is read; a missing video is an
            error when it is opened, since some videos of published sets cannot be had any more.
        text: the question; in VSR the statement, in Hateful Memes the words in the image.
        answers: one, or those of all annotators; empty: a server keeps them.
        choices: what to choose from, of which the answer is one; files where images are to be chosen.
        category: the kind of question or answer, as the set names it.
    """

    name: str
    media: Path
    text: str
    answers: tuple[str, ...]
    choices: tuple[str, ...] = ()
    category: str = ""


def by_id(entries: Iterable[Any], key: str, where: Path) -> dict[Any, Mapping[str, Any]]:
    """Tables by what they have under the key.

    Raises:
        SourceError: one has nothing there, or two have the same.
    """
    found: dict[Any, Mapping[str, Any]] = {}
    for number, entry in enumerate(entries):
        name = entry.get(key) if isinstance(entry, Mapping) else None
        if not isinstance(name, str | int) or name in found:
            reason = f"the {key} {name!r} twice" if name in found else f"no {key}"
            raise SourceError(f"{where}, entry {number}, has {reason}; fetch the file again")
        found[name] = entry
    return found


def check_same_ids(questions: Mapping[Any, Any], answers: Mapping[Any, Any], where: Path) -> None:
    """Raises SourceError if not every question has an answer, and every answer a question; order does not matter."""
    if odd := questions.keys() ^ answers.keys():
        raise SourceError(f"{where}: {len(odd)} ids have a question or an answer only, e.g. {min(odd, key=str)!r}")


def check_images(questions: list[Question], how_to_get: str) -> list[Question]:
    """The questions, whose images must be there.

    Raises:
        SourceError: one is not.
    """
    for path in dict.fromkeys(question.media for question in questions):
        required(path, how_to_get)
    return questions
