"""Printable shapes: every shape in every colour, as vector drawings in a PDF of A4 pages.

For holding in front of a camera, as pages or cut out. The colours are the middles of the ranges that the worlds use.
"""

import cv2
import numpy as np

from vitron_ros.worlds.shapes import Points, silhouette
from vitron_ros.worlds.sprites import COLOUR_RANGES
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES

PAGE = (595, 842)  # points, A4
MARGIN = 36
COLUMNS = 5
FILL_SHARE = 0.72  # of a cell that a shape takes


def shapes_pdf() -> bytes:
    """The PDF file. Page 1: every shape, large, in colours that differ. Then all colours of all shapes, small."""
    pages = [_large_page(), *(_table_page(SHAPES[start : start + 8]) for start in range(0, len(SHAPES), 8))]
    return _pdf(pages)


def middle_colour(colour: str) -> tuple[float, float, float]:
    """The middle of a colour's range, RGB in 0..1."""
    hue, saturation, value = (sum(limits) / 2 for limits in COLOUR_RANGES[colour])
    saturation = 0.0 if saturation < 0.1 else saturation  # black and white have no hue
    rgb = cv2.cvtColor(np.array([[[hue % 360, saturation, value]]], np.float32), cv2.COLOR_HSV2RGB)[0, 0]
    return (float(rgb[0]), float(rgb[1]), float(rgb[2]))


def _large_page() -> str:
    width = (PAGE[0] - 2 * MARGIN) / 3
    height = (PAGE[1] - 2 * MARGIN) / 5
    drawing = []
    for index, shape in enumerate(SHAPES):
        colour = COLOURS[index % len(COLOURS)]
        row, column = divmod(index, 3)
        x, y = MARGIN + width * (column + 0.5), PAGE[1] - MARGIN - height * (row + 0.5)
        drawing.append(_shape(shape, colour, x, y + 6, min(width, height) * FILL_SHARE))
        drawing.append(_label(f"{colour} {shape}", x, y - height / 2 + 6))
    return "\n".join(drawing)


def _table_page(shapes: tuple[str, ...]) -> str:
    width, height = (PAGE[0] - 2 * MARGIN) / len(shapes), (PAGE[1] - 2 * MARGIN) / len(COLOURS)
    drawing = []
    for row, colour in enumerate(COLOURS):
        for column, shape in enumerate(shapes):
            x, y = MARGIN + width * (column + 0.5), PAGE[1] - MARGIN - height * (row + 0.5)
            drawing.append(_shape(shape, colour, x, y + 4, min(width, height) * FILL_SHARE))
            drawing.append(_label(f"{colour} {shape}", x, y - height / 2 + 8, size=7))
    return "\n".join(drawing)


def _path(points: Points, x: float, y: float, side: float) -> str:
    corners = [(x + px * side, y - py * side) for px, py in points]
    lines = [f"{corners[0][0]:.2f} {corners[0][1]:.2f} m", *(f"{px:.2f} {py:.2f} l" for px, py in corners[1:]), "h"]
    return "\n".join(lines)


def _shape(shape: str, colour: str, x: float, y: float, side: float) -> str:
    """A silhouette with its details; a thin grey rim keeps white visible on white."""
    drawing, rgb = silhouette(shape), middle_colour(colour)
    side /= float(np.ptp(np.concatenate(drawing.contours), axis=0).max())
    lines = [f"{rgb[0]:.3f} {rgb[1]:.3f} {rgb[2]:.3f} rg 0.45 G 0.6 w"]
    for contour in drawing.contours:
        holes = [_path(hole, x, y, side) for hole in drawing.holes]
        lines += [_path(contour, x, y, side), *holes, "B*"]
    for points, brightness in drawing.details:
        tone = [value * brightness if brightness <= 1 else value * 0.35 + 0.6 for value in rgb]
        if max(rgb) < 0.18 and brightness <= 1:
            tone = [value + 0.235 for value in rgb]
        lines += [f"{tone[0]:.3f} {tone[1]:.3f} {tone[2]:.3f} rg", _path(points, x, y, side), "f"]
    return "\n".join(lines)


def _label(text: str, x: float, y: float, size: int = 10) -> str:
    """Text about centred at x; Helvetica is half as wide as high on average."""
    return f"BT 0.2 g /F1 {size} Tf {x - len(text) * size * 0.25:.1f} {y:.1f} Td ({text}) Tj ET"


def _pdf(pages: list[str]) -> bytes:
    """A PDF 1.4 file (ISO 32000) of pages given by their drawing operators."""
    numbers = [4 + 2 * index for index in range(len(pages))]
    bodies = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{' '.join(f'{n} 0 R' for n in numbers)}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in zip(numbers, pages, strict=True):
        resources = "<< /Font << /F1 3 0 R >> >>"
        box = f"[0 0 {PAGE[0]} {PAGE[1]}]"
        bodies.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox {box} "
            f"/Resources {resources} /Contents {number + 1} 0 R >>".encode()
        )
        content = page.encode()
        bodies.append(b"<< /Length %d >>\nstream\n%b\nendstream" % (len(content), content))
    file, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(bodies, 1):
        offsets.append(len(file))
        file += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    file += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    file += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(bodies) + 1, start)
    return bytes(file)
