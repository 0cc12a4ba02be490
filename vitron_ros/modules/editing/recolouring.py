"""Another colour for an object, with its shading kept."""

from dataclasses import dataclass

import numpy as np

from vitron_ros.frame import Image
from vitron_ros.modules.colours import colour_lab, lab_of, rgb_of
from vitron_ros.modules.editing.compositing import Alpha, Pixels

CHROMATIC = 12.0  # Lab chroma from which a colour has a hue
DARK, LIGHT = 12.0, 96.0  # L of parts that stay without a hue, such as tyres and reflections,
DARK_OBJECT, LIGHT_OBJECT = 25.0, 80.0  # unless the whole object has such a middle tone
CHROMA_STEPS = 12


@dataclass(frozen=True, slots=True)
class Tone:
    """How light an object is, once for a whole clip so that the edit does not flicker: L, 0..100.

    Attributes:
        middle: median.
        low, high: 5th and 95th percentile.
    """

    middle: float
    low: float
    high: float


def tone_of(rgb: Image, alpha: Alpha) -> Tone:
    """The tone of what a soft mask shows; of mid grey where it shows nothing."""
    lightness = lab_of(rgb)[..., 0][alpha > 0.5]
    if not len(lightness):
        return Tone(50.0, 40.0, 60.0)
    low, middle, high = (float(value) for value in np.percentile(lightness, (5, 50, 95)))
    return Tone(middle, low, high)


def recoloured(rgb: Image, colour: str, tone: Tone) -> Pixels:
    """The whole image in that colour's hue, (H, W, 3) float32 in 0..255; lay it over by the object's mask.

    The lightness becomes the colour's where the object has its middle tone, and varies about it as it did, only less
    where it would be cut off. The chroma shrinks where a screen cannot show it, so that the hue stays.
    """
    lab = lab_of(rgb)
    lightness, a, b = colour_lab(colour)
    if np.hypot(a, b) < CHROMATIC:
        a, b = 0.0, 0.0
    above = (98 - lightness) / max(tone.high - tone.middle, 1e-3)
    below = (lightness - 2) / max(tone.middle - tone.low, 1e-3)
    offset = lab[..., 0] - tone.middle
    new = np.clip(lightness + offset * np.where(offset > 0, min(1, above), min(1, below)), 0, 100)
    chroma = np.ones_like(new)
    if tone.middle > DARK_OBJECT:
        chroma = np.minimum(chroma, (lab[..., 0] - DARK / 2) / (DARK / 2))
    if tone.middle < LIGHT_OBJECT:
        chroma = np.minimum(chroma, (100 - lab[..., 0]) / (100 - LIGHT))
    chroma = chroma.clip(0, 1)
    hue = np.stack([np.zeros_like(new), chroma * a, chroma * b], axis=-1)
    base = np.stack([new, np.zeros_like(new), np.zeros_like(new)], axis=-1)
    result = rgb_of(base)
    for share in np.linspace(1 / CHROMA_STEPS, 1, CHROMA_STEPS):
        shown = rgb_of(base + share * hue)
        is_shown = np.abs(lab_of(shown) - (base + share * hue)).max(axis=-1) < 1.5
        result = np.where(is_shown[..., None], shown, result)
    return np.asarray(result, np.float32)
