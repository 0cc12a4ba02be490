"""Boxes as other models write them, rewritten as this project's parser reads them.

A notation that says its scale and its order is read: MiniGPT-v2's, PaliGemma's, Florence-2's and Kosmos-2's tokens, and
fractions and percentages wherever the order is plain. One that may be of 0..100, of 0..1000 or in pixels, such as that
of Qwen-VL, InternVL, CogVLM or Gemini, is read by the `Scale` of the model that wrote it; without one it is a problem
that is named: a box is never guessed.
"""

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

# Every repetition is bounded, so that no match looks further than a constant from where it starts.
GAP = r"\s{0,4}"
DECIMAL = r"[-+]?(?:\d{1,9}(?:\.\d{1,9})?|\.\d{1,9})"
_LIST = rf"[\[(]{GAP}{DECIMAL}(?:{GAP},{GAP}{DECIMAL}){{3}}{GAP}[\])]"
_NEXT = r"[^\w.+-]{1,6}"  # between two named numbers
_IS = rf"[\"']?{GAP}[=:]{GAP}"

NUMBER = re.compile(DECIMAL)
COUNT = re.compile(r"\d{1,9}")
LABEL_SIGNS = re.compile(r"[\[\](){}<>:,;.|\n]")  # that mean something before a box
OBJECT = re.compile(r"\{[^{}]{0,500}(?:\}|\Z)")
BOX_KEY = re.compile(r"box|coord|region|rect|position|location|xyxy|xywh|\b[xy]_?(?:1|min)\b", re.IGNORECASE)
BARE = re.compile(rf"{GAP}{DECIMAL}(?:{GAP}[,;\s]{GAP}{DECIMAL}){{3}}{GAP}[\])]?[\s.]{{0,8}}")
FULL_WIDTH = str.maketrans("［］【】（）｛｝，、；：％＜＞－−｜", "[][](){},,;:%<>--|")

CORNERS = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
ORDERED = ("bbox2d", "xyxy", "bboxxyxy", "boxxyxy")
SIZES = ("x", "y", "w", "h")
LABELS = ("label", "name", "class", "category", "object")
MARGIN = 1 / 16  # of the image, that a box may leave it by: models overshoot by a patch
LEFT_OUT = "?"  # stands for what was no box, so that the brackets around it do not look empty

T = TypeVar("T")


class Rewritten(NamedTuple):
    """What stands for a box: text that the parser reads, and what is said about it."""

    text: str
    repair: str = ""
    problem: str = ""


class Scale(NamedTuple):
    """What the numbers of a model's boxes count, where its notation does not say so.

    Attributes:
        width, height: the numbers that stand for the whole image: 1000, or px of the image as the model saw it.
    """

    width: float
    height: float

    def fractions(self, numbers: Sequence[float]) -> list[float] | None:
        """x_min, y_min, x_max, y_max as fractions of the image; None: they leave it by more than MARGIN."""
        values = [number / side for number, side in zip(numbers, (self.width, self.height) * 2, strict=True)]
        if not all(-MARGIN <= value <= 1 + MARGIN for value in values):  # NaN neither
            return None
        return [min(max(value, 0.0), 1.0) for value in values]


Rewrite = Callable[["re.Match[str]", Scale | None], Rewritten | None]  # None: it is no box


def fractions(values: Sequence[float], label: str = "") -> str:
    """Four fractions of the image, or as many as there are, and the name of what they hold."""
    name = " ".join(LABEL_SIGNS.sub(" ", label).split())
    return (f"\n{name}: " if name else "") + "(" + ", ".join(f"{value:.6f}" for value in values) + ")"


def _unscaled(numbers: Sequence[str], what: str, scale: Scale | None, label: str = "") -> Rewritten:
    """Corners in plain order, read where they are fractions, or of a scale that is known."""
    values = [float(number) for number in numbers]
    if any("." in number for number in numbers) and all(0 <= value <= 1 for value in values):
        return Rewritten(fractions(values, label), f"{what} in fractions")
    if scale is None:
        return Rewritten(LEFT_OUT, problem=f"{what} does not say its scale: 100, 1000 or pixels")
    if len(values) != 4:
        return _miscounted(what, len(values))
    read = scale.fractions(values)
    if read is None:
        return Rewritten(LEFT_OUT, problem=f"{what} leaves the image, or is on another scale")
    return Rewritten(fractions(read, label))


def _several(parts: Sequence[Rewritten]) -> Rewritten:
    """Boxes one after the other, those that can be read."""
    problem = "; ".join(dict.fromkeys(part.problem for part in parts if part.problem))
    repair = next((part.repair for part in parts if part.repair), "")
    return Rewritten(" ".join(part.text for part in parts), repair, problem)


def _miscounted(what: str, count: int) -> Rewritten:
    return Rewritten(LEFT_OUT, problem=f"{what} has {count} numbers in place of 4")


def _in_fours(numbers: Sequence[T]) -> list[Sequence[T]]:
    return [numbers[first : first + 4] for first in range(0, len(numbers), 4)]


