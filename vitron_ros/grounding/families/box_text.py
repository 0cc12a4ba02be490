"""Boxes in the text of published vision-language models: each family's dialect, read and written.

`model.parsing` reads all notations; a dialect adds what a text does not say: what its numbers count. Qwen2.5-VL counts
pixels of the image after its own resizing, Qwen3-VL thousandths of the image; to mistake one for the other moves every
box. Whatever a text says, what comes out are boxes inside the camera image, or problems, and never a made-up box.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vitron_ros.boxes import Boxes, norm_from_xyxy, xyxy_from_norm
from vitron_ros.model.notations import BOX_KEY, Scale
from vitron_ros.model.parsing import parse_reply

Size = tuple[int, int]  # px: width, height

CELLS = 32  # of Kosmos-2, across and down
FENCE = re.compile(r"```[a-z]{0,10}|<\|?(?:im_end|endoftext|pad|eos|bos)\|?>|</?s>", re.IGNORECASE)
_WORDS = r"[^.!?\n\d\[\]{}<>]"
_HERE = r"(?:visible|present|shown|there|found|in (?:the|this) (?:image|picture|photo|scene|frame))"
ABSENT = re.compile(
    rf"(?:none|null|no|nothing)(?: {_HERE})?"
    rf"|there (?:is|are) (?:no|none|nothing|not any)\b{_WORDS}{{0,200}}"
    rf"|{_WORDS}{{1,200}} (?:is not|are not|isn't|aren't) {_HERE}\b{_WORDS}{{0,80}}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class BoxDialect:
    """How a family writes boxes.

    Attributes:
        name: of the family.
        steps: that its numbers divide each side of the image into; None: they are px of the image as the model saw it.
        prompt: that asks for the boxes of a phrase, with a place for it.
        write: a box of numbers and its label as text.
        is_listed: boxes are the items of a JSON list, and "[]" is the word for none.
    """

    name: str
    steps: int | None
    prompt: str
    write: Callable[[Sequence[int], str], str]
    is_listed: bool = False


def _qwen(box: Sequence[int], label: str) -> str:
    return json.dumps({"bbox_2d": list(box), "label": label}, ensure_ascii=False)


def _internvl(box: Sequence[int], label: str) -> str:
    return f"<ref>{label}</ref><box>[{list(box)}]</box>"


def _florence2(box: Sequence[int], label: str) -> str:
    return label + "".join(f"<loc_{min(number, 999)}>" for number in box)


def _paligemma(box: Sequence[int], label: str) -> str:
    x1, y1, x2, y2 = (min(number, 1023) for number in box)
    return f"<loc{y1:04}><loc{x1:04}><loc{y2:04}><loc{x2:04}> {label}"


def _kosmos2(box: Sequence[int], label: str) -> str:
    x1, y1, x2, y2 = (min(number, CELLS - 1) for number in box)
    first, last = y1 * CELLS + x1, y2 * CELLS + x2
    return f"<phrase>{label}</phrase><object><patch_index_{first:04}><patch_index_{last:04}></object>"


_JSON_PROMPT = (
    "Locate {phrase} in the image, output its bbox coordinates using JSON format: "
    '[{{"bbox_2d": [x1, y1, x2, y2], "label": "name"}}], the best match first. If it is not in the image, output [].'
)
_REF_PROMPT = "Please provide the bounding box coordinate of the region this sentence describes: <ref>{phrase}</ref>"
QWEN2_5_VL = BoxDialect("qwen2.5-vl", None, _JSON_PROMPT, _qwen, is_listed=True)
QWEN3_VL = BoxDialect("qwen3-vl", 1000, _JSON_PROMPT, _qwen, is_listed=True)
INTERNVL = BoxDialect("internvl", 1000, _REF_PROMPT, _internvl)
FLORENCE2 = BoxDialect("florence-2", 1000, "Locate {phrase} in the image.", _florence2)
PALIGEMMA = BoxDialect("paligemma", 1024, "detect {phrase}", _paligemma)
KOSMOS2 = BoxDialect("kosmos-2", CELLS, "<grounding><phrase> {phrase}</phrase>", _kosmos2)
DIALECTS = {one.name: one for one in (QWEN2_5_VL, QWEN3_VL, INTERNVL, FLORENCE2, PALIGEMMA, KOSMOS2)}
WHOLE_CELLS = (FLORENCE2, KOSMOS2)  # their numbers name the cell that a corner lies in, not the nearest line


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxReading:
    """What a text says of boxes.

    Attributes:
        boxes_xyxy: (N, 4) px of the camera image, in the order of the text.
        labels: of these, each perhaps empty.
        is_absent: all that it says is that there is none.
        problems: what could not be read.
    """

    boxes_xyxy: Boxes
    labels: tuple[str, ...] = ()
    is_absent: bool = False
    problems: tuple[str, ...] = ()


def read_boxes(text: str, dialect: BoxDialect, size: Size, seen: Size | None = None) -> BoxReading:
    """The boxes of a text. Takes any string.

    Args:
        size: of the camera image.
        seen: of that image after the model's own resizing; None: unknown, and a dialect in pixels takes it for `size`.
    """
    said = FENCE.sub(" ", text).strip()
    reply = parse_reply(said, _scale(dialect, size, seen))
    if reply.is_absent or _says_none(said):
        return BoxReading(boxes_xyxy=np.empty((0, 4)), is_absent=True)
    by_frame = ("boxes by frame number, of one image",) if reply.frames else ()
    return BoxReading(
        boxes_xyxy=np.asarray(xyxy_from_norm(np.reshape([item.box for item in reply.boxes], (-1, 4)), *size)),
        labels=tuple(item.label for item in reply.boxes),
        problems=(*reply.problems, *by_frame),
    )


def write_boxes(
    boxes_xyxy: ArrayLike, labels: Sequence[str], dialect: BoxDialect, size: Size, seen: Size | None = None
) -> str:
    """Boxes (N, 4) px of the camera image as the family writes them; what lies outside the image is cut off.

    Args:
        size, seen: as of `read_boxes`.
    """
    width, height = _scale(dialect, size, seen)
    parts = np.clip(norm_from_xyxy(np.reshape(boxes_xyxy, (-1, 4)), *size), 0, 1) * [width, height, width, height]
    rounded = np.floor(parts) if dialect in WHOLE_CELLS else np.round(parts)
    texts = [dialect.write(box, label) for box, label in zip(rounded.astype(int).tolist(), labels, strict=True)]
    return f"[{', '.join(texts)}]" if dialect.is_listed else " ; ".join(texts)


def _scale(dialect: BoxDialect, size: Size, seen: Size | None) -> Scale:
    return Scale(*(seen or size)) if dialect.steps is None else Scale(dialect.steps, dialect.steps)


def _says_none(said: str) -> bool:
    """Whether a text is an empty list of boxes, or one sentence of a few known forms."""
    if ABSENT.fullmatch(said.rstrip(".! ")):
        return True
    try:
        value = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return _is_empty(value) or (isinstance(value, list) and all(map(_is_empty, value)))


def _is_empty(value: object) -> bool:
    """Nothing, or an object whose box is nothing."""
    if isinstance(value, dict):
        boxes = [item for key, item in value.items() if BOX_KEY.search(key)]
        return not value or (bool(boxes) and all(item in (None, [], "none", "None") for item in boxes))
    return value is None or value == []
