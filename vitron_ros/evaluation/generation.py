"""Whether generated images show what was asked for.

A prompt is made from a plan, so the truth is known. It is judged in two ways: by colour and silhouette in the box where
the asked thing is said to be, and by a model that is asked for it, beside how often that model finds the same things in
scenes that were drawn from the plans themselves. A model errs, so only the ratio of the two says something.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center, clip, iou
from vitron_ros.frame import Frame, Image
from vitron_ros.module_registry import Module
from vitron_ros.modules.colours import COLOURS, lab_of
from vitron_ros.modules.generation.embedded import draw_plan
from vitron_ros.modules.generation.scene_plan import Relation, ScenePlan, Side, Thing
from vitron_ros.modules.module import JobSettings, ModuleBackend, ModuleFailure, ModuleJob, Progress
from vitron_ros.worlds.shapes import silhouette
from vitron_ros.worlds.textures import SURFACES
from vitron_ros.worlds.vocabulary import COLOURS as THING_COLOURS
from vitron_ros.worlds.vocabulary import PATTERNS, SHAPES, SIZES

Mask = NDArray[np.bool_]
Find = Callable[[Frame, str], Boxes | None]
"""A judge: the box (4,) px of what a phrase describes in an image, None where it finds nothing."""

SETTINGS = JobSettings(width=256, height=192)
FOUND_IOU = 0.5
COLOUR_SHARE = 0.35  # half of a pattern has another shade, which may be nearest to white, black or brown
LAB_WEIGHTS = np.array([0.35, 1, 1], np.float32)
BIN = 16  # grey levels
RING = 0.25  # of the box's side: how far around it its surroundings reach
CENTRAL = 0.25  # of half the image: how far from its middle "in the middle" reaches
PLACES: dict[tuple[int | None, int | None], str] = {
    (-1, None): "on the left",
    (1, None): "on the right",
    (None, -1): "at the top",
    (None, 1): "at the bottom",
    (-1, -1): "at the top left",
    (1, 1): "at the bottom right",
    (0, 0): "in the middle",
}
RELATIONS: dict[Side, str] = {"left": "left of", "right": "right of", "above": "above", "below": "below"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScore:
    """How one prompt was met. `found_in_truth` is of the scene that was drawn from the plan itself."""

    prompt: str
    drawn: bool
    has_colour: bool = False
    has_silhouette: bool = False
    in_place: bool = False
    found: bool = False
    found_in_truth: bool = False


def make_plan(rng: np.random.Generator) -> ScenePlan:
    """One thing at a place, or two with a relation, of different shapes; half have a background."""
    count = 1 + int(rng.integers(2))
    shapes = [str(shape) for shape in rng.choice(SHAPES, count, replace=False)]
    things = [
        Thing(shape, str(rng.choice(THING_COLOURS)), str(rng.choice(SIZES[1:])), str(rng.choice(PATTERNS)))
        for shape in shapes
    ]
    background = str(rng.choice(SURFACES)) if rng.random() < 0.5 else None
    if count == 1:
        places = list(PLACES)
        things[0] = replace(things[0], place=places[int(rng.integers(len(places)))])
        return ScenePlan(tuple(things), (), background)
    sides = list(RELATIONS)
    return ScenePlan(tuple(things), (Relation(0, sides[int(rng.integers(len(sides)))], 1),), background)


def prompt_of(plan: ScenePlan) -> str:
    """A plan of `make_plan` in words."""
    words = [f"a {thing.size} {thing.pattern} {thing.colour} {thing.shape}" for thing in plan.things]
    text = words[0]
    if plan.relations:
        text += f" {RELATIONS[plan.relations[0].side]} {words[1]}"
    else:
        text += f" {PLACES[plan.things[0].place]}"
    return text if plan.background is None else f"{text} on {plan.background}"


def score_prompt(backend: ModuleBackend, plan: ScenePlan, seed: int, find: Find) -> PromptScore:
    """Draws a plan's prompt, and judges its first thing."""
    prompt = prompt_of(plan)
    job = ModuleJob(module=Module.IMAGE_GENERATION, action="generate", text=prompt, seed=seed, settings=SETTINGS)
    try:
        result = backend.run(job, Progress())
    except ModuleFailure:
        return PromptScore(prompt=prompt, drawn=False)
    thing, image = plan.things[0], result.images[0]
    phrase = f"the {thing.colour} {thing.shape}"
    truth = draw_plan(plan, SETTINGS, 1, seed + 1_000_000)
    found_in_truth = _is_found(find, truth.frames[0], phrase, truth.boxes_xyxy[0, 0])
    box = result.boxes[0] if result.boxes else None
    if box is None:
        return PromptScore(prompt=prompt, drawn=True, found_in_truth=found_in_truth)
    return PromptScore(
        prompt=prompt,
        drawn=True,
        has_colour=colour_share(image, box, thing) >= COLOUR_SHARE,
        has_silhouette=max(SHAPES, key=lambda shape: silhouette_iou(image, box, shape)) == thing.shape,
        in_place=_is_in_place(plan, image, box),
        found=_is_found(find, image, phrase, box),
        found_in_truth=found_in_truth,
    )


