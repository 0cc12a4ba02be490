"""MagicBrush (Zhang et al., NeurIPS 2023): {test,dev}/edit_sessions.json and images/<session>/.

A session is a list of turns, each with the names of its input, mask and output image and an instruction; its input is
the output of the turn before. local_descriptions.json, where it is there, describes what a turn is to result in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json, required, value

HOW_TO_GET = "MagicBrush's archive is linked in the README of github.com/OSU-NLP-Group/MagicBrush; do not pass it on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One turn of a session.

    Attributes:
        name: <session>-<turn>, turns from 1.
        session: what its turns have in common.
        image, mask, target: the files before, of where to edit, and after.
        caption: what is to be seen afterwards; empty: the set does not say.
        is_last: whether it is the last turn of its session.
    """

    name: str
    session: str
    image: Path
    mask: Path
    target: Path
    instruction: str
    caption: str = ""
    is_last: bool = True


def read_magicbrush(root: Path, split: str) -> list[Edit]:
    """The turns of a split, session by session.

    Raises:
        SourceError: a file or image is missing or damaged, or a session has no turn.
    """
    file = required(root / split / "edit_sessions.json", HOW_TO_GET)
    described = root / split / "local_descriptions.json"
    captions = read_json(described, dict) if described.is_file() else {}
    edits = []
    for session, turns in read_json(file, dict).items():
        if not isinstance(turns, list) or not turns:
            raise SourceError(f"{file}: session {session} has no turns; fetch it again")
        folder = root / split / "images" / session
        for number, turn in enumerate(turns, 1):
            edit = _edit(session, number, turn, folder, captions.get(session), f"{file}, {session}, turn {number}")
            edits.append(edit if number == len(turns) else replace(edit, is_last=False))
    return edits


def _edit(session: str, number: int, turn: Any, folder: Path, captions: Any, where: str) -> Edit:
    names = {key: value(turn, key, str, where) for key in ("input", "mask", "output")}
    if odd := [name for name in (session, *names.values()) if "/" in name or name in ("", ".", "..")]:
        raise SourceError(f"{where}: {odd[0]!r} is not the name of a file; fetch it again")
    caption = captions.get(names["output"], "") if isinstance(captions, Mapping) else ""
    return Edit(
        name=f"{session}-{number}",
        session=session,
        image=required(folder / names["input"], HOW_TO_GET),
        mask=required(folder / names["mask"], HOW_TO_GET),
        target=required(folder / names["output"], HOW_TO_GET),
        instruction=value(turn, "instruction", str, where),
        caption=str(caption),
    )
