"""Tracks drawn over an image, for the debug image and for annotated videos."""

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.images.mask_overlay import draw_mask
from vitron_ros.images.trajectory import draw_trajectory
from vitron_ros.masks import CroppedMask

Colour = tuple[int, int, int]  # rgb
Point = tuple[int, int]
Rectangle = tuple[int, int, int, int]  # px: x, y, width, height

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_HEIGHT = 480  # px; lines and letters grow with larger images
_TEXT_SCALE = 0.45
_MAX_LETTERS = 36
_STATUS_OPACITY = 0.6
_TRAJECTORY_WIDTH = 2  # px
_UNSELECTED_BRIGHTNESS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """One thing to draw.

    Attributes:
        id: chooses the colour, the same for its whole life.
        box_xyxy: (4,) px, may reach outside the image.
        label: what it is or was asked for; may be empty.
        state: tentative, tracked, predicted, lost or ended; or region: a place that is shown, not followed.
        score: shown with two digits.
        mask: tints the target and outlines it.
        trajectory: (N, 2) px, where its centre was, oldest first; drawn as a line that fades towards the past.
    """

    id: int
    box_xyxy: Boxes
    label: str
    state: str
    score: float
    mask: CroppedMask | None = None
    trajectory: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class _Style:
    thickness: int
    is_dashed: bool
    opacity: float


_STYLES = {
    "tentative": _Style(1, False, 1.0),
    "tracked": _Style(2, False, 1.0),
    "predicted": _Style(2, True, 1.0),
    "lost": _Style(2, True, 0.6),
    "ended": _Style(1, False, 0.6),
    "region": _Style(2, False, 1.0),
}


def draw_tracks(rgb: Image, overlays: Sequence[Overlay], status: str = "") -> Image:
    """A copy of the image with every overlay, and `status` (such as rate and latency) in a bar at its lower edge.

    Tracked is a solid box, tentative a thin one, predicted a dashed one, lost a faint dashed one; what is not tracked
    is written out as well, so nothing depends on colour or line alone.
    """
    canvas = np.array(rgb)
    scale = max(1.0, rgb.shape[0] / _REFERENCE_HEIGHT)
    for overlay in overlays:
        if overlay.mask is not None:
            draw_mask(canvas, overlay.mask, colour_of(overlay.id), round(scale))
    for overlay in overlays:
        if overlay.trajectory is not None:
            draw_trajectory(canvas, overlay.trajectory, colour_of(overlay.id), round(_TRAJECTORY_WIDTH * scale))
    for overlay in overlays:
        _draw_box(canvas, overlay, scale)
    labels: list[Rectangle] = []
    for overlay in overlays:  # after all boxes, so that no line crosses a text
        labels.append(_draw_label(canvas, overlay, scale, labels))
    if status:
        _draw_status(canvas, status, scale)
    return canvas


