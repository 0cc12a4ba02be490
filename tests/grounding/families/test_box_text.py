"""Boxes in the text of published models: true boxes come back as they were, damaged ones are problems."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.grounding.families.box_text import (
    CELLS,
    DIALECTS,
    FLORENCE2,
    INTERNVL,
    KOSMOS2,
    PALIGEMMA,
    QWEN2_5_VL,
    QWEN3_VL,
    read_boxes,
    write_boxes,
)

SIZES = [(640, 480), (1280, 720), (480, 640), (720, 1280), (637, 479), (333, 1001), (64, 64)]
VGA, SEEN = (640, 480), (644, 476)


def multiple_of_28(size):
    """The size that Qwen2.5-VL sees; small limits make it much smaller than the image."""
    return tuple(max(28, round(side * 0.57 / 28) * 28) for side in size)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=list(DIALECTS))
def test_a_true_box_comes_back_within_half_a_step_of_its_dialect(dialect, size):
    draw = np.random.default_rng(0)
    seen = multiple_of_28(size)
    steps = seen if dialect.steps is None else (dialect.steps, dialect.steps)
    for _ in range(50):
        low = draw.uniform(0, 0.6, 2) * size
        box = np.concatenate([low, low + draw.uniform(0.15, 0.4, 2) * size])
        reading = read_boxes(write_boxes([box], ["the mug"], dialect, size, seen), dialect, size, seen)
        assert (reading.labels, reading.problems, reading.is_absent) == (("the mug",), (), False)
        step = np.array([size[0] / steps[0], size[1] / steps[1]] * 2)
        assert (np.abs(reading.boxes_xyxy - box) <= step / 2 + 0.01).all()


def test_the_same_numbers_are_other_places_in_other_dialects():
    text = '[{"bbox_2d": [100, 200, 300, 400], "label": "mug"}]'
    assert read_boxes(text, QWEN3_VL, VGA).boxes_xyxy[0] == pytest.approx([64, 96, 192, 192])
    assert read_boxes(text, QWEN2_5_VL, VGA, (320, 420)).boxes_xyxy[0] == pytest.approx(
        [200, 228.6, 600, 457.1], abs=0.1
    )
    assert read_boxes(text, QWEN2_5_VL, VGA).boxes_xyxy[0] == pytest.approx([100, 200, 300, 400])
    y_first = "<loc0256><loc0128><loc0768><loc0512> mug"
    assert read_boxes(y_first, PALIGEMMA, (1024, 1024)).boxes_xyxy[0] == pytest.approx([128, 256, 512, 768])


MUG = '{"bbox_2d": [100, 200, 500, 900], "label": "mug"}'
BOX = [64.0, 96.0, 320.0, 432.0]
READABLE = [
    # text, boxes, labels
    (f"[{MUG}]", [BOX], ["mug"]),
    (MUG, [BOX], ["mug"]),
    (f"```json\n[\n\t{MUG}\n]\n```", [BOX], ["mug"]),
    (f"Sure! Here it is:\n```json\n[{MUG}]\n```\nAnything else?", [BOX], ["mug"]),
    (f"[{MUG}]<|im_end|>", [BOX], ["mug"]),
    (f'[{MUG}, {{"bbox_2d": [0, 0, 1000, 500], "label": "cup"}}]', [BOX, [0, 0, 640, 240]], ["mug", "cup"]),
    ('{"bbox_2d": [100.0, 200.4, 500.2, 900]}', [[64, 96.192, 320.128, 432]], [""]),
    ('{"bbox_2d": [0.1, 0.2, 0.5, 0.9]}', [BOX], [""]),
    ('{"bbox": [100, 200, 500, 900]}', [BOX], [""]),
    ('{"x1": 100, "y1": 200, "x2": 500, "y2": 900, "label": "mug"}', [BOX], ["mug"]),
    ("[100, 200, 500, 900]", [BOX], [""]),
    ("The mug is at [100, 200, 500, 900].", [BOX], [""]),
    ("(100,200),(500,900)", [BOX], [""]),
    ("<|object_ref_start|>the mug<|object_ref_end|><|box_start|>(100,200),(500,900)<|box_end|>", [BOX], ["the mug"]),
    ("<ref>mug</ref><box>[[100, 200, 500, 900]]</box>", [BOX], ["mug"]),
    ("<ref>mug</ref><box>[[100, 200, 500, 900], [0, 0, 1000, 500]]</box>", [BOX, [0, 0, 640, 240]], ["mug", "mug"]),
    # swapped in a way that means one box
    ('{"bbox_2d": [500, 900, 450, 200]}', [[288, 96, 320, 432]], [""]),
    # a little outside: cut off
    ('{"bbox_2d": [-20, 200, 1040, 1060]}', [[0, 96, 640, 480]], [""]),
]


@pytest.mark.parametrize(("text", "boxes", "labels"), READABLE, ids=[row[0][:60] for row in READABLE])
def test_boxes_of_thousandths(text, boxes, labels):
    reading = read_boxes(text, QWEN3_VL, VGA)
    assert reading.boxes_xyxy == pytest.approx(np.array(boxes), abs=1e-2)
    assert list(reading.labels) == labels
    assert (reading.problems, reading.is_absent) == ((), False)


DAMAGED = [
    # text, part of the problem
    ('[{"bbox_2d": [100, 200, 500, 9', "not valid JSON"),
    ('[{"bbox_2d": [100, 200, 500], "label": "mug"}]', "order of its numbers"),
    ('[{"bbox_2d": [100, 200, 500, 900, 1], "label": "mug"}]', "order of its numbers"),
    ('{"bbox_2d": [NaN, 200, 500, 900]}', "leaves the image"),
    ('{"bbox_2d": [100, 200, Infinity, 900]}', "leaves the image"),
    ('{"bbox_2d": [1200, 200, 1280, 900]}', "leaves the image"),
    ('{"bbox_2d": [100, 200, 1240, 700]}', "leaves the image"),
    ('{"bbox_2d": [-300, 200, 500, 900]}', "leaves the image"),
    ('{"bbox_2d": [1010, 200, 1050, 900]}', "no area"),
    ('{"bbox_2d": [100, 200, 100, 900]}', "no area"),
    ('{"bbox_2d": [0, 0, 0, 0]}', "no area"),
    ('{"bbox_2d": [500, 600, 100, 200]}', "two ways"),
    ('{"bbox_2d": ["a", 200, 500, 900]}', "order of its numbers"),
    ('{"bbox_2d": [1e999, 200, 500, 900]}', "leaves the image"),
    ('{"x": 100, "y": 200, "width": 400, "height": 700}', "corner or its middle"),
    ('{"box_2d": [100, 200, 500, 900]}', "order of its numbers"),
    ("[100, 200, 500", "3 numbers"),
    ("[100, 200, 500, 90", "cut off"),
    ("<box>[[100, 200, 500, 90", "cut off"),
    ("100 200 500 900", "without brackets"),
    ("[nan, 200, 500, 900]", "without a box"),
    ("[1200, 200, 1300, 900]", "leaves the image"),
    ("Frame 1: [100, 200, 500, 900]", "by frame number"),
    ("<loc_10><loc_20><loc_30>", "3 numbers"),
]


@pytest.mark.parametrize(("text", "problem"), DAMAGED, ids=[row[0][:60] for row in DAMAGED])
def test_a_damaged_box_is_a_problem(text, problem):
    reading = read_boxes(text, QWEN3_VL, VGA)
    assert len(reading.boxes_xyxy) == 0
    assert problem in " ".join(reading.problems)
    assert not reading.is_absent


def test_a_good_box_beside_a_damaged_one_counts():
    reading = read_boxes(f'[{MUG}, {{"bbox_2d": [1, 2', QWEN3_VL, VGA)
    assert (len(reading.boxes_xyxy), len(reading.problems)) == (1, 1)


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "```json\n[]\n```", " [ ] ", "[]<|im_end|>", "{}", "null", "None", "none.", "There are none."),
        *("There is no person in a red jacket in the image.", "The red mug is not visible in this image.", "[{}]"),
        *("It isn't present.", '[{"bbox_2d": [], "label": "mug"}]', '{"bbox_2d": null}', "Nothing found"),
    ],
)
def test_nothing_there_is_an_answer(text):
    assert read_boxes(text, QWEN3_VL, VGA).is_absent


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "I cannot tell.",
        "yes",
        f"None of them but this: {MUG}",
        "There is no red mug, but a blue one: [1, 2, 3, 4]",
    ],
)
def test_what_does_not_say_that_nothing_is_there_is_not_absence(text):
    assert not read_boxes(text, QWEN3_VL, VGA).is_absent


def test_several_boxes_of_one_phrase_and_a_cut_off_end():
    text = "</s><s>a mug<loc_100><loc_200><loc_500><loc_899><loc_0><loc_0><loc_999><loc_499>cup<loc_1><loc_2></s>"
    reading = read_boxes(text, FLORENCE2, VGA)
    assert reading.boxes_xyxy == pytest.approx(np.array([BOX, [0, 0, 640, 240]]), abs=0.5)
    assert reading.labels[0] == "a mug"
    assert "2 numbers in place of 4" in " ".join(reading.problems)


def test_cells_are_read_from_middle_to_middle():
    text = "<phrase>mug</phrase><object><patch_index_0000><patch_index_1023></object>"
    half = 32 / CELLS / 2
    assert read_boxes(text, KOSMOS2, (32, 32)).boxes_xyxy[0] == pytest.approx([half, half, 32 - half, 32 - half])


PIECES = [
    *(
        '{"bbox_2d": [',
        "100, 200, 500, 900",
        "]",
        ', "label": "mug"}',
        "[",
        "```json\n",
        "-1",
        "1e9",
        "NaN",
        "null",
        ",",
    ),
    *("<loc_10>", "<loc0010>", "<patch_index_0100>", "<box>", "</box>", "(1,2),(3,4)", "Frame 1:", "none", "none "),
    *("<|box_start|>", "漢", '"', "}", "9" * 400, "\x00"),
]


@given(
    pieces=st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=12),
    dialect=st.sampled_from(list(DIALECTS.values())),
    size=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    seen=st.one_of(st.none(), st.tuples(st.integers(28, 2000), st.integers(28, 2000))),
)
def test_any_text_gives_boxes_inside_the_image_or_none(pieces, dialect, size, seen):
    reading = read_boxes("".join(pieces), dialect, size, seen)
    assert len(reading.boxes_xyxy) == len(reading.labels)
    for x1, y1, x2, y2 in reading.boxes_xyxy:
        assert -1e-6 <= x1 < x2 <= size[0] + 1e-6
        assert -1e-6 <= y1 < y2 <= size[1] + 1e-6
    assert not (reading.is_absent and len(reading.boxes_xyxy))


def test_mutations_of_a_true_reply_never_leave_the_image():
    draw = random.Random(0)
    good = write_boxes([[10, 20, 600, 400], [1, 2, 30, 40]], ["a", "b"], INTERNVL, VGA)
    good += write_boxes([[10, 20, 600, 400]], ["a"], QWEN3_VL, VGA)
    for _ in range(3000):
        text = list(good)
        for _ in range(draw.randrange(1, 5)):
            text[draw.randrange(len(text))] = draw.choice("[]{}(),.-0123456789e\"' ")
        boxes = read_boxes("".join(text), QWEN3_VL, VGA).boxes_xyxy
        assert ((boxes >= 0) & (boxes <= [640.001, 480.001] * 2)).all()
