"""Rendering: a scene to frames and exact ground truth."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ConfigError
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.degrade import Degradation, apply_degradation, motion_blurred
from vitron_ros.worlds.scene import Array, Scene, SceneObject
from vitron_ros.worlds.shapes import HALF_EXTENT
from vitron_ros.worlds.sprites import Sprite, draw_sprite
from vitron_ros.worlds.textures import draw_background, draw_surface
from vitron_ros.worlds.vocabulary import Split

Image = NDArray[np.uint8]
Pixels = NDArray[np.float32]

MARGIN = 0.15  # shorter sides of background beyond what the camera pans over
_CORNERS = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64) * HALF_EXTENT
_INVISIBLE = np.full(4, np.nan)


def draw_scene(
    scene: Scene,
    degradation: Degradation,
    *,
    size: tuple[int, int],
    split: Split,
    seed: int,
    background: Sequence[Image] | None = None,
    rng: np.random.Generator | None = None,
    on_frame: Callable[[int], None] = lambda index: None,
) -> Clip:
    """The clip of a scene, of (height, width) px; the seed chooses surfaces and shades.

    Args:
        background: real frames to draw into, one or as many as the clip has; None: a generated background.
        rng: source of surfaces and shades in place of the seed.
        on_frame: called before each frame with its index.
    """
    height, width = size
    rng = rng or np.random.Generator(np.random.PCG64([seed, 0 if split == "train" else 1, 1]))
    return _Painter(scene, len(scene.camera.zoom), width, height, degradation, background, rng).paint(
        split, seed, on_frame
    )


@dataclass(slots=True)
class _Painter:
    """Renders one scene, once."""

    scene: Scene
    frames: int
    width: int
    height: int
    degradation: Degradation
    background: Sequence[Image] | None
    rng: np.random.Generator

    def paint(self, split: Split, seed: int, on_frame: Callable[[int], None]) -> Clip:
        count, side = len(self.scene.objects), min(self.width, self.height)
        cameras = self.scene.camera.matrices(self.width, self.height)
        canvases = self._backgrounds(cameras)
        sprites = self._sprites()
        post = self._post_texture() if self.scene.post else None
        cast_shadow = (
            (0.45 * self.rng.random(), *self.rng.uniform(-0.02, 0.03, 2) * side) if self.rng.random() < 0.35 else None
        )

        images = np.empty((self.frames, self.height, self.width, 3), np.uint8)
        instances = np.zeros((self.frames, self.height, self.width), np.uint8)
        full_pixels = np.zeros((self.frames, count))
        full_boxes, scales = np.zeros((self.frames, count, 4)), np.zeros((self.frames, count))
        poses = np.stack([_poses(obj, cameras) for obj in self.scene.objects], axis=1)  # (T, N, 3, 3)
        centres = poses[..., :2, 2] / poses[..., 2:, 2]
        sides = np.array([obj.side for obj in self.scene.objects]) * side
        steps = _smears(centres, self.degradation.shutter, sides)
        for t in range(self.frames):
            on_frame(t)
            canvas = next(canvases)
            for rank in range(count, -1, -1):
                if post is not None and self.scene.post is not None and self.scene.post.nearer_objects == rank:
                    self._draw_post(canvas, instances[t], post, cameras[t])
                if rank == 0:
                    break
                index = self.scene.order[rank - 1]
                drawn = _draw_object(
                    canvas, instances[t], index, sprites[index], poses[t, index], steps[t, index], cast_shadow
                )
                full_pixels[t, index], full_boxes[t, index] = drawn
                scales[t, index] = _apparent_size(poses[t, index])
            images[t] = apply_degradation(canvas, t, self.degradation, self.rng)
        boxes, visible_pixels = _visible_parts(instances, full_boxes)
        depth = np.empty(count, np.int64)
        depth[list(self.scene.order)] = np.arange(count)
        return Clip(
            frames=images,
            objects=tuple(obj.spec for obj in self.scene.objects),
            instances=instances,
            boxes_xyxy=boxes,
            full_boxes_xyxy=full_boxes,
            visible=np.minimum(visible_pixels / full_pixels, 1.0),
            depth=depth,
            scales=scales,
            world_centers=np.stack([obj.centres for obj in self.scene.objects], axis=1),
            split=split,
            seed=seed,
        )

    def _backgrounds(self, cameras: Array) -> Iterator[Pixels]:
        """One fresh canvas a frame, (H, W, 3) float32."""
        side = min(self.width, self.height)
        margin = round((MARGIN + float(np.abs(self.scene.camera.pan).max())) * side)
        wide, tall = self.width + 2 * margin, self.height + 2 * margin
        if self.background is not None and len(self.background) == self.frames and self.frames > 1:
            return (fit_image(image, self.width, self.height) for image in self.background)
        source = (
            draw_background(wide, tall, self.rng)
            if self.background is None
            else fit_image(self.background[0], wide, tall)
        )
        to_world = np.array([[1 / side, 0, -(wide - 1) / 2 / side], [0, 1 / side, -(tall - 1) / 2 / side], [0, 0, 1]])
        return self._seen_by(cameras, source, to_world)

    def _seen_by(self, cameras: Array, source: Pixels, to_world: Array) -> Iterator[Pixels]:
        """The part of a background that each camera sees, (H, W, 3) float32, one at a time: long clips are large."""
        size = (self.width, self.height)
        for t in range(self.frames):
            if not t or not np.array_equal(cameras[t], cameras[t - 1]):
                matrix = cameras[t] @ to_world
                clean = cv2.warpPerspective(
                    source, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
                )
            yield clean.copy()

    def _sprites(self) -> list[Sprite]:
        side = min(self.width, self.height)
        edge = float(self.rng.choice([-0.75, 0.8])) if self.rng.random() < 0.25 else 0.0
        sprites = []
        for obj in self.scene.objects:
            # A black or white object may lie on its own colour, so it has a rim of another tone.
            rim = {"black": 0.55, "white": -0.6}.get(obj.spec.colour, 0.0) if self.rng.random() < 0.8 else 0.0
            texture_side = int(np.ceil(obj.side * side * 2 * HALF_EXTENT * 1.15)) + 2
            sprites.append(draw_sprite(obj.spec, texture_side, edge or rim, self.rng))
        return sprites

    def _post_texture(self) -> Pixels:
        texture = draw_surface(64, 128, self.rng)
        ramp = 1 - 0.35 * np.abs(np.linspace(-1, 1, 64, dtype=np.float32)) ** 2
        return np.asarray(np.clip(texture * ramp[None, :, None], 0, 255), np.float32)

    def _draw_post(self, canvas: Pixels, instances: Image, texture: Pixels, camera: Array) -> None:
        post = self.scene.post
        assert post is not None
        reach = 3.0
        world = np.array([[post.left, -reach], [post.right, -reach], [post.right, reach], [post.left, reach]])
        corners = _project(camera, world).astype(np.float32)
        flat = np.array([[0, 0], [63, 0], [63, 127], [0, 127]], np.float32)
        matrix = cv2.getPerspectiveTransform(flat, corners)
        left, right = int(np.floor(corners[:, 0].min())), int(np.ceil(corners[:, 0].max())) + 1
        left, right = max(left, 0), min(right, self.width)
        if right <= left:
            return
        shift = np.array([[1, 0, -left], [0, 1, 0], [0, 0, 1]], np.float64)
        size = (right - left, self.height)
        opaque = np.dstack([texture, np.ones(texture.shape[:2], np.float32)])
        drawn = cv2.warpPerspective(opaque, shift @ matrix, size, flags=cv2.INTER_LINEAR)
        covered = drawn[..., 3] >= 0.5
        canvas[:, left:right][covered] = drawn[..., :3][covered]
        instances[:, left:right][covered] = 0


def fit_image(image: Image, width: int, height: int) -> Pixels:
    """A real frame, cut to the middle and resized. (height, width, 3) float32 in 0..255.

    Raises:
        ConfigError: it is not (h, w, 3) uint8.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ConfigError(f"a background frame is (h, w, 3) uint8, this is {image.shape} {image.dtype}")
    tall, wide = image.shape[:2]
    scale = max(width / wide, height / tall)
    cut_w, cut_h = min(wide, round(width / scale)), min(tall, round(height / scale))
    x, y = (wide - cut_w) // 2, (tall - cut_h) // 2
    resized = cv2.resize(image[y : y + cut_h, x : x + cut_w], (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(resized, np.float32)


def _project(matrix: Array, points: Array) -> Array:
    """Points (..., 2) through a 3x3 matrix."""
    mapped = points @ matrix[:2, :2].T + matrix[:2, 2]
    return np.asarray(mapped / (points @ matrix[2, :2].T + matrix[2, 2])[..., None])


def _poses(obj: SceneObject, cameras: Array) -> Array:
    """Shape coordinates to pixel centres in every frame, (T, 3, 3)."""
    poses = np.empty((len(cameras), 3, 3))
    mirror = -1.0 if obj.is_mirrored else 1.0
    for t, (camera, centre, angle) in enumerate(zip(cameras, obj.centres, obj.angles, strict=True)):
        cos, sin = np.cos(angle) * obj.side, np.sin(angle) * obj.side
        poses[t] = camera @ np.array([[cos * mirror, -sin, centre[0]], [sin * mirror, cos, centre[1]], [0, 0, 1]])
    return poses


def _smears(centres: Array, shutter: float, sides: Array) -> Array:
    """How far each object moves while the shutter is open, (T, N, 2) px, at most a third of its side (N,)."""
    if len(centres) == 1:
        return np.zeros_like(centres)
    steps = np.gradient(centres, axis=0) * shutter
    longest = np.maximum(np.abs(steps).max(axis=-1), 1e-9)
    return np.asarray(steps * np.minimum(1, sides / 3 / longest)[..., None])


def _apparent_size(pose: Array) -> float:
    """Square root of the area that the unit square about the shape's origin takes, px."""
    corners = _project(pose, np.array([[-0.05, -0.05], [0.05, -0.05], [0.05, 0.05], [-0.05, 0.05]])).astype(np.float32)
    return float(np.sqrt(cv2.contourArea(corners)) * 10)


def _draw_object(
    canvas: Pixels,
    instances: Image,
    index: int,
    sprite: Sprite,
    pose: Array,
    step: Array,
    cast_shadow: tuple[float, float, float] | None,
) -> tuple[float, Array]:
    """Draws an object over the canvas; gives its whole area in pixels and its whole tight box."""
    corners = _project(pose, _CORNERS)
    (left, top), (right, bottom) = (
        np.floor(corners.min(axis=0)).astype(int),
        np.ceil(corners.max(axis=0)).astype(int) + 1,
    )
    smear = float(np.abs(step).max())
    pad = int(np.ceil(smear / 2)) if smear >= 1.5 else 0
    left, top, right, bottom = left - pad, top - pad, right + pad, bottom + pad
    to_window = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    matrix = to_window @ pose @ np.linalg.inv(sprite.to_texture)
    rgba = cv2.warpPerspective(sprite.rgba, matrix, (right - left, bottom - top), flags=cv2.INTER_LINEAR)
    solid = rgba[..., 3] >= 127.5
    x, y, w, h = cv2.boundingRect(solid.view(np.uint8))
    box = np.array([left + x, top + y, left + x + w, top + y + h], np.float64)
    area = float(cv2.countNonZero(solid.view(np.uint8)))

    height, width = instances.shape
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x1 <= x0 or y1 <= y0:
        return area, box
    if cast_shadow is not None:
        _draw_cast_shadow(canvas, rgba[..., 3], left, top, cast_shadow)
    if pad:
        rgba = motion_blurred(rgba, (float(step[0]), float(step[1])))
    part = rgba[y0 - top : y1 - top, x0 - left : x1 - left]
    window = canvas[y0:y1, x0:x1]
    window *= 1 - part[..., 3:] * np.float32(1 / 255)
    window += part[..., :3]
    instances[y0:y1, x0:x1][solid[y0 - top : y1 - top, x0 - left : x1 - left]] = index + 1
    return area, box


def _draw_cast_shadow(
    canvas: Pixels, alpha: Pixels, left: int, top: int, cast_shadow: tuple[float, float, float]
) -> None:
    """Draws the shadow of an object, slightly offset."""
    strength, dx, dy = cast_shadow
    left, top = left + round(dx), top + round(dy)
    height, width = canvas.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + alpha.shape[1], width), min(top + alpha.shape[0], height)
    if x1 > x0 and y1 > y0:
        soft = cv2.blur(alpha, (3, 3))[y0 - top : y1 - top, x0 - left : x1 - left, None]
        canvas[y0:y1, x0:x1] *= 1 - soft * np.float32(strength / 255)


def _visible_parts(instances: Image, full_boxes: Array) -> tuple[Array, Array]:
    """Tight boxes (T, N, 4), NaN where invisible, and visible pixel counts (T, N)."""
    frames, height, width = instances.shape
    boxes, counts = np.tile(_INVISIBLE, (*full_boxes.shape[:2], 1)), np.zeros(full_boxes.shape[:2])
    clipped = np.clip(full_boxes, 0, [width, height, width, height]).astype(int)
    for t in range(frames):
        for index, (x0, y0, x1, y1) in enumerate(clipped[t]):
            if x1 <= x0 or y1 <= y0:
                continue
            seen = (instances[t, y0:y1, x0:x1] == index + 1).view(np.uint8)
            count = cv2.countNonZero(seen)
            if count:
                x, y, w, h = cv2.boundingRect(seen)
                counts[t, index] = count
                boxes[t, index] = (x0 + x, y0 + y, x0 + x + w, y0 + y + h)
    return boxes, counts
