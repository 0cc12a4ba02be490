import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitron_ros.errors import RegionError
from vitron_ros.model import notations, parsing
from vitron_ros.model.answers import (
    Box,
    Invocation,
    box_text,
    grounded_text,
    invocation_text,
    one_box_text,
    track_text,
)
from vitron_ros.model.parsing import GroundedBox, ParseStatus, parse_reply
from vitron_ros.module_registry import Module

BOX = (0.1, 0.2, 0.3, 0.4)
SEGMENT = Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: zebra",))

hundredths = st.integers(0, 100).map(lambda number: number / 100)
boxes = (
    st.tuples(hundredths, hundredths, hundredths, hundredths)
    .map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
    .filter(lambda b: b[0] < b[2] and b[1] < b[3])
)
dialects = st.sampled_from(["integers", "fractions"])
words = (
    st.text("abcdefghij klmnop", min_size=1, max_size=30).map(str.strip).filter(lambda text: text not in ("", "none"))
)


# Writers and parser agree.


@given(box=st.one_of(st.none(), boxes), dialect=dialects)
def test_one_box_is_read_as_it_was_written(box, dialect):
    reply = parse_reply(one_box_text(box, dialect))
    assert (reply.status, reply.repairs) == (ParseStatus.OK, ())
    assert reply.is_absent == (box is None)
    assert [grounded.box for grounded in reply.boxes] == ([] if box is None else [box])


@given(
    frames=st.dictionaries(st.integers(1, 99), st.one_of(st.none(), boxes), min_size=1, max_size=9),
    dialect=dialects,
)
def test_a_track_is_read_as_it_was_written_with_its_gaps(frames, dialect):
    reply = parse_reply(track_text(frames, dialect))
    assert (reply.status, reply.repairs) == (ParseStatus.OK, ())
    if set(frames.values()) == {None}:
        assert reply.is_absent
    else:
        assert dict(reply.frames) == frames


@given(
    reply=words,
    module=st.sampled_from([module for module in Module if module]),
    instructions=st.lists(words, min_size=1, max_size=3),
    region=st.one_of(st.none(), boxes),
    by=st.sampled_from(["name", "letter"]),
)
def test_an_invocation_is_read_as_it_was_written(reply, module, instructions, region, by):
    invocation = Invocation(module, tuple(instructions), region)
    parsed = parse_reply(invocation_text(reply, invocation, by))
    assert (parsed.status, parsed.text, parsed.invocation) == (ParseStatus.OK, reply, invocation)


@given(boxes=st.dictionaries(words, boxes, min_size=1, max_size=4))
def test_a_grounded_caption_keeps_the_names_of_its_boxes(boxes):
    reply = parse_reply(grounded_text("A girl sits on a bench.", boxes))
    assert {grounded.label: grounded.box for grounded in reply.boxes} == boxes


def test_a_box_with_its_time_is_read_as_it_was_written():
    reply = parse_reply(f"{box_text(BOX, 'fractions')[:-1]} | 0, 2.5)")
    assert reply.boxes == (GroundedBox(BOX, "", (0.0, 2.5)),)


@pytest.mark.parametrize("box", [(float("nan"), 0, 1, 1), (0, 0, float("inf"), 1)])
def test_a_box_that_is_not_finite_is_not_written(box):
    with pytest.raises(RegionError, match="four finite numbers"):
        box_text(box)


def test_a_box_is_written_within_the_image():
    assert box_text((-0.2, 0.125, 1.7, 1.0)) == "[0,12,100,100]"


# Damaged replies: what is read of each, and what is said about the rest.