def shade_unselected(rgb: Image, selected: NDArray[np.bool_]) -> Image:
    """A copy of the image in which unselected patches, of a grid (G, G), are dark and grey."""
    height, width = rgb.shape[:2]
    mask = cv2.resize(selected.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    shaded = np.repeat((grey * _UNSELECTED_BRIGHTNESS).astype(np.uint8)[..., None], 3, axis=-1)
    return np.where(mask[..., None] > 0, rgb, shaded)


def colour_of(track_id: int) -> Colour:
    """A bright colour; neighbours in number lie far apart in hue (steps of the golden angle)."""
    hue = (0.33 + track_id * 0.381966) % 1.0
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _draw_box(canvas: Image, overlay: Overlay, scale: float) -> None:
    style = _STYLES[overlay.state]
    layer = canvas.copy() if style.opacity < 1 else canvas
    corners = _corners(overlay.box_xyxy, canvas)
    thickness = max(1, round(style.thickness * scale))
    # A dark rim makes the line visible on a background of its own colour.
    for colour, width in (((0, 0, 0), thickness + 2), (colour_of(overlay.id), thickness)):
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            _draw_line(layer, start, end, colour, width, round(8 * scale) if style.is_dashed else 0)
    if layer is not canvas:
        cv2.addWeighted(layer, style.opacity, canvas, 1 - style.opacity, 0, dst=canvas)


def _draw_line(canvas: Image, start: Point, end: Point, colour: Colour, width: int, dash: int) -> None:
    if not dash:
        cv2.line(canvas, start, end, colour, width)
        return
    (x, y), (x_end, y_end) = start, end  # upright or level: one of the two does not change
    length = max(abs(x_end - x), abs(y_end - y))
    step_x, step_y = (x_end > x) - (x_end < x), (y_end > y) - (y_end < y)
    for first in range(0, length, 2 * dash):
        last = min(first + dash, length)
        cv2.line(
            canvas,
            (x + step_x * first, y + step_y * first),
            (x + step_x * last, y + step_y * last),
            colour,
            width,
        )


def _draw_label(canvas: Image, overlay: Overlay, scale: float, others: Sequence[Rectangle]) -> Rectangle:
    """Returns where it is: beside the others, where there is room."""
    words = overlay.label if overlay.state == "region" else f"#{overlay.id} {overlay.label}".strip()
    if len(words) > _MAX_LETTERS:
        words = words[: _MAX_LETTERS - 3].rstrip() + "..."
    if overlay.state != "region":
        words += f" {overlay.score:.2f}" if overlay.state == "tracked" else f" {overlay.state}"
    red, green, blue = colour_of(overlay.id)
    is_faint = _STYLES[overlay.state].opacity < 1
    background = (red // 2, green // 2, blue // 2) if is_faint else (red, green, blue)
    corners, size = _corners(overlay.box_xyxy, canvas), _text_size(words, scale)
    x, y, width, height = label = _label_place(corners, size, canvas, others)
    cv2.rectangle(canvas, (x, y), (x + width - 1, y + height - 1), background, cv2.FILLED)
    luminance = np.dot(background, [0.299, 0.587, 0.114])
    _write(canvas, words, (x, y), (0, 0, 0) if luminance > 110 else (255, 255, 255), scale)
    return label


def _label_place(corners: Sequence[Point], size: Point, canvas: Image, others: Sequence[Rectangle]) -> Rectangle:
    """The first that is free of a label's places: above the box, below it, inside; each at its left or its right."""
    (left, top), _, (right, bottom), _ = corners
    width, height = size
    places = [
        (min(max(x, 0), max(canvas.shape[1] - width, 0)), min(max(y, 0), max(canvas.shape[0] - height, 0)))
        for y in (top - height, bottom, top, bottom - height)
        if 0 <= y <= canvas.shape[0] - height or y == top
        for x in (left - 1, right - width + 1)
    ]
    rectangles = [(x, y, width, height) for x, y in places]
    return next((place for place in rectangles if not any(map(partial(_overlap, place), others))), rectangles[0])


def _overlap(one: Rectangle, other: Rectangle) -> bool:
    return all(one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2] for axis in (0, 1))


def _draw_status(canvas: Image, status: str, scale: float) -> None:
    _, height = _text_size(status, scale)
    bar = canvas[-height:]
    bar[:] = bar * (1 - _STATUS_OPACITY)
    _write(canvas, status, (round(4 * scale), canvas.shape[0] - height), (255, 255, 255), scale)


def _text_size(words: str, scale: float) -> Point:
    """Width and height of the words with their margins, px."""
    (width, height), baseline = cv2.getTextSize(words, _FONT, _TEXT_SCALE * scale, round(scale))
    return width + round(6 * scale), height + baseline + round(4 * scale)


def _write(canvas: Image, words: str, corner: Point, colour: Colour, scale: float) -> None:
    """Words whose margins begin at the upper left corner."""
    (_, height), _ = cv2.getTextSize(words, _FONT, _TEXT_SCALE * scale, round(scale))
    origin = (corner[0] + round(3 * scale), corner[1] + round(3 * scale) + height)
    cv2.putText(canvas, words, origin, _FONT, _TEXT_SCALE * scale, colour, round(scale), cv2.LINE_AA)


def _corners(box_xyxy: Boxes, canvas: Image) -> list[Point]:
    """Upper left, upper right, lower right, lower left; parts outside the image are drawn just beyond its edge."""
    height, width = canvas.shape[:2]
    x_min, y_min, x_max, y_max = np.clip(np.round(box_xyxy), -9, [width + 9, height + 9] * 2).astype(int).tolist()
    return [(x_min, y_min), (x_max - 1, y_min), (x_max - 1, y_max - 1), (x_min, y_max - 1)]
