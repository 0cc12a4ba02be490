"""Image degradation of a real camera: exposure, colour cast, shadow, blur, noise, compression."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Pixels = NDArray[np.float32]

_BANK_SIDE = 640


@dataclass(frozen=True, slots=True, eq=False)
class Degradation:
    """How a clip's frames are degraded.

    Attributes:
        tables: (T, 1, 256, 3) uint8, response of each channel: exposure, light change, cast and gamma.
        shade: (H, W, 1) float32, vignette and partial shadow; None without.
        blur: px, sigma of the lens; 0: sharp.
        noise: sigma of the sensor, grey levels.
        jpeg: quality, or 0 for none.
        shutter: share of the frame time that the shutter is open; the length of motion blur.
    """

    tables: Image
    shade: Pixels | None
    blur: float
    noise: float
    jpeg: int
    shutter: float


def no_degradation(frames: int) -> Degradation:
    """A perfect camera in even light."""
    levels = np.arange(256, dtype=np.uint8)
    tables = np.broadcast_to(levels[None, None, :, None], (frames, 1, 256, 3))
    return Degradation(np.ascontiguousarray(tables), None, 0.0, 0.0, 0, 0.0)


def sample_degradation(
    frames: int, width: int, height: int, strength: float, jpeg: float, rng: np.random.Generator
) -> Degradation:
    """A camera and its light. `strength` 0: none but JPEG with probability `jpeg`."""
    side = min(width, height)
    time = np.linspace(0, 1, frames)
    exposure = np.exp(rng.normal(0, 0.13 * strength))
    ramp = rng.uniform(-0.25, 0.25) * strength if rng.random() < 0.4 else 0.0
    flicker = rng.normal(0, 0.02 * strength, frames) if rng.random() < 0.25 else np.zeros(frames)
    gains = np.clip(exposure * (1 + ramp * time + flicker), 0.62, 1.45)
    cast = np.clip(1 + rng.normal(0, 0.05 * strength, 3), 0.86, 1.14)
    gamma = float(np.exp(rng.normal(0, 0.1 * strength)))
    lift = rng.uniform(0, 14) * strength if rng.random() < 0.3 else 0.0
    levels = np.arange(256) / 255
    curve = (np.clip(levels[None, :, None] * gains[:, None, None] * cast, 0, 1) ** gamma) * (255 - lift) + lift
    tables = np.round(curve)[:, None].astype(np.uint8)
    return Degradation(
        tables,
        _shade(width, height, strength, rng),
        float(rng.uniform(0.4, 1.1) * strength * side / 128) if rng.random() < 0.5 else 0.0,
        float(rng.uniform(1.0, 9.0) * strength) if rng.random() < 0.7 else 0.0,
        int(rng.integers(35, 92)) if rng.random() < jpeg else 0,
        float(rng.uniform(0.15, 0.55) * min(strength, 1)) if rng.random() < 0.6 else 0.0,
    )


def _shade(width: int, height: int, strength: float, rng: np.random.Generator) -> Pixels | None:
    """Multiplier of a vignette and of a soft-edged shadow across part of the view."""
    has_shadow, has_vignette = rng.random() < 0.3 * strength, rng.random() < 0.3 * strength
    if not (has_shadow or has_vignette):
        return None
    x, y = np.linspace(-1, 1, 64, dtype=np.float32)[None, :], np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    shade = np.ones((64, 64), np.float32)
    if has_vignette:
        shade -= np.float32(rng.uniform(0.08, 0.2)) * (x**2 + y**2)
    if has_shadow:
        corners = rng.uniform(-16, 80, (int(rng.integers(3, 6)), 2))
        shadow = np.zeros((64, 64), np.float32)
        cv2.fillConvexPoly(shadow, cv2.convexHull(np.round(corners).astype(np.int32)), (1.0,))
        shadow = cv2.GaussianBlur(shadow, (0, 0), float(rng.uniform(0.6, 4.0)))
        shade *= 1 - np.float32(rng.uniform(0.2, 0.5)) * shadow
    return np.asarray(cv2.resize(shade, (width, height), interpolation=cv2.INTER_LINEAR)[..., None], np.float32)


@cache
def _noise_bank() -> Pixels:
    rng = np.random.Generator(np.random.PCG64(77))
    return rng.standard_normal((_BANK_SIDE, _BANK_SIDE, 3), np.float32)


def apply_degradation(pixels: Pixels, frame: int, degradation: Degradation, rng: np.random.Generator) -> Image:
    """The degraded image. pixels (H, W, 3) float32 in 0..255, RGB; returns uint8 of that shape."""
    if degradation.shade is not None:
        pixels = pixels * degradation.shade
    if degradation.blur > 0.2:
        pixels = cv2.GaussianBlur(pixels, (0, 0), degradation.blur)
    image = cv2.LUT(cv2.convertScaleAbs(pixels), degradation.tables[frame])
    height, width = image.shape[:2]
    row, column = (int(value) for value in rng.integers(0, _BANK_SIDE, 2))
    if degradation.noise:
        bank = _noise_bank()
        rows, columns = np.arange(row, row + height) % _BANK_SIDE, np.arange(column, column + width) % _BANK_SIDE
        grain = bank[rows[0] : rows[0] + height, columns[0] : columns[0] + width]
        if grain.shape != image.shape:
            grain = bank[rows[:, None], columns[None, :]]
        image = cv2.add(image, grain * np.float32(degradation.noise), dtype=cv2.CV_8U)
    if degradation.jpeg:
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, degradation.jpeg])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    return np.ascontiguousarray(image, np.uint8)


def motion_blurred(rgba: Pixels, step: tuple[float, float]) -> Pixels:
    """A sprite smeared along a step (x, y) in pixels, its centre kept. (h, w, 4) float32."""
    length = int(np.ceil(max(abs(step[0]), abs(step[1]))))
    side = length | 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    half_x, half_y = step[0] / 2, step[1] / 2
    start = (round((middle - half_x) * 16), round((middle - half_y) * 16))
    stop = (round((middle + half_x) * 16), round((middle + half_y) * 16))
    cv2.line(kernel, start, stop, (1.0,), 1, cv2.LINE_8, 4)
    kernel /= max(float(kernel.sum()), 1.0)
    return np.asarray(cv2.filter2D(rgba, -1, kernel, borderType=cv2.BORDER_CONSTANT), np.float32)