REPLIES: list[tuple[str, ParseStatus, dict[int, Box | None], list[Box], str]] = [
    # text, status, frames, other boxes, part of the repairs and problems
    ("", ParseStatus.EMPTY, {}, [], ""),
    (" \n\t ", ParseStatus.EMPTY, {}, [], ""),
    ("The mug is blue.", ParseStatus.OK, {}, [], ""),
    ("I see (3 of them), a sign [EXIT] and a price (4, 50).", ParseStatus.OK, {}, [], ""),
    ("In frame 3 it turns left.", ParseStatus.OK, {}, [], ""),
    ("Frame 1: a man sits. Frame 2: he runs.", ParseStatus.OK, {}, [], ""),
    ("[10,20,30,40]", ParseStatus.OK, {}, [BOX], ""),
    (" [ 10, 20 ,30 , 40 ] ", ParseStatus.OK, {}, [BOX], ""),
    ("It is at [10,20,30,40] now", ParseStatus.OK, {}, [BOX], ""),
    ("[0,0,100,100]", ParseStatus.OK, {}, [(0.0, 0.0, 1.0, 1.0)], ""),
    ("[10,20,30,40] and [10,20,30,41]", ParseStatus.OK, {}, [BOX, (0.1, 0.2, 0.3, 0.41)], ""),
    ("(0.1, 0.2, 0.3, 0.4)", ParseStatus.OK, {}, [BOX], ""),
    ("(.1, .2, .3, .4)", ParseStatus.OK, {}, [BOX], ""),
    ("(0, 0, 1, 1)", ParseStatus.OK, {}, [(0.0, 0.0, 1.0, 1.0)], ""),
    # cut off
    ("[10,20,30,40", ParseStatus.MALFORMED, {}, [], "cut off"),
    ("[10,20,30,4.", ParseStatus.MALFORMED, {}, [], "cut off"),
    ("[10,20,", ParseStatus.MALFORMED, {}, [], "2 numbers in place of 4"),
    ("[", ParseStatus.OK, {}, [], ""),
    ("Frame 1: [10,20,30,40], Frame 2: [10,2", ParseStatus.PARTIAL, {1: BOX}, [], "frame 2 has 2 numbers"),
    ("Frame 1: [10,20,30,40], Frame 2: [10,20,30,4", ParseStatus.PARTIAL, {1: BOX}, [], "frame 2 is cut off"),
    ("Frame 1: [10,20,30,40], Frame 2", ParseStatus.OK, {1: BOX}, [], ""),
    ("Frame 1: [10,20,30,40], Frame 2:", ParseStatus.PARTIAL, {1: BOX}, [], "frame 2 has no box"),
    ("(0.1, 0.2, 0.3, 0.4 | 0", ParseStatus.MALFORMED, {}, [], "cut off"),
    # wrong numbers
    ("[1,2,3]", ParseStatus.MALFORMED, {}, [], "3 numbers in place of 4"),
    ("[1,2,3,4,5]", ParseStatus.MALFORMED, {}, [], "5 numbers in place of 4"),
    ("[5,6,,8]", ParseStatus.MALFORMED, {}, [], "2 numbers in place of 4"),
    ("[ ]", ParseStatus.MALFORMED, {}, [], "brackets without a box"),
    ("[101,2,3,4]", ParseStatus.MALFORMED, {}, [], "leaves the image"),
    ("[-1,2,3,4]", ParseStatus.MALFORMED, {}, [], "leaves the image"),
    ("(0.1, 0.2, 1.3, 0.4)", ParseStatus.MALFORMED, {}, [], "leaves the image"),
    ("[10.5,20,30,40]", ParseStatus.MALFORMED, {}, [], "leaves the image"),
    ("[nan,1,2,3]", ParseStatus.MALFORMED, {}, [], "brackets without a box"),
    ("[1e9,1,2,3]", ParseStatus.MALFORMED, {}, [], "in place of 4"),
    (f"[{'9' * 50},1,2,3]", ParseStatus.MALFORMED, {}, [], "brackets without a box"),
    ("[1.2.3,1,2,3]", ParseStatus.MALFORMED, {}, [], "brackets without a box"),
    # corners
    ("[40,40,40,60]", ParseStatus.MALFORMED, {}, [], "no area"),
    ("[0,0,0,0]", ParseStatus.MALFORMED, {}, [], "no area"),
    ("[40,40,30,30]", ParseStatus.MALFORMED, {}, [], "two ways"),  # swapped, or 30 wide and 30 high
    ("[40,20,30,40]", ParseStatus.MALFORMED, {}, [], "two ways"),
    ("[80,70,30,40]", ParseStatus.OK, {}, [(0.3, 0.4, 0.8, 0.7)], "corners swapped"),  # too wide to be a size
    ("[10,90,30,40]", ParseStatus.OK, {}, [(0.1, 0.4, 0.3, 0.9)], "corners swapped"),
    # brackets
    ("[10,20,30,40)", ParseStatus.OK, {}, [BOX], "brackets mended"),
    ("[10,20,30,40 is the mug", ParseStatus.OK, {}, [BOX], "brackets mended"),
    ("[0.1,0.2,0.3,0.4]", ParseStatus.OK, {}, [BOX], "other dialect"),
    ("(10, 20, 30, 40)", ParseStatus.OK, {}, [BOX], "other dialect"),
    ("Frame 1: 10,20,30,40], Frame 2: 10,20,30,40.", ParseStatus.PARTIAL, {1: BOX}, [], "frame 2 is cut off"),
    ("Frame 1: [10,20,30,40, Frame 2: [10,20,30,40]", ParseStatus.OK, {1: BOX, 2: BOX}, [], "frame 1: brackets mended"),
    ("10,20,30,40", ParseStatus.MALFORMED, {}, [], "four numbers without brackets"),
    ("10,20,30,40]", ParseStatus.MALFORMED, {}, [], "four numbers without brackets"),
    ("In 2020, 2021, 2022 and 2023.", ParseStatus.OK, {}, [], ""),
    ("【10，20，30，40】", ParseStatus.OK, {}, [BOX], ""),
    ("[−5,0,10,10]", ParseStatus.MALFORMED, {}, [], "leaves the image"),
    ("[512,300,700,800]", ParseStatus.MALFORMED, {}, [], "another scale: 1000 or pixels"),
    ("[0.1,20,0.3,40]", ParseStatus.MALFORMED, {}, [], "another scale"),
    ("none, Frame 1: [10,20,30,40]", ParseStatus.PARTIAL, {1: BOX}, [], "says none, and then a box"),
    # frames
    ("Frame 1: [10,20,30,40], Frame 3: none.", ParseStatus.OK, {1: BOX, 3: None}, [], ""),
    ("frame 1 : [10,20,30,40]\nFRAME 2: NONE", ParseStatus.OK, {1: BOX, 2: None}, [], ""),
    ("Frame [1]: [10,20,30,40]; Frame #2=[10,20,30,40]", ParseStatus.OK, {1: BOX, 2: BOX}, [], ""),
    ("Frame 2 (0.5 s): (0.1, 0.2, 0.3, 0.4)", ParseStatus.OK, {2: BOX}, [], ""),
    ("Frame 1: [10,20,30,40] Frame 1: [10,20,30,40]", ParseStatus.OK, {1: BOX}, [], ""),
    ("Frame 1: [10,20,30,40], Frame 1: [1,2,3,4]", ParseStatus.PARTIAL, {1: BOX}, [], "frame 1 is given twice"),
    ("Frame 1: [10,20,30,40] [1,2,3,4]", ParseStatus.PARTIAL, {1: BOX}, [], "more than one box"),
    ("Frame 0: [10,20,30,40]", ParseStatus.MALFORMED, {}, [], "frames count from 1"),
    ("Frame 1: [10,20,30,40], Frame 2: gone", ParseStatus.PARTIAL, {1: BOX}, [], "words in place of a box"),
    ("Frame 1: [1,2], Frame 2: [10,20,30,40]", ParseStatus.PARTIAL, {2: BOX}, [], "frame 1 has 2 numbers"),
    ("Frame 1: [10,20,30,40]. mug: (0.1, 0.2, 0.3, 0.4)", ParseStatus.OK, {1: BOX}, [BOX], ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "status", "frames", "others", "note"), REPLIES, ids=[row[0][:40] for row in REPLIES])
