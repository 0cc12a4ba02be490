"""What is drawn is what was asked for."""

import cv2
import numpy as np
import pytest

from tests.modules.editing.clips import SIZE, covered, disc, texture
from vitron_ros.frame import Frame
from vitron_ros.module_registry import Module
from vitron_ros.modules.colours import COLOURS, lab_of
from vitron_ros.modules.generation.embedded import EmbeddedGeneration
from vitron_ros.modules.generation.grammar import parse_scene
from vitron_ros.modules.generation.layout import lay_out
from vitron_ros.modules.module import BadJob, Cancelled, JobSettings, ModuleJob, ModuleResult, Progress

MASK = disc((64, 48), 12)
IMAGE = covered(texture(*SIZE), MASK)


def drawn(text: str, seed: int = 0, frames: int = 1, width: int = 128, height: int = 96) -> ModuleResult:
    module = Module.IMAGE_GENERATION if frames == 1 else Module.VIDEO_GENERATION
    settings = JobSettings(width=width, height=height, frame_count=frames)
    job = ModuleJob(module=module, action="generate", text=text, seed=seed, settings=settings)
    return EmbeddedGeneration().run(job, Progress())


def animated(text: str, frames: int = 5) -> ModuleResult:
    job = ModuleJob(
        module=Module.IMAGE_TO_VIDEO,
        action="animate",
        text=text,
        frames=(Frame(rgb=IMAGE, stamp_ns=0),),
        masks=(MASK,),
        settings=JobSettings(frame_count=frames),
    )
    return EmbeddedGeneration().run(job, Progress())


def middle(box) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


@pytest.mark.parametrize("colour", ["red", "yellow", "green", "blue", "white", "black"])
def test_the_first_thing_has_its_colour_size_and_place(colour):
    result = drawn(f"a large {colour} ball at the bottom right and a small pink star", seed=3)
    (box,), (mask,), (image,) = result.boxes, result.masks, result.images
    assert image.shape == (96, 128, 3)
    assert (middle(box) > (64, 48)).all()
    assert 0.3 * 96 < np.sqrt(np.prod(box[2:] - box[:2])) < 0.4 * 96
    middles = lab_of(np.array([[COLOURS[name] for name in COLOURS]]))[0]
    distance = np.linalg.norm(middles - np.median(lab_of(image)[mask > 0], axis=0), axis=1)
    assert list(COLOURS)[int(distance.argmin())] == colour
    x, y, width, height = cv2.boundingRect(mask)
    assert (x, y, x + width, y + height) == tuple(box)


@pytest.mark.parametrize(
    "text, axis, sign",
    [("left of", 0, 1), ("right of", 0, -1), ("above", 1, 1), ("under", 1, -1)],
)
def test_relations_hold_whatever_the_seed(text, axis, sign):
    for seed in range(20):
        plan = parse_scene(f"a ball {text} a cup, and a large star beside the cup")
        ball, cup, star = lay_out(plan, 1, 160, 120, np.random.default_rng(seed)).objects
        step = cup.centres[0] - ball.centres[0]
        assert step[axis] * sign >= 0.1
        assert step[axis] * sign > 0.7 * abs(step[1 - axis])
        assert np.linalg.norm(star.centres[0] - cup.centres[0]) < 0.75


def test_things_keep_to_the_view_and_apart():
    for seed in range(10):
        result = drawn("eight small stars", seed)
        assert result.boxes[0] is not None
        scene = lay_out(parse_scene("eight small stars"), 1, 128, 96, np.random.default_rng(seed))
        centres = np.array([thing.centres[0] for thing in scene.objects])
        assert (np.abs(centres) < np.array([128, 96]) / 96 / 2).all()
        apart = np.abs(centres[:, None] - centres).max(axis=-1) + np.eye(8)
        assert apart.min() > 0.12


@pytest.mark.parametrize("direction, step", [("left", (-1, 0)), ("right", (1, 0)), ("up", (0, -1)), ("down", (0, 1))])
def test_a_thing_moves_where_it_is_told(direction, step):
    result = drawn(f"a small green car moves {direction}", frames=6)
    assert len(result.images) == len(result.masks) == len(result.boxes) == 6
    assert result.frame_rate == JobSettings().frame_rate
    travel = middle(result.boxes[-1]) - middle(result.boxes[0])
    assert (travel * step).sum() > 0.25 * 96
    assert abs(travel[1 - abs(np.array(step)).argmax()]) < 2


def test_the_same_seed_gives_the_same_bytes_and_another_another():
    texts = [("a ball on sand", 1), ("two fish swim left", 4)]
    for text, frames in texts:
        one, again, other = (drawn(text, seed, frames).images for seed in (1, 1, 2))
        assert np.array_equal(one, again)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    "text, frames, size, said",
    [
        ("a ball moves left", 1, (128, 96), "an image shows no motion"),
        ("a ball left of a cup, the cup left of the ball", 1, (128, 96), "do not fit"),
        ("eight large cars", 1, (128, 96), "do not fit"),
        ("a ball", 1, (16, 96), "at least 32 px a side"),
    ],
)
def test_what_cannot_be_drawn_is_refused(text, frames, size, said):
    with pytest.raises(BadJob, match=said):
        drawn(text, 0, frames, *size)


def test_an_image_is_set_in_motion():
    result = animated("the red disc moves to the right")
    assert np.array_equal(result.images[0], IMAGE)
    columns = [middle(box)[0] for box in result.boxes]
    assert columns == sorted(columns)
    assert columns[-1] - columns[0] > 30
    x, y = middle(result.boxes[-1]).astype(int)
    assert np.abs(result.images[-1][y, x].astype(int) - IMAGE[48, 64]).max() < 25
    changed = (np.abs(result.images[-1].astype(int) - IMAGE).max(axis=-1) > 0) & (result.masks[-1] == 0)
    assert not changed[:20].any()
    assert np.abs(result.images[-1][48, 64].astype(int) - IMAGE[48, 64]).max() > 30


def test_a_thing_at_the_edge_stays_and_that_is_said():
    at_edge = disc((12, 48), 12)
    job = ModuleJob(
        module=Module.IMAGE_TO_VIDEO,
        action="animate",
        text="it moves left",
        frames=(Frame(rgb=covered(texture(*SIZE), at_edge), stamp_ns=0),),
        masks=(at_edge,),
        settings=JobSettings(frame_count=2),
    )
    assert "already at the edge" in EmbeddedGeneration().run(job, Progress()).message


def test_a_cancelled_job_ends_between_frames():
    told = []

    def tell(fraction, preview):
        told.append(fraction)
        if len(told) == 3:
            progress.cancel()

    progress = Progress(tell)
    job = ModuleJob(module=Module.VIDEO_GENERATION, action="generate", text="a ball falls")
    with pytest.raises(Cancelled):
        EmbeddedGeneration().run(job, progress)
    assert len(told) == 3