def _tagged(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    what, numbers = "a box between tags", NUMBER.findall(match["body"])
    if scale is not None and not match["close"] and match["body"].rstrip()[-1:].isdigit():
        return Rewritten(LEFT_OUT, problem=f"{what} is cut off")
    parts = _in_fours(numbers) or [()]
    return _several([_unscaled(part, what, scale, match["label"] or "") for part in parts])


def _pair(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    if scale is None:
        return Rewritten(LEFT_OUT, problem="two points may be a box, and do not say so")
    return _unscaled(NUMBER.findall(match[0]), "a box of two points", scale)


def _keyed(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    key, _, numbers = match[0].rpartition("[" if "[" in match[0] else "(")
    return _listed(NUMBER.findall(numbers), re.sub(r"\W|_", "", key).lower(), scale)


def _listed(numbers: Sequence[str], key: str, scale: Scale | None, label: str = "") -> Rewritten:
    """Numbers under a name that may tell their order: COCO's bbox is x, y, w, h, and Gemini's box_2d has y before x."""
    is_known = key in ORDERED or (scale is not None and key == "bbox")
    if is_known and len(numbers) == 4:
        return _unscaled(numbers, f"a box under {key}", scale, label)
    return Rewritten(LEFT_OUT, problem=f"a box under {key} does not say the order of its numbers")


def _nested(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    """A list of lists, each a box of its own where they are fractions."""
    boxes = [NUMBER.findall(part) for part in match["body"].split("]") if NUMBER.search(part)]
    read = [_unscaled(numbers, "a box in double brackets", scale) for numbers in boxes]
    if scale is not None:
        return _several(read)
    return next((one for one in read if one.problem), Rewritten(" ".join(one.text for one in read), read[0].repair))


def _named(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    return _unscaled([match[name] for name in CORNERS[0]], "a box by the names of its sides", scale)


def _sized(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    return Rewritten(
        LEFT_OUT, problem="a box by its width and height does not say whether x, y is its corner or its middle"
    )


def _object(match: "re.Match[str]", scale: Scale | None) -> Rewritten | None:
    """A JSON object with a box."""
    try:
        values = json.loads(match[0])
    except (ValueError, RecursionError):
        looks_like = BOX_KEY.search(match[0]) or re.search(r"[\"']?[xy]_?(?:1|min)\b", match[0])
        return (
            Rewritten(LEFT_OUT, problem="an object with a box is not valid JSON")
            if looks_like and COUNT.search(match[0])
            else None
        )
    values = {str(key).lower().replace("_", ""): value for key, value in values.items()}
    label = next((values[key] for key in LABELS if isinstance(values.get(key), str)), "")
    for names in CORNERS:
        if all(_is_number(values.get(name)) for name in names):
            sides = [str(values[name]) for name in names]
            return _unscaled(sides, "a box by the names of its sides", scale, label)
    if all(_is_number(values.get(name, values.get({"w": "width", "h": "height"}.get(name, "")))) for name in SIZES):
        return _sized(match, scale)
    for key, value in values.items():
        if isinstance(value, list) and (BOX_KEY.search(key) or (len(value) == 4 and all(map(_is_number, value)))):
            return _listed([str(number) for number in value if _is_number(number)], key, scale, label)
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _angles(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    """MiniGPT-v2 (arXiv 2310.09478) and Elysium's box processor of that name: whole numbers of 0..100."""
    numbers = NUMBER.findall(match["body"])
    if scale is not None and len(numbers) == 4:  # they would be read by it
        return _unscaled(numbers, "a box in MiniGPT-v2's notation", Scale(100, 100))
    is_whole = match["close"] or not match["open"]
    return Rewritten(f"[{','.join(numbers)}{']' if is_whole else ''}", "MiniGPT-v2's notation")


def _paligemma(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    """PaliGemma (arXiv 2407.07726): y before x, of 1024, the name after them."""
    values = [int(count) / 1024 for count in COUNT.findall(match["body"])]
    if len(values) != 4:
        return _miscounted("PaliGemma's notation", len(values))
    y1, x1, y2, x2 = values
    return Rewritten(fractions([x1, y1, x2, y2], match["label"]) + " ", "PaliGemma's notation")


def _florence(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    """Florence-2 (arXiv 2311.06242): the middles of 1000 bins, the name before them."""
    values = [(int(count) + 0.5) / 1000 for count in COUNT.findall(match["body"])]
    what, lead = "Florence-2's notation", "" if match["before"] is None else ": "
    return _several(
        [
            Rewritten((lead if number == 0 else "") + fractions(four), what)
            if len(four) == 4
            else _miscounted(what, len(four))
            for number, four in enumerate(_in_fours(values))
        ]
    )


def _kosmos(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    """Kosmos-2 (arXiv 2306.14824): the first and the last of 32 x 32 cells, from middle to middle unless in line."""
    if match["last"] is None:
        return Rewritten(LEFT_OUT, problem="a box of one cell index in place of two")
    (y1, x1), (y2, x2) = (divmod(int(match[name]), 32) for name in ("first", "last"))
    inset = 0.0 if x1 == x2 or y1 == y2 else 0.5
    corners = [(x1 + inset) / 32, (y1 + inset) / 32, (x2 + 1 - inset) / 32, (y2 + 1 - inset) / 32]
    return Rewritten(fractions(corners, match["label"] or ""), "Kosmos-2's notation")


def _unread(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    return Rewritten(LEFT_OUT, problem=f"{match[0]} is a sign of a box that cannot be read")


def _percent(match: "re.Match[str]", scale: Scale | None) -> Rewritten:
    return Rewritten(fractions([float(number) / 100 for number in NUMBER.findall(match[0])]), "percentages")


def _sides(**words: str) -> "re.Pattern[str]":
    """Numbers by the names of sides, one after the other, such as "x1=10, y1=20"."""
    sides = (rf"[\"']?\b(?:{names}){_IS}(?P<{group}>{DECIMAL})" for group, names in words.items())
    return re.compile(_NEXT.join(sides), re.IGNORECASE)


_TAG = r"\|?(?:box_start|box_end|box|bbox|bounding_box|quad)\|?"
_REF = r"\|?(?:ref|object_ref_start|object_ref_end)\|?"
NOTATIONS: tuple[tuple["re.Pattern[str]", Rewrite], ...] = (
    (re.compile(rf"(?P<open>\{{?){GAP}(?P<body>(?:<{GAP}{DECIMAL}{GAP}>{GAP}){{2,8}})(?P<close>\}}?)"), _angles),
    (re.compile(r"(?P<body>(?:<loc\d{4}>){1,8})(?P<label>(?:(?!\b(?i:frame)\b)[^<>;,:\[\](){}\n]){0,80})"), _paligemma),
    (re.compile(r"(?P<before>(?<=\w))?(?P<body>(?:<loc_\d{1,4}>){1,256})"), _florence),
    (
        re.compile(
            rf"(?:<phrase>(?P<label>[^<>]{{0,80}})</phrase>{GAP})?(?:<object>{GAP})?"
            rf"<patch_index_(?P<first>\d{{1,4}})>(?:{GAP}<patch_index_(?P<last>\d{{1,4}})>)?"
        ),
        _kosmos,
    ),
    (
        re.compile(
            rf"(?:<{_REF}>(?P<label>[^<>]{{0,80}})</?{_REF}>{GAP})?"
            rf"<{_TAG}>(?P<body>[\d\s.,()\[\]%+-]{{1,200}})(?P<close></?{_TAG}>)?"
        ),
        _tagged,
    ),
    (OBJECT, _object),
    (_sides(x1="x_?(?:1|min)|left", y1="y_?(?:1|min)|top", x2="x_?(?:2|max)|right", y2="y_?(?:2|max)|bottom"), _named),
    (
        _sides(
            x="x(?:_?c(?:enter)?)?|c(?:enter)?_?x",
            y="y(?:_?c(?:enter)?)?|c(?:enter)?_?y",
            w="w(?:idth)?",
            h="h(?:eight)?",
        ),
        _sized,
    ),
    (
        re.compile(rf"\({DECIMAL}{GAP},{GAP}{DECIMAL}\){GAP},?{GAP}\({DECIMAL}{GAP},{GAP}{DECIMAL}\)"),
        _pair,
    ),
    (re.compile(rf"[\"']?\b\w{{0,12}}(?:bbox|box_2d|xyxy|xywh)\w{{0,12}}{_IS}{_LIST}", re.IGNORECASE), _keyed),
    (re.compile(rf"\[{GAP}(?P<body>{_LIST}(?:{GAP},{GAP}{_LIST}){{0,63}}){GAP}\]?"), _nested),
    (re.compile(rf"[\[(]{GAP}{DECIMAL}{GAP}%(?:{GAP},{GAP}{DECIMAL}{GAP}%){{3}}{GAP}[\])]"), _percent),
    (re.compile(r"<\|?(?:loc|box|bbox|quad|patch_index)(?:_?[^\s<>]{0,16})>"), _unread),
)


def in_plain_brackets(text: str, repairs: list[str], problems: list[str], scale: Scale | None = None) -> str:
    """Text whose boxes are all in this project's two dialects; what was rewritten or left out is added to the notes.

    Plain lists of four numbers stay as they are, whatever the scale.
    """
    text = text.translate(FULL_WIDTH)
    if BARE.fullmatch(text):
        problems.append("four numbers without brackets may be a box, and do not say so")
    for pattern, rewrite in NOTATIONS:
        text = pattern.sub(partial(_rewritten, rewrite, scale, repairs, problems), text)
    return text


def _rewritten(
    rewrite: Rewrite, scale: Scale | None, repairs: list[str], problems: list[str], match: "re.Match[str]"
) -> str:
    said = rewrite(match, scale)
    if said is None:
        return match[0]
    repairs.extend([said.repair] if said.repair else [])
    problems.extend([said.problem] if said.problem else [])
    return said.text