def test_damaged_replies(text, status, frames, others, note):
    reply = parse_reply(text)
    assert reply.status is status, reply
    assert dict(reply.frames) == frames
    assert [grounded.box for grounded in reply.boxes] == others
    notes = " ".join((*reply.repairs, *reply.problems))
    assert note in notes
    assert bool(notes) == bool(note)


@pytest.mark.parametrize("text", ["none", "None.", " NONE \n", "none!"])
def test_an_absent_target_is_an_answer(text):
    reply = parse_reply(text)
    assert (reply.status, reply.is_absent) == (ParseStatus.OK, True)


def test_words_that_begin_with_none_are_words():
    assert not parse_reply("None of the mugs is red").is_absent


PAPER = """Sure, I track the clock.
<Module> Video Segmentation </Module>
<Instruction> segmentation: clock </Instruction>
<Region> (0.23, 0.35, 0.11, 0.26) </Region>"""

INVOCATIONS: list[tuple[str, ParseStatus, Invocation | None, str]] = [
    ("Sure. <module>B</module> <instruction>segmentation: zebra</instruction>", ParseStatus.OK, SEGMENT, ""),
    ("Sure. <MODULE> b </MODULE>\n<Instruction>\nsegmentation: zebra\n</instruction>", ParseStatus.OK, SEGMENT, ""),
    ("<module>image_segmentation</module><instruction>segmentation: zebra</instruction>", ParseStatus.OK, SEGMENT, ""),
    (PAPER, ParseStatus.OK, Invocation(Module.VIDEO_SEGMENTATION, ("segmentation: clock",), (0.23, 0.35, 0.34, 0.61)),
     "region: read as x, y, width, height"),
    ("<module>F</module> <instruction>a: b: c</instruction> <instruction>d</instruction>", ParseStatus.OK,
     Invocation(Module.VIDEO_EDITING, ("a: b: c", "d")), ""),
    ("<module>B<instruction>segmentation: zebra</instruction>", ParseStatus.OK, SEGMENT, "<module> is not closed"),
    (
        "</region><module>B</module><instruction>segmentation: zebra</instruction>",
        ParseStatus.OK, SEGMENT, "closes nothing",
    ),
    ("<module>B</module><instruction>segmentation: zeb", ParseStatus.MALFORMED, None, "<instruction> is cut off"),
    (
        "<module>B</module><instruction>segmentation: zebra</instruction><region>(0.1, 0.",
        ParseStatus.MALFORMED, None, "cut",
    ),
    (
        "<module>B</module><instruction>x</instruction><region>(0.1, 0.2)</region>",
        ParseStatus.MALFORMED, None, "2 numbers",
    ),
    ("<module>B</module><instruction>x</instruction><region>left</region>", ParseStatus.MALFORMED, None, "no box"),
    ("<module>Z</module><instruction>x</instruction>", ParseStatus.MALFORMED, None, "there is no module 'Z'"),
    ("<module></module><instruction>x</instruction>", ParseStatus.MALFORMED, None, "there is no module ''"),
    ("<module>B</module>", ParseStatus.MALFORMED, None, "given no instruction"),
    ("<module>B</module><instruction> </instruction>", ParseStatus.MALFORMED, None, "given no instruction"),
    ("<instruction>x</instruction>", ParseStatus.MALFORMED, None, "no module is named"),
    ("<module>B</module><instruction>segmentation: zebra</instruction><module>C</module>", ParseStatus.PARTIAL, SEGMENT,
     "more than one module"),
    ("a < b and <b>bold</b>", ParseStatus.OK, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "status", "invocation", "note"), INVOCATIONS, ids=[row[0][:60] for row in INVOCATIONS]
)
def test_invocations(text, status, invocation, note):
    reply = parse_reply(text)
    assert (reply.status, reply.invocation) == (status, invocation), reply
    notes = " ".join((*reply.repairs, *reply.problems))
    assert note in notes
    assert bool(notes) == bool(note)


