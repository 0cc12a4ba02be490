"""The commands and the files that they write."""

from pathlib import Path

import cv2
import pytest

from training.worlds.__main__ import main
from training.worlds.printable_shapes import shapes_pdf
from vitron_ros.worlds.vocabulary import COLOURS, SHAPES

ROOT = Path(__file__).parents[3]


def test_preview_writes_a_sheet_of_images_and_clips(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert main(["preview", "--out", str(out), "--rows", "2", "--size", "64"]) == 0
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 8 * 64 * 2
    assert sheet.std() > 20


def test_speed_prints_frames_a_second_of_each_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "--clips", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["128", "128", "160", "224"]


def test_the_sheet_in_the_documentation_shows_every_shape_in_every_colour() -> None:
    written = (ROOT / "docs" / "shapes.pdf").read_bytes()
    assert written == shapes_pdf(), "write it anew: python -m training.worlds shapes --out docs/shapes.pdf"
    for shape in SHAPES:
        for colour in COLOURS:
            assert f"({colour} {shape})".encode() in written


def test_the_sheet_is_a_pdf_whose_index_points_at_its_objects() -> None:
    file = shapes_pdf()
    start = int(file.rsplit(b"startxref\n", 1)[1].split()[0])
    entries = file[start:].split(b" 00000 n")[:-1]
    for number, entry in enumerate(entries, 1):
        offset = int(entry.split()[-1])
        assert file[offset:].startswith(b"%d 0 obj" % number)
