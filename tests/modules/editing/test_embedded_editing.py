"""Edits as a user asks for them: done where they should be, nothing else touched, and refused in words."""

import numpy as np
import pytest

from tests.modules.editing.clips import SIZE, covered, disc, job, moving_clip, texture
from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.colours import COLOURS, colour_lab, lab_of
from vitron_ros.modules.editing.compositing import edge_width, grown, soft_mask
from vitron_ros.modules.editing.embedded import EmbeddedEditing
from vitron_ros.modules.module import BadJob, Cancelled, ModuleJob, ModuleResult, Progress
from vitron_ros.region import Region

MASK = disc((64, 48), 20)
IMAGE = covered(texture(*SIZE), MASK)
EDITS = [
    ("remove", ""),
    ("replace", "the disc with a blue star"),
    ("recolour", "red disc to green"),
    ("move", "to the left"),
    ("style", "as a sketch"),
]


def edited(action: str, text: str, images=(IMAGE,), masks=(MASK,), **rest) -> ModuleResult:
    return EmbeddedEditing().run(job(action, text, images, masks, **rest), Progress())


@pytest.mark.parametrize("action, text", EDITS)
@pytest.mark.parametrize("is_clip", [False, True])
def test_nothing_beyond_the_object_is_touched(action, text, is_clip):
    _, images, masks = moving_clip(4) if is_clip else (None, [IMAGE], [MASK])
    result = edited(action, text, images, masks)
    again = edited(action, text, images, masks)
    for image, new, twice, mask, before in zip(images, result.images, again.images, result.masks, masks, strict=True):
        may_change = (mask > 0) | grown(before, 2 * edge_width(before)) if action != "recolour" else mask > 0
        assert np.array_equal(new[~may_change], image[~may_change])
        assert not np.array_equal(new, image)
        assert np.array_equal(new, twice)
        assert (~may_change).mean() > 0.4


def test_a_soft_mask_ends_near_the_mask():
    alpha = soft_mask(IMAGE, MASK)
    assert not alpha[~grown(MASK, edge_width(MASK))].any()
    assert alpha[48, 64] == 1
    assert ((alpha > 0) & (alpha < 1)).any()


@pytest.mark.parametrize("colour", sorted(COLOURS))
def test_the_asked_hue_is_hit_and_the_shading_kept(colour):
    result = edited("recolour", f"the red disc to {colour}")
    inner = disc((64, 48), 15) > 0
    core, before = lab_of(result.images[0])[inner], lab_of(IMAGE)[inner]
    lightness, a, b = colour_lab(colour)
    middle = np.median(core, axis=0)
    assert abs(middle[0] - lightness) < 3
    if np.hypot(a, b) > 12:
        turn = np.angle(np.exp(1j * (np.arctan2(middle[2], middle[1]) - np.arctan2(b, a))), deg=True)
        assert abs(turn) < 4
    else:
        assert np.hypot(*middle[1:]) < 3
    assert np.corrcoef(core[:, 0], before[:, 0])[0, 1] > 0.9


def test_a_moved_object_stays_in_the_image():
    result = edited("move", "the disc to the top right corner")
    rows, columns = np.nonzero(result.masks[0] > 127)
    assert rows.min() <= 2
    assert columns.max() >= SIZE[1] - 3
    assert np.abs(result.images[0][22, 106].astype(int) - IMAGE[50, 66]).max() < 40


@pytest.mark.parametrize("text, centre", [("left", (24, 48)), ("down by 10 pixels", (64, 58)), ("a bit up", (64, 28))])
def test_an_object_moves_as_far_as_was_said(text, centre):
    mask = edited("move", text).masks[0]
    rows, columns = np.nonzero(mask > 127)
    assert abs(columns.mean() - centre[0]) < 2
    assert abs(rows.mean() - centre[1]) < 2


@pytest.mark.parametrize("text, colour", [("background to blue", COLOURS["blue"]), ("white", COLOURS["white"])])
def test_a_new_background_leaves_the_object(text, colour):
    image = edited("background", text).images[0]
    assert tuple(image[2, 2]) == colour
    assert np.array_equal(image[48, 64], IMAGE[48, 64])