def test_the_reply_that_is_shown_has_no_tags():
    assert parse_reply(PAPER).text == "Sure, I track the clock."
    assert parse_reply("a <module>B</module> b <instruction>x</instruction> c").text == "a b c"


# Other models' notations: read where they say scale and order, else named.

UNSCALED, UNORDERED = "does not say its scale", "does not say the order"
NOTATIONS: list[tuple[str, dict[str, Box] | str]] = [
    # text, boxes by label or part of the problem
    ("{<10><20><30><40>}", {"": BOX}),
    ("mug: {<10><20><30><40>}", {"mug": BOX}),
    ("<10><20><30><40>", {"": BOX}),
    ("{<10><20><30>}", "3 numbers in place of 4"),
    ("{<10><20><30><40>", "cut off"),
    ("{<512><300><700><800>}", "another scale"),
    ("<loc0128><loc0256><loc0512><loc0768> the mug ; <loc0000><loc0512><loc1023><loc0768> cat",
     {"the mug": (0.25, 0.125, 0.75, 0.5), "cat": (0.5, 0.0, 0.75, 0.999023)}),
    ("<loc0128><loc0256><loc0512>", "3 numbers in place of 4"),
    ("cat<loc_100><loc_200><loc_300><loc_400>", {"cat": (0.1005, 0.2005, 0.3005, 0.4005)}),
    ("<phrase>a dog</phrase><object><patch_index_0033><patch_index_0528></object>",
     {"a dog": (0.046875, 0.046875, 0.515625, 0.515625)}),
    ("<object><patch_index_0033><patch_index_0037></object>", {"": (0.03125, 0.03125, 0.1875, 0.0625)}),
    ("<patch_index_0033>", "one cell index in place of two"),
    ("<loc_left><loc_top>", "sign of a box that cannot be read"),
    ("{<0.1><0.2><0.3><0.4>}", {"": BOX}),
    ("[10%, 20%, 30%, 40%]", {"": BOX}),
    ("the mug [0.100,0.200,0.300,0.400]", {"": BOX}),
    ("<ref>mug</ref><box>(512,300),(700,800)</box>", UNSCALED),
    ("<box>(12,30),(70,80)</box>", UNSCALED),
    ("<|box_start|>(12,30),(70,80)<|box_end|>", UNSCALED),
    ("<box>(12,30),(70", UNSCALED),
    ("<box>[[12, 30, 70, 80]]</box>", UNSCALED),
    ("<box>12 30 70 80</box>", UNSCALED),
    ("<box>(0.1,0.2),(0.3,0.4)</box>", {"": BOX}),
    ("(512,300),(700,800)", "two points"),
    ("[[12, 30, 70, 80]]", UNSCALED),
    ("[[12, 30, 70, 80], [1, 2, 3, 4]]", UNSCALED),
    ("[[0.1, 0.2, 0.3, 0.4]]", {"": BOX}),
    ('[{"bbox_2d": [12, 30, 70, 80], "label": "watch"}]', UNSCALED),
    ('```json\n[{"bbox_2d": [0.1, 0.2, 0.3, 0.4], "label": "watch"}]\n```', {"watch": BOX}),
    ('{"label": "a: b [c]", "bbox_2d": [0.1, 0.2, 0.3, 0.4]}', {"a b c": BOX}),
    ('{"bbox_2d": [12, 30, 70', "not valid JSON"),
    ("{'bbox_2d': [12, 30, 70, 80]}", "not valid JSON"),
    ('"bbox_2d": [12, 30, 70, 80]', UNSCALED),
    ('{"box_2d": [120, 300, 700, 800], "label": "mug"}', UNORDERED),
    ('{"bbox": [0.1, 0.2, 0.3, 0.4]}', UNORDERED),
    ('{"mug": [10, 20, 30, 40]}', UNORDERED),
    ("bbox: [10, 20, 30, 40]", UNORDERED),
    ('{"x1": 12, "y1": 30, "x2": 70, "y2": 80}', UNSCALED),
    ('{"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4, "label": "mug"}', {"mug": BOX}),
    ('{"x1": 12, "y1": 30', "not valid JSON"),
    ("xmin=10, ymin=20, xmax=30, ymax=40", UNSCALED),
    ("left: 0.1, top: 0.2, right: 0.3, bottom: 0.4", {"": BOX}),
    ('{"x": 10, "y": 20, "width": 30, "height": 40}', "corner or its middle"),
    ("x=0.1, y=0.2, w=0.3, h=0.4", "corner or its middle"),
    ('{"answer": 3}', {}),
    ("I <3 the {red} mug, 4 < 5 > 2", {}),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), NOTATIONS, ids=[row[0][:50] for row in NOTATIONS])