def colour_share(image: Image, box_xyxy: Boxes, thing: Thing) -> float:
    """The share of a thing's shape, drawn to fill the box (4,) px, that of all colours is nearest to the thing's."""
    part = _crop(image, box_xyxy)
    inside = silhouette_mask(thing.shape, part.shape[1], part.shape[0])
    middles = lab_of(np.array([[COLOURS[name] for name in THING_COLOURS]]))[0]
    # Light and shade change the lightness more than the hue.
    distance = np.linalg.norm((lab_of(part)[inside][:, None] - middles) * LAB_WEIGHTS, axis=-1)
    return float(np.mean(distance.argmin(axis=1) == THING_COLOURS.index(str(thing.colour))))


def silhouette_iou(image: Image, box_xyxy: Boxes, shape: str) -> float:
    """How well what stands out in a box (4,) px has that shape: IoU of the shape, drawn to fill the box, and the
    pixels whose colours are commoner in the box than around it.
    """
    part = _crop(image, box_xyxy)
    grown_box = box_xyxy + np.array([-1, -1, 1, 1]) * RING * float(np.sqrt(np.prod(box_xyxy[2:] - box_xyxy[:2])))
    ring = np.zeros(image.shape[:2], np.uint8)
    for box, value in ((grown_box, 1), (box_xyxy, 0)):
        x_min, y_min, x_max, y_max = _whole(box, image)
        ring[y_min:y_max, x_min:x_max] = value
    inner, outer = _histogram(part, None), _histogram(image, ring)
    bins = tuple((part // BIN).reshape(-1, 3).T)
    stands_out = (inner[bins] > outer[bins]).reshape(part.shape[:2])
    stands_out = cv2.morphologyEx(stands_out.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0
    asked = silhouette_mask(shape, part.shape[1], part.shape[0])
    return float((stands_out & asked).sum() / max(1, (stands_out | asked).sum()))


def silhouette_mask(shape: str, width: int, height: int) -> Mask:
    """A shape drawn to fill an image of that size, (H, W)."""
    outline = silhouette(shape)
    corners = np.concatenate(outline.contours)
    low, high = corners.min(axis=0), corners.max(axis=0)
    canvas = np.zeros((height, width), np.uint8)
    for value, polygons in ((1, outline.contours), (0, outline.holes)):
        for points in polygons:
            pixels = (points - low) / (high - low) * (width, height) - 0.5
            cv2.fillPoly(canvas, [np.round(pixels).astype(np.int32)], (value,))
    return canvas > 0


def _is_found(find: Find, image: Image, phrase: str, box_xyxy: Boxes) -> bool:
    found = find(Frame(rgb=image, stamp_ns=0), phrase)
    return found is not None and bool(iou(found, box_xyxy) >= FOUND_IOU)


def _is_in_place(plan: ScenePlan, image: Image, box_xyxy: Boxes) -> bool:
    """Whether the first thing's middle lies in the part of the image that was asked for; of two things always."""
    height, width = image.shape[:2]
    middle = center(box_xyxy) / (width, height) * 2 - 1
    for side, value in zip(plan.things[0].place, middle, strict=True):
        if side is not None and (abs(value) > CENTRAL if side == 0 else value * side <= 0):
            return False
    return True


def _whole(box_xyxy: Boxes, image: Image) -> tuple[int, int, int, int]:
    height, width = image.shape[:2]
    x_min, y_min, x_max, y_max = np.round(clip(box_xyxy, width, height)).astype(int)
    return int(x_min), int(y_min), int(x_max), int(y_max)


def _crop(image: Image, box_xyxy: Boxes) -> Image:
    x_min, y_min, x_max, y_max = _whole(box_xyxy, image)
    return np.ascontiguousarray(image[y_min:y_max, x_min:x_max])


def _histogram(image: Image, mask: NDArray[np.uint8] | None) -> NDArray[np.float32]:
    """How common each colour is, smoothed, (256 / BIN,) * 3."""
    sides = [256 // BIN] * 3
    counts = np.asarray(cv2.calcHist([image], [0, 1, 2], mask, sides, [0, 256] * 3), np.float32)
    for axis in range(3):
        shifted = np.moveaxis(counts, axis, 0)
        padded = np.concatenate([shifted[:1], shifted, shifted[-1:]])
        counts = np.moveaxis(0.5 * padded[1:-1] + 0.25 * (padded[:-2] + padded[2:]), 0, axis)
    return np.asarray(counts / max(1e-6, float(counts.sum())), np.float32)
