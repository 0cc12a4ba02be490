"""Reply text to `ParsedReply`. Total: every string gives a value, in linear time, and never a made-up box.

A damaged box is repaired only where it can mean one thing, and the repair is listed; otherwise it is left out and the
problem is listed. A frame without a readable box is a gap: it is neither filled from its neighbours nor taken for
absence.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

from vitron_ros.model.answers import LETTERS, NAMES, NONE, Box, Invocation
from vitron_ros.model.notations import DECIMAL, GAP, Scale, in_plain_brackets
from vitron_ros.module_registry import Module


class ParseStatus(Enum):
    """How much of a reply could be read.

    OK: all of it; plain text is always readable. PARTIAL: something, beside problems. MALFORMED: it attempts a box
    or an invocation, and none can be read. EMPTY: it has no text.
    """

    OK = "ok"
    PARTIAL = "partial"
    MALFORMED = "malformed"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class GroundedBox:
    """A box outside any frame list.

    Attributes:
        label: what the text calls it, as in "girl: (0.1, 0.2, 0.3, 0.4)"; empty: nothing.
        span: first and last time it holds for; None: not said.
    """

    box: Box
    label: str = ""
    span: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedReply:
    """A parsed reply.

    Attributes:
        text: the reply without its invocation tags.
        frames: the boxes of a frame list by frame number; None where it says "none"; missing where nothing is readable.
        boxes: all other boxes, in order.
        is_absent: the whole reply is "none".
        invocation: the module that is asked for, if all that it was given could be read.
        repairs: deviations from the format that were repaired.
        problems: what could not be read.
    """

    status: ParseStatus
    text: str
    frames: Mapping[int, Box | None] = field(default_factory=lambda: MappingProxyType({}))
    boxes: tuple[GroundedBox, ...] = ()
    is_absent: bool = False
    invocation: Invocation | None = None
    repairs: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


# Every repetition below is bounded, so that no match scans further than a constant from its start.
_NUMBERS = rf"{DECIMAL}(?:{GAP},{GAP}{DECIMAL}){{0,7}}"
TAG = re.compile(rf"<{GAP}(?P<close>/?){GAP}(?P<name>module|instruction|region){GAP}>", re.IGNORECASE)
MARK = re.compile(
    rf"\bframe{GAP}[\[(#]?{GAP}(?P<frame>\d{{1,9}}){GAP}[\])]?(?:{GAP}\([^()\[\],]{{0,24}}\))?{GAP}"
    rf"(?:[:=]|(?=[\[(]|none\b))|(?P<open>[\[(])",
    re.IGNORECASE,
)
BOX = re.compile(
    rf"{GAP}(?P<open>[\[(]?){GAP}(?P<numbers>{_NUMBERS})(?![\d.]\d)"
    rf"(?:{GAP}\|{GAP}(?P<first>{DECIMAL}){GAP},{GAP}(?P<last>{DECIMAL}))?{GAP}(?P<close>[\])]?)"
)
ABSENT = re.compile(rf"{GAP}[\[(]?{GAP}{NONE}\b{GAP}[\])]?", re.IGNORECASE)
ATTEMPT = re.compile(rf"{GAP}(?:[-+.,\]\d]|nan\b|inf)", re.IGNORECASE)  # after "[": it was to be a box
WORDS = re.compile(rf"{GAP}(?!{NONE}\b|nan\b|inf\b|frame\b)[^\W\d_]", re.IGNORECASE)  # after a frame marker
AFTER = re.compile(r"[\s,;.]{0,16}(?=[^\s,;.\d|])")  # text goes on, and not with another number
CONTRADICTION = re.compile(rf"{GAP}{NONE}\b{GAP}[.,;:!]?{GAP}(?:[\[(]|frame\b)", re.IGNORECASE)
LABEL_LENGTH = 80

MODULES: dict[str, Module] = {
    **{letter.lower(): module for letter, module in LETTERS.items()},
    **{re.sub("[^a-z]", "", name.lower()): module for module, name in NAMES.items()},
    "textgeneration": Module.TEXT,
    "imagetovideogeneration": Module.IMAGE_TO_VIDEO,
    "videotracking": Module.VIDEO_SEGMENTATION,
    "videosegmentationtracking": Module.VIDEO_SEGMENTATION,
}


def parse_reply(reply: str, scale: Scale | None = None) -> ParsedReply:
    """What a model's reply says. Takes any string.

    Args:
        scale: of its boxes, of a model that writes them neither as fractions nor in whole numbers of 0..100.
    """
    notes = _Notes(scale)
    text, invocation = _invocation(reply, notes)
    is_absent = text.rstrip(".! \n").lower() == NONE
    said = in_plain_brackets(text, notes.repairs, notes.problems, scale)
    frames, boxes = ({}, []) if is_absent else _boxes(said, notes)
    if CONTRADICTION.match(said) and (boxes or any(frames.values())):
        notes.problems.append("it says none, and then a box")
    is_usable = bool(frames or boxes or is_absent or invocation)
    if not reply.strip():
        status = ParseStatus.EMPTY
    elif notes.problems:
        status = ParseStatus.PARTIAL if is_usable else ParseStatus.MALFORMED
    else:
        status = ParseStatus.OK
    return ParsedReply(
        status=status,
        text=text,
        frames=MappingProxyType(frames),
        boxes=tuple(boxes),
        is_absent=is_absent,
        invocation=invocation,
        repairs=tuple(notes.repairs),
        problems=tuple(notes.problems),
    )


class _Notes:
    """What was repaired and what could not be read, in the order of the text, and the scale that it is read by."""

    def __init__(self, scale: Scale | None) -> None:
        self.scale = scale
        self.repairs: list[str] = []
        self.problems: list[str] = []


def _invocation(reply: str, notes: _Notes) -> tuple[str, Invocation | None]:
    """The reply without its tags, and what the tags ask for."""
    bodies: list[tuple[str, str]] = []
    outside: list[str] = []
    is_cut = False
    position = 0
    tags = list(TAG.finditer(reply))
    for index, tag in enumerate(tags):
        if tag.start() < position:  # the close of the tag before
            continue
        outside.append(reply[position : tag.start()])
        name, position = tag["name"].lower(), tag.end()
        if tag["close"]:
            notes.repairs.append(f"</{name}> closes nothing")
            continue
        following = tags[index + 1] if index + 1 < len(tags) else None
        if following is None:
            notes.problems.append(f"<{name}> is cut off")
            is_cut, position = True, len(reply)
            continue
        bodies.append((name, reply[tag.end() : following.start()].strip()))
        position = following.start()
        if following["close"] and following["name"].lower() == name:
            position = following.end()
        else:
            notes.repairs.append(f"<{name}> is not closed")
    outside.append(reply[position:])
    text = " ".join(part for part in map(str.strip, outside) if part)
    invocation = _read_bodies(bodies, notes) if bodies else None
    return text, None if is_cut else invocation


def _read_bodies(bodies: list[tuple[str, str]], notes: _Notes) -> Invocation | None:
    """The first module with the instructions and the region that belong to it."""
    starts = [index for index, (name, _) in enumerate(bodies) if name == "module"]
    if not starts:
        notes.problems.append("no module is named")
        return None
    if len(starts) > 1:
        notes.problems.append("more than one module is named; the first is taken")
        bodies = bodies[: starts[1]]
    problems = len(notes.problems)
    name = bodies[starts[0]][1]
    module = MODULES.get(re.sub("[^a-z]", "", name.lower())) if len(name) <= LABEL_LENGTH else None
    if module is None:
        notes.problems.append(f"there is no module {name[:LABEL_LENGTH]!r}")
    instructions = tuple(body for name, body in bodies if name == "instruction" and body)
    if not instructions:
        notes.problems.append("the module is given no instruction")
    regions = [body for name, body in bodies if name == "region"]
    region = None
    if len(regions) > 1:
        notes.problems.append("the module is given more than one region")
    elif regions:
        said = in_plain_brackets(regions[0], notes.repairs, notes.problems, notes.scale)
        match = BOX.match(said)
        region = _read_box(match, said, "region", notes, is_region=True) if match else None
        if match is None:
            notes.problems.append("region: no box can be read")
        elif BOX.search(said, match.end()):
            notes.problems.append("region: there is more than one box")
    # An invocation without the region that it was given would act on the whole image.
    return Invocation(module, instructions, region) if module is not None and len(notes.problems) == problems else None


def _boxes(text: str, notes: _Notes) -> tuple[dict[int, Box | None], list[GroundedBox]]:
    """The frame list and the other boxes of a text."""
    frames: dict[int, Box | None] = {}
    boxes: list[GroundedBox] = []
    position = 0
    inside: int | None = None  # frame whose list entry was read last
    prose: list[int] = []  # frames with words in place of a box
    while mark := MARK.search(text, position):
        start, position = position, mark.end()
        if mark["frame"]:
            inside = int(mark["frame"])
            if WORDS.match(text, mark.end()):
                prose.append(inside)
            else:
                position = _frame_entry(text, mark.end(), inside, frames, notes)
            continue
        match = BOX.match(text, mark.start())
        count = match["numbers"].count(",") + 1 if match else 0
        if match is None or (mark["open"] == "(" and count < 3):
            if mark["open"] == "[" and ATTEMPT.match(text, mark.end()):
                notes.problems.append("brackets without a box")
            continue
        position = match.end()
        box = _read_box(match, text, "box", notes)
        if box is None:
            continue
        if inside is not None and not _ends_list(text[max(start, mark.start() - LABEL_LENGTH) : mark.start()]):
            notes.problems.append(f"frame {inside} has more than one box; the first is taken")
            continue
        span = (float(match["first"]), float(match["last"])) if match["first"] else None
        label = _label(text[max(start, mark.start() - LABEL_LENGTH) : mark.start()])
        boxes.append(GroundedBox(box, label, span))
    if frames:  # else it is a description, frame by frame
        notes.problems += [f"frame {frame} has words in place of a box" for frame in prose]
    return frames, boxes


def _frame_entry(text: str, position: int, frame: int, frames: dict[int, Box | None], notes: _Notes) -> int:
    """Reads what stands after a frame marker into `frames`. Returns where it ends."""
    box: Box | None
    if absent := ABSENT.match(text, position):
        position, box = absent.end(), None
    else:
        match = BOX.match(text, position)
        if match is None:
            notes.problems.append(f"frame {frame} has no box")
            return position
        position = match.end()
        box = _read_box(match, text, f"frame {frame}", notes)
        if box is None:
            return position
    if frame < 1:
        notes.problems.append("frame 0: frames count from 1")
    elif frame in frames and frames[frame] != box:
        notes.problems.append(f"frame {frame} is given twice; the first is taken")
    else:
        frames.setdefault(frame, box)
    return position


def _read_box(match: "re.Match[str]", text: str, where: str, notes: _Notes, *, is_region: bool = False) -> Box | None:
    """The box of a `BOX` match, or None with the problem noted."""
    numbers = [number.strip() for number in match["numbers"].split(",")]
    if len(numbers) != 4:
        notes.problems.append(f"{where} has {len(numbers)} numbers in place of 4")
        return None
    if not match["close"] and not AFTER.match(text, match.end()):
        notes.problems.append(f"{where} is cut off")
        return None
    values = [float(number) + 0.0 for number in numbers]  # -0 is 0
    is_fraction = _is_fraction(match, values, notes.scale)
    fractions = values if is_fraction else _scaled(values, notes.scale)
    if fractions is None or min(fractions) < 0 or max(fractions) > 1:
        others = ": 1000 or pixels" if notes.scale is None else ""
        notes.problems.append(f"{where} leaves the image, or is on another scale{others}")
        return None
    repairs = []
    if (match["open"], match["close"]) not in (("[", "]"), ("(", ")")):
        repairs.append(f"{where}: brackets mended")
    if (match["open"] == "(") != is_fraction and match["open"] and notes.scale is None:
        repairs.append(f"{where}: {'fractions' if is_fraction else 'whole numbers'} in the other dialect's brackets")
    ordered = _order(tuple(fractions), is_region=is_region and is_fraction)
    if ordered is None:
        notes.problems.append(f"{where} has corners that can be read in two ways, or no area")
        return None
    box, repair = ordered
    if repair:
        repairs.append(f"{where}: {repair}")
    notes.repairs += repairs
    return box  # type: ignore[return-value]


def _is_fraction(match: "re.Match[str]", values: list[float], scale: Scale | None) -> bool:
    has_point = "." in match["numbers"]
    if scale is None:
        return has_point or (match["open"] == "(" and max(values) <= 1)
    return has_point and min(values) >= 0 and max(values) <= 1


def _scaled(values: list[float], scale: Scale | None) -> list[float] | None:
    return [value / 100 for value in values] if scale is None else scale.fractions(values)


def _order(box: tuple[float, ...], *, is_region: bool) -> tuple[tuple[float, ...], str] | None:
    """The box with its corners in order and what was done to it; None if it may be read in two ways or has no area."""
    x1, y1, x2, y2 = box
    if x1 < x2 and y1 < y2:
        return box, ""
    if x1 == x2 or y1 == y2:
        return None
    sized = (x1, y1, x1 + x2, y1 + y2)
    fits = x2 > 0 and y2 > 0 and sized[2] <= 1 and sized[3] <= 1
    if not fits:
        return (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), "corners swapped"
    # VITRON's paper (section 4.3) writes a region that only makes sense by its width and height.
    if is_region and x2 < x1 and y2 < y1:
        return sized, "read as x, y, width, height"
    return None


def _ends_list(between: str) -> bool:
    """True if the text between a frame's box and the next box begins something new."""
    return ":" in between or "\n" in between or "." in between


def _label(before: str) -> str:
    """The name before a box, if a colon leads to it."""
    before = before.rstrip()
    return re.split(r"[,;\n]|\.(?!\d)", before[:-1])[-1].strip(" \t{\"'") if before.endswith(":") else ""