def test_other_notations_are_read_or_named(text, expected):
    reply = parse_reply(text)
    if isinstance(expected, str):
        assert (reply.status, reply.boxes) == (ParseStatus.MALFORMED, ())
        assert expected in " ".join(reply.problems)
    else:
        assert reply.status is ParseStatus.OK, reply
        assert {item.label: item.box for item in reply.boxes} == {k: pytest.approx(v) for k, v in expected.items()}
    assert reply.text == text.strip()


def test_other_notations_stand_in_frame_lists_and_regions():
    track = parse_reply("Frame 1: {<10><20><30><40>}, Frame 2: none, Frame 3: <loc0128><loc0256><loc0512><loc0768>.")
    assert dict(track.frames) == {1: BOX, 2: None, 3: pytest.approx((0.25, 0.125, 0.75, 0.5))}
    call = "<module>B</module><instruction>x</instruction><region>{}</region>"
    assert parse_reply(call.format("{<10><20><30><40>}")).invocation.region == BOX
    for body in ("[[10,20,30,40]]", "[10,20,30,40] [50,60,70,80]", "<box>(10,20),(30,40)</box>", "10,20,30,40,50"):
        assert parse_reply(call.format(body)).invocation is None


whole = st.integers(0, 1200)
FORMS = [
    *("[{},{},{},{}]", "[[{},{},{},{}]]", "({}, {}, {}, {})", "<box>({},{}),({},{})</box>", "{{<{}><{}><{}><{}>}}"),
    *('{{"bbox_2d": [{}, {}, {}, {}]}}', "x1={}, y1={}, x2={}, y2={}", "<loc_{}><loc_{}><loc_{}><loc_{}>"),
    *("<loc{:04}><loc{:04}><loc{:04}><loc{:04}>", "<patch_index_{:04}><patch_index_{:04}> {} {}", "[{}%,{}%,{}%,{}%]"),
    *('{{"x": {}, "y": {}, "w": {}, "h": {}}}', "<|box_start|>({},{}),({},{})<|box_end|>", "{} {} {} {}"),
]


