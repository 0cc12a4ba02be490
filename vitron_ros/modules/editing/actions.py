"""What each editing action makes of the frames of a job. An image is a clip of one frame."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.module_registry import Action
from vitron_ros.modules.colours import COLOURS
from vitron_ros.modules.editing.clip_filling import fill_clip
from vitron_ros.modules.editing.compositing import Alpha, as_mask, blend, edge_width, grown, soft_mask
from vitron_ros.modules.editing.image_filling import fill_image
from vitron_ros.modules.editing.instruction import BLUR, new_background, new_colour, new_style, replacement, shift
from vitron_ros.modules.editing.recolouring import recoloured, tone_of
from vitron_ros.modules.editing.styles import STYLES
from vitron_ros.modules.generation.grammar import parse_thing
from vitron_ros.modules.module import BadJob, Mask, ModuleJob, ModuleResult, Progress
from vitron_ros.worlds.clip import ObjectSpec
from vitron_ros.worlds.render import fit_image
from vitron_ros.worlds.shapes import HALF_EXTENT
from vitron_ros.worlds.sprites import draw_sprite
from vitron_ros.worlds.textures import draw_surface
from vitron_ros.worlds.vocabulary import COLOURS as OBJECT_COLOURS

BACKGROUND_BLUR = 0.02  # sigma, of the image's longer side
MAX_SPRITE = 1024  # px
SMOOTHING = 1.5  # frames, of the box that a replacement is drawn in


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """What an action works on.

    Attributes:
        job: the job.
        images: T images (H, W, 3) uint8.
        masks: the object in each, (H, W) uint8, all 0 where it is away; of a style for the whole image, all 255.
        progress: told before each frame.
    """

    job: ModuleJob
    images: Sequence[Image]
    masks: Sequence[Mask]
    progress: Progress

    def each(self, paint: Callable[[int, Image, Alpha], tuple[Image, Alpha]]) -> ModuleResult:
        """A result frame by frame: `paint` gives the new image and the object's new soft mask."""
        images: list[Image] = []
        masks: list[Mask] = []
        for index, (rgb, mask) in enumerate(zip(self.images, self.masks, strict=True)):
            self.progress.report(index / len(self.images), images[-1] if images else None)
            image, alpha = paint(index, rgb, soft_mask(rgb, mask))
            images.append(image)
            masks.append(as_mask(alpha))
        return ModuleResult(images=tuple(images), masks=tuple(masks))


def remove(edit: Edit) -> ModuleResult:
    """Without the object. The masks are the holes: all that was changed."""
    images, holes, message = _without_object(edit, edit.progress)
    masks = tuple(hole.astype(np.uint8) * np.uint8(255) for hole in holes)
    return ModuleResult(images=images, masks=masks, message=message)


def recolour(edit: Edit) -> ModuleResult:
    colour = new_colour(edit.job.text)
    first = next(index for index, mask in enumerate(edit.masks) if (mask > 127).any())
    tone = tone_of(edit.images[first], soft_mask(edit.images[first], edit.masks[first]))

    def paint(index: int, rgb: Image, alpha: Alpha) -> tuple[Image, Alpha]:
        if not alpha.any():
            return rgb, alpha
        rows, columns = _near(alpha)
        result = rgb.copy()
        part = rgb[rows, columns]
        result[rows, columns] = blend(part, recoloured(part, colour, tone), alpha[rows, columns])
        return result, alpha

    return edit.each(paint)


def replace(edit: Edit) -> ModuleResult:
    """A drawn thing in the object's place, of its size, in every frame that shows it."""
    thing = parse_thing(replacement(edit.job.text))
    backgrounds, _, message = _without_object(edit, edit.progress.part(0, 0.9))
    boxes = _steady_boxes(edit.masks)
    sides = [float(np.sqrt(np.prod(box[2:] - box[:2]))) for box in boxes if box is not None]
    rng = np.random.Generator(np.random.PCG64(edit.job.seed))
    spec = ObjectSpec(thing.shape, thing.colour or str(rng.choice(OBJECT_COLOURS)), "medium", thing.pattern or "plain")
    sprite = draw_sprite(spec, int(np.clip(round(max(sides) * 2 * HALF_EXTENT), 16, MAX_SPRITE)), 0.0, rng)

    def paint(index: int, rgb: Image, alpha: Alpha) -> tuple[Image, Alpha]:
        box = boxes[index]
        if box is None:
            return backgrounds[index], np.zeros_like(alpha)
        side, middle = float(np.sqrt(np.prod(box[2:] - box[:2]))), (box[:2] + box[2:] - 1) / 2
        pose = np.array([[side, 0, middle[0]], [0, side, middle[1]], [0, 0, 1]])
        matrix = (pose @ np.linalg.inv(sprite.to_texture))[:2]
        layer = cv2.warpAffine(sprite.rgba, matrix, alpha.shape[::-1], flags=cv2.INTER_LINEAR)
        there = layer[..., 3] / 255
        return blend(backgrounds[index], layer[..., :3] / np.maximum(there[..., None], 1e-3), there), there

    result = Edit(edit.job, edit.images, edit.masks, edit.progress.part(0.9, 1)).each(paint)
    return ModuleResult(images=result.images, masks=result.masks, message=message)


