"""What stands around an image of the demo's film."""

from dataclasses import replace

import numpy as np
import pytest

from vitron_ros.images.command_panel import CommandPanel, CommandRow, draw_command_panel

IMAGE = np.random.default_rng(3).integers(0, 255, (240, 320, 3), np.uint8)
CONTENT = CommandPanel(
    commands=[CommandRow("track the cup", "thinking ...", "running")], question="track the cup", answer="thinking ..."
)


@pytest.mark.parametrize("size", [(240, 320), (241, 321), (480, 480), (1080, 1920), (64, 64)])
def test_the_image_is_untouched_in_the_corner_of_an_even_sheet(size):
    image = np.random.default_rng(4).integers(0, 255, (*size, 3), np.uint8)
    sheet = draw_command_panel(image, CONTENT)
    assert np.array_equal(sheet[: size[0], : size[1]], image)
    assert sheet.shape[0] % 2 == sheet.shape[1] % 2 == 0
    assert sheet.shape[0] > size[0] and sheet.shape[1] > size[1]


def written(sheet, rows, columns) -> int:
    """How many pixels differ from the paper."""
    part = sheet[rows, columns].astype(int)
    return int((np.abs(part - sheet[-1, -1]).sum(axis=-1) > 60).sum())


BELOW, BESIDE = (slice(240, None), slice(0, 320)), (slice(None), slice(320, None))


def test_words_stand_below_and_commands_beside():
    assert written(draw_command_panel(IMAGE, CONTENT), *BELOW) > 100
    assert written(draw_command_panel(IMAGE, CONTENT), *BESIDE) > 100
    silent = draw_command_panel(IMAGE, CommandPanel(commands=[]))
    assert written(silent, *BELOW) == written(silent, *BESIDE) == 0


def test_long_words_keep_to_their_place():
    long = "the object that comes back after hiding behind the post and then goes on to the very end " * 4
    sheet = draw_command_panel(IMAGE, replace(CONTENT, question=long, answer=long))
    assert written(sheet, slice(240, None), slice(318, 320)) == 0
    beside = draw_command_panel(IMAGE, CommandPanel(commands=[CommandRow(long, long, "right")]))
    assert written(beside, slice(None), slice(beside.shape[1] - 4, None)) == 0


def test_the_inset_keeps_its_shape_and_gives_way_to_the_commands():
    white = np.full((90, 180, 3), 255, np.uint8)
    sheet = draw_command_panel(IMAGE, replace(CONTENT, inset=white, inset_title="what the model keeps"))[:, 320:]
    bright = (sheet == 255).all(axis=-1)
    rows, columns = np.flatnonzero(bright.sum(axis=1) > 30), np.flatnonzero(bright.sum(axis=0) > 15)
    assert np.ptp(columns) + 1 == pytest.approx(2 * (np.ptp(rows) + 1), abs=3)
    crowded = replace(CONTENT, commands=CONTENT.commands * 12, inset=white)
    assert not ((draw_command_panel(IMAGE, crowded)[:, 320:] == 255).all(axis=-1).sum(axis=1) > 30).any()


def test_right_and_wrong_look_different_and_are_also_written():
    sheets = [
        draw_command_panel(IMAGE, CommandPanel(commands=[CommandRow("x", "done", status)]))
        for status in ("right", "wrong", "running")
    ]
    assert len({sheet.tobytes() for sheet in sheets}) == 3