@given(form=st.sampled_from(FORMS), numbers=st.one_of(st.tuples(whole, whole, whole, whole), boxes))
def test_a_box_is_only_of_numbers_that_the_text_has(form, numbers):
    """In one of the scales that a notation may have, and with its corners in order; otherwise there is a problem."""
    if ":04" in form:
        numbers = tuple(int(number) for number in numbers)
    text = form.format(*numbers)
    reply = parse_reply(text)
    check(text)
    said = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", text)]
    cells = {side / 64 for number in said for side in range(int(number) % 32 * 2, int(number) % 32 * 2 + 3)}
    cells |= {side / 64 for number in said for side in range(int(number) // 32 * 2, int(number) // 32 * 2 + 3)}
    may_be = {value for number in said for value in (number, number / 100, number / 1024, (number + 0.5) / 1000)}
    for item in reply.boxes:
        assert all(min(abs(value - other) for other in may_be | cells) < 1e-5 for value in item.box)
    assert reply.boxes or reply.problems


# Totality.

VALID = [
    track_text({1: BOX, 2: None, 3: (0.0, 0.5, 0.99, 1.0)}),
    track_text({5: BOX}, "fractions"),
    invocation_text("Sure.", Invocation(Module.VIDEO_EDITING, ("a: b", "c: d"), BOX)),
    grounded_text("A girl.", {"girl": BOX, "dress": BOX}),
    f"{box_text(BOX, 'fractions')[:-1]} | 1, 2)",
]
ALPHABET = '[]()<>{}/|,.:;-+%"_=xyloc \n\t0123456789framenoduligstc漢é\x00Frame 1:none'


def check(text: str) -> None:
    reply = parse_reply(text)
    assert reply.status in ParseStatus
    found = [box for box in reply.frames.values() if box is not None] + [grounded.box for grounded in reply.boxes]
    if reply.invocation is not None and reply.invocation.region is not None:
        found.append(reply.invocation.region)
    assert all(0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1 for x1, y1, x2, y2 in found)
    assert (reply.status is ParseStatus.EMPTY) == (not text.strip())
    assert (reply.status in (ParseStatus.PARTIAL, ParseStatus.MALFORMED)) == bool(reply.problems)
    assert not (reply.is_absent and found)


def test_100_000_random_strings_and_mutations_are_read_without_an_exception():
    draw = random.Random(0)
    for _ in range(50_000):
        check("".join(draw.choices(ALPHABET, k=draw.randrange(40))))
    for _ in range(50_000):
        text = list(draw.choice(VALID))
        for _ in range(draw.randrange(1, 6)):
            place = draw.randrange(len(text))
            text[place : place + draw.choice((0, 1, 1, 9))] = draw.choices(ALPHABET, k=draw.choice((0, 1, 1, 3)))
            text = text or ["x"]
        check("".join(text))


@settings(max_examples=300)
@given(st.one_of(st.text(), st.text(ALPHABET, max_size=200)))
def test_any_string_is_read(text):
    check(text)


ADVERSARIAL = [
    *("[", "(", "<", "-", ".", "1", " ", "\n", "< ", "none", "[1,", "[1,2,3,4", "a:(1,2,3,4)", "(0.1,0.2,0.3,0.4"),
    *("{", '{"a":', "[[", "[[1,2,3,4],", "{<1>", "<1>", "<loc0001>", "<loc_1>", "<patch_index_1>", "<box>", "<box>1"),
    *("x1=1 ", "x=1,y=1,w=1,", "(1,2),", "[1%,", '{"x1":1,', "bbox", '"bbox":', "<phrase>", "1 ", "1,2,3,4,"),
    *("frame 1", "frame    ", "Frame 1:", "Frame 1: [1,", "girl: ", "<module>", "</module>", "<region>("),
]


@pytest.mark.parametrize("piece", ADVERSARIAL)
def test_a_megabyte_of_anything_is_read(piece):
    text = (piece * (1_000_000 // len(piece) + 1))[:1_000_000]
    check(text)


def test_no_pattern_looks_further_than_a_constant():
    """Every repetition is bounded, so that a match costs a constant and a reply no more than its length."""
    values = [*vars(parsing).values(), *vars(notations).values(), *(pattern for pattern, _ in notations.NOTATIONS)]
    patterns = [value.pattern for value in values if isinstance(value, re.Pattern)]
    assert len(patterns) > 20
    for pattern in patterns:
        signs = re.sub(r"\[[^\]]*\]", "", re.sub(r"\\.", "", pattern))  # without escapes and sets
        assert not re.search(r"[*+]|,\}", signs), pattern