def test_a_given_image_becomes_the_background():
    reference = Frame(rgb=np.full((40, 40, 3), 77, np.uint8), stamp_ns=0)
    image = edited("background", "use this one", reference=reference).images[0]
    assert tuple(image[2, 2]) == (77, 77, 77)


def test_a_style_without_an_object_is_of_the_whole_image():
    frames = (Frame(rgb=IMAGE, stamp_ns=0),)
    style = ModuleJob(module=Module.IMAGE_EDITING, action="style", text="grey", frames=frames)
    image = EmbeddedEditing().run(style, Progress()).images[0]
    assert (image[..., 0] == image[..., 2]).all()


def test_a_region_that_is_a_mask_needs_no_segmentation():
    frames = (Frame(rgb=IMAGE, stamp_ns=0),)
    region = Region.from_mask(MASK > 0)
    recolour = ModuleJob(module=Module.IMAGE_EDITING, action="recolour", text="blue", frames=frames, region=region)
    assert np.array_equal(EmbeddedEditing().run(recolour, Progress()).images[0], edited("recolour", "blue").images[0])


def test_what_is_marked_by_a_box_is_cut_out_first():
    image = edited("recolour", "blue", (IMAGE,), (), region=Region.from_box([44, 28, 85, 69])).images[0]
    assert image[48, 64, 2] > image[48, 64, 0]
    assert np.array_equal(image[:20], IMAGE[:20])


def test_frames_in_which_the_object_is_away_stay_as_they_are():
    _, images, masks = moving_clip(4)
    result = edited("recolour", "to green", images, [masks[0], None, masks[2], masks[3]])
    assert np.array_equal(result.images[1], images[1])
    assert not result.masks[1].any()
    result = edited("replace", "with a star", images, [masks[0], None, masks[2], masks[3]])
    assert np.array_equal(result.images[1], images[1])


def test_what_nobody_saw_is_said():
    assert "invented" in edited("remove", "").message
    images = [covered(texture(*SIZE), MASK)] * 3
    assert "no frame shows 100 %" in edited("remove", "", images, [MASK] * 3).message
    _, images, masks = moving_clip()
    assert not edited("remove", "", images, masks).message


def test_progress_rises_and_a_cancelled_job_ends():
    _, images, masks = moving_clip(4)
    told = []
    progress = Progress(lambda fraction, preview: told.append(fraction))
    EmbeddedEditing().run(job("move", "left", images, masks), progress)
    assert told == sorted(told)
    assert len(told) > 6
    progress.cancel()
    with pytest.raises(Cancelled):
        EmbeddedEditing().run(job("remove", "", images, masks), progress)


@pytest.mark.parametrize(
    "action, text, said",
    [
        ("recolour", "the disc to mauve", "'mauve' names no new colour that is known; there are red, orange"),
        ("recolour", "the red disc", "names no new colour"),
        ("recolour", "", "has no words"),
        ("style", "in the style of Monet", "names no style that is known; there are grey, sepia, sketch, cartoon"),
        ("background", "to the moon", "'the moon' names no background that is known; there are blur, clouds, grass"),
        ("replace", "the disc with a dragon", "does not know, 'dragon'; it draws circle"),
        ("replace", "the disc with two stars", "more than one thing"),
        ("replace", "the disc with", "does not say what to put in its place"),
        ("move", "the disc", "names no direction"),
        ("move", "left and right", "opposite directions"),
        ("recolour", "red " * 200, "200 words, of at most 120"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_is_known(action, text, said):
    with pytest.raises(BadJob, match=said):
        edited(action, text)


@pytest.mark.parametrize(
    "masks, region, said",
    [
        ((), None, "remove needs an object"),
        ((None,), None, "the object is in no frame"),
        ((np.full(SIZE, 255, np.uint8),), None, "the object fills the image"),
        ((), Region.from_box([500, 10, 540, 40]), "outside the image"),
        ((), Region.from_mask(np.ones((500, 4), bool)), "reaches out of the image"),
    ],
)
def test_an_object_is_needed(masks, region, said):
    with pytest.raises(BadJob, match=said):
        edited("remove", "it", (IMAGE,), masks, region=region)
