"""The annotated image of the demo: question and answer below the image, commands and an inset beside it."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from vitron_ros.frame import Image

CommandStatus = Literal["waiting", "running", "done", "right", "wrong"]

PANEL_SHARE = 2 / 3  # width of the panel beside the image, in heights of the image
_COLOURS: dict[CommandStatus, tuple[int, int, int]] = {
    "waiting": (120, 124, 130),
    "running": (255, 206, 84),
    "done": (225, 228, 232),
    "right": (120, 224, 132),
    "wrong": (255, 128, 112),
}
_PAPER, _INK, _FAINT = (24, 27, 32), (240, 242, 244), (150, 155, 162)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_HEIGHT = 480  # px; letters grow with larger images
_TEXT_SCALE, _LARGE_SCALE = 0.46, 0.6
_MOST_LETTERS = 90  # below the image; they become smaller to fit, and more could not be read
_LINE, _LARGE_LINE, _MARGIN = 19, 27, 12  # px at the reference height


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A command and its status."""

    command: str
    outcome: str
    status: CommandStatus


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommandPanel:
    """What is drawn around an image.

    Attributes:
        commands: the commands, in order.
        question, answer: below the image; may be empty.
        inset: a picture for the panel; None: there is none yet.
        inset_title: what the picture shows.
        note: small, at the foot of the panel.
    """

    commands: Sequence[CommandRow]
    question: str = ""
    answer: str = ""
    inset: Image | None = None
    inset_title: str = ""
    note: str = ""


def draw_command_panel(rgb: Image, content: CommandPanel) -> Image:
    """The image (H, W, 3) in the upper left corner of a larger one, the panel around it. Even height and width."""
    height, width = rgb.shape[:2]
    scale = max(1.0, height / _REFERENCE_HEIGHT)
    strip, panel = round(2 * _LARGE_LINE * scale) + round(_MARGIN * scale), round(height * PANEL_SHARE)
    sheet = np.full((-(-(height + strip) // 2) * 2, -(-(width + panel) // 2) * 2, 3), _PAPER, np.uint8)
    sheet[:height, :width] = rgb
    _draw_words(sheet[height:, :width], content, scale)
    _draw_panel(sheet[:, width:], content, scale)
    return sheet


def _draw_words(strip: Image, content: CommandPanel, scale: float) -> None:
    for row, (words, colour) in enumerate(((content.question, _INK), (content.answer, _COLOURS["running"]))):
        words = textwrap.shorten(words, _MOST_LETTERS, placeholder=" ...")
        y = round((_LARGE_LINE * (row + 0.85) + _MARGIN / 4) * scale)
        _write(strip, words, (round(_MARGIN * scale), y), colour, _fitting(words, strip.shape[1], scale))


def _draw_panel(panel: Image, content: CommandPanel, scale: float) -> None:
    height, width = panel.shape[:2]
    margin, line = round(_MARGIN * scale), round(_LINE * scale)
    letters = max(int((width - 2 * margin) / (_letter_width() * scale)), 8)  # cut off where that is too wide
    y = margin
    for number, item in enumerate(content.commands, 1):
        for words in textwrap.wrap(f"{number}  {item.command}", letters, subsequent_indent="   "):
            y += line
            _write(panel, words, (margin, y), _FAINT if item.status == "waiting" else _INK, _TEXT_SCALE * scale)
        for words in textwrap.wrap(item.outcome, letters - 3) or [""]:
            y += line
            _write(panel, f"   {words}", (margin, y), _COLOURS[item.status], _TEXT_SCALE * scale)
        y += line // 2
    foot = height - margin
    _write(panel, content.note, (margin, foot), _FAINT, _TEXT_SCALE * scale)
    if content.inset is not None:
        side = min(width - 2 * margin, foot - 2 * line - y - margin)
        if side >= 2 * line:  # else the commands need the room
            top = foot - line - side
            rows, columns = content.inset.shape[:2]
            size = (side * columns // max(rows, columns), side * rows // max(rows, columns))
            small = cv2.resize(content.inset, size, interpolation=cv2.INTER_AREA)
            panel[top : top + size[1], margin : margin + size[0]] = small
            _write(panel, content.inset_title, (margin, top - line // 3), _FAINT, _TEXT_SCALE * scale)


def _letter_width() -> float:
    (width, _), _ = cv2.getTextSize("n" * 20, _FONT, _TEXT_SCALE, 1)
    return float(width) / 20


def _fitting(words: str, room: int, scale: float) -> float:
    """The size of the letters, smaller where the words would not fit."""
    (width, _), _ = cv2.getTextSize(words, _FONT, _LARGE_SCALE * scale, round(scale))
    return _LARGE_SCALE * scale * min(1.0, (room - 2 * _MARGIN * scale) / float(max(width, 1)))


def _write(canvas: Image, words: str, origin: tuple[int, int], colour: tuple[int, int, int], size: float) -> None:
    cv2.putText(canvas, words, origin, _FONT, size, colour, max(1, round(size / _LARGE_SCALE)), cv2.LINE_AA)