def move(edit: Edit) -> ModuleResult:
    """The object elsewhere, by the same displacement in every frame; what it hid is filled."""
    wanted = shift(edit.job.text)
    backgrounds, _, message = _without_object(edit, edit.progress.part(0, 0.9))
    height, width = edit.masks[0].shape
    offset = wanted.offset(_box_of_all(edit.masks), width, height)

    def paint(index: int, rgb: Image, alpha: Alpha) -> tuple[Image, Alpha]:
        matrix = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float64)
        moved = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_NEAREST)
        there = np.asarray(cv2.warpAffine(alpha, matrix, (width, height), flags=cv2.INTER_NEAREST))
        return blend(backgrounds[index], moved, there), there

    result = Edit(edit.job, edit.images, edit.masks, edit.progress.part(0.9, 1)).each(paint)
    if offset == (0, 0):
        message = "the object is already as far there as the image allows"
    return ModuleResult(images=result.images, masks=result.masks, message=message)


def background(edit: Edit) -> ModuleResult:
    """The object on another background: the job's reference image, a blur, a surface or a colour."""
    height, width = edit.masks[0].shape
    kind = "" if edit.job.reference is not None else new_background(edit.job.text)
    if edit.job.reference is not None:
        backdrop = np.rint(fit_image(edit.job.reference.rgb, width, height)).astype(np.uint8)
    elif kind in COLOURS:
        backdrop = np.full((height, width, 3), COLOURS[kind], np.uint8)
    elif kind != BLUR:
        rng = np.random.Generator(np.random.PCG64(edit.job.seed))
        backdrop = np.clip(draw_surface(width, height, rng, kind), 0, 255).astype(np.uint8)

    def paint(index: int, rgb: Image, alpha: Alpha) -> tuple[Image, Alpha]:
        behind = _blurred_background(rgb, alpha) if kind == BLUR else backdrop
        return blend(rgb, behind, 1 - alpha), alpha

    return edit.each(paint)


def style(edit: Edit) -> ModuleResult:
    draw = STYLES[new_style(edit.job.text)]
    return edit.each(lambda index, rgb, alpha: (blend(rgb, draw(rgb), alpha), alpha))


def _without_object(edit: Edit, progress: Progress) -> tuple[tuple[Image, ...], list[np.ndarray], str]:
    """The images without the object, the holes (H, W) bool, and what is to be said about them."""
    holes = [grown(mask, 2 * edge_width(mask)) for mask in edit.masks]
    if any(hole.all() for hole in holes):
        raise BadJob("the object fills the image: there is no background to put in its place")
    if len(holes) == 1:
        progress.report(0)
        return (fill_image(edit.images[0], holes[0]),), holes, "what the object hid is invented from what is around it"
    count = len(holes)
    images: list[Image] = []
    unseen = 0
    for filled in fill_clip(edit.images, holes, lambda index: progress.report(index / count)):
        images.append(filled.rgb)
        unseen += int(filled.is_unseen.sum())
    share = unseen / max(1, sum(int(hole.sum()) for hole in holes))
    if not unseen:
        return tuple(images), holes, ""
    told = f"no frame shows {max(1, round(100 * share))} % of what the object hid; that part is invented"
    return tuple(images), holes, told


def _near(alpha: Alpha) -> tuple[slice, slice]:
    """The rows and columns that a soft mask reaches."""
    x, y, width, height = cv2.boundingRect((alpha > 0).astype(np.uint8))
    return slice(y, y + height), slice(x, x + width)


def _box_of_all(masks: Sequence[Mask]) -> Boxes:
    """The box (4,) px of a clip's masks together."""
    x, y, width, height = cv2.boundingRect((np.maximum.reduce(masks) > 127).astype(np.uint8))
    return np.array([x, y, x + width, y + height], np.float64)


def _steady_boxes(masks: Sequence[Mask]) -> list[Boxes | None]:
    """The box (4,) px of each mask, smoothed over time; None where it is empty."""
    boxes = [cv2.boundingRect((mask > 127).astype(np.uint8)) for mask in masks]
    corners = np.array([[x, y, x + width, y + height] for x, y, width, height in boxes], np.float64)
    is_there = np.array([width > 0 for _, _, width, _ in boxes], np.float64)
    times = np.arange(len(boxes))
    steady: list[Boxes | None] = []
    for time in times:
        weight = np.exp(-0.5 * ((times - time) / SMOOTHING) ** 2) * is_there
        steady.append(weight @ corners / weight.sum() if is_there[time] else None)
    return steady


def _blurred_background(rgb: Image, alpha: Alpha) -> Image:
    """A blur of what is not the object: its colours do not bleed out."""
    sigma = max(2.0, BACKGROUND_BLUR * max(alpha.shape))
    weight = (1 - alpha)[..., None]
    blurred = cv2.GaussianBlur(np.dstack([rgb * weight, weight]).astype(np.float32), (0, 0), sigma)
    return np.asarray(np.clip(np.rint(blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-3)), 0, 255), np.uint8)


ACTIONS: dict[Action, Callable[[Edit], ModuleResult]] = {
    "remove": remove,
    "replace": replace,
    "recolour": recolour,
    "move": move,
    "background": background,
    "style": style,
}
