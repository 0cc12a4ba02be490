"""Removal from a clip: what a hole hides is fetched from the frames, before and after, that see it.

Dense flow between neighbouring frames is computed on images whose holes are filled, and inside a hole it is spread from
outside, so that it is the background's motion and not that of what is removed. A hidden pixel then follows the chained
flow, in both directions of time, until a frame shows it.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.frame import Image
from vitron_ros.modules.editing.diffusion import spread
from vitron_ros.modules.editing.image_filling import fill_image, fill_smoothly

Mask = NDArray[np.bool_]
Flow = NDArray[np.float32]
Points = NDArray[np.float32]

REACH = 24  # frames, each way
FLOW_SIDE = 480  # px, longer side of the images that flow is computed on
INPAINT_RADIUS = 3  # px
RING = 5  # px, of what surrounds a hole: the fetched colours are fitted to it
DOUBT = 6  # px around a hole in either frame where its filling misleads the flow
VISIBLE = 0.99
NEW_SHARE = 0.25  # of what nobody saw: with more of it new in a frame, it is filled with texture, else smoothly


@dataclass(frozen=True, slots=True, eq=False)
class FilledFrame:
    """A frame without what was removed.

    Attributes:
        rgb: (H, W, 3) uint8; outside the hole the bytes of the frame.
        is_unseen: (H, W), the part of the hole that no frame showed: it is invented.
    """

    rgb: Image
    is_unseen: Mask


def fill_clip(
    frames: Sequence[Image], holes: Sequence[Mask], on_frame: Callable[[int], None] = lambda index: None
) -> Iterator[FilledFrame]:
    """Every frame with its hole filled, in order.

    Args:
        frames: T images (H, W, 3) uint8 of one size.
        holes: T masks (H, W) of all that is to vanish, its soft edge included.
        on_frame: is called before each frame with its index.
    """
    flows = _Flows(frames, holes)
    last = None
    for index in range(len(frames)):
        on_frame(index)
        fetched = _filled(frames, holes, flows, index)
        rgb = _invented(fetched, last, flows, index) if fetched.is_unseen.any() else fetched.rgb
        last = FilledFrame(rgb, fetched.is_unseen)
        yield last


def _invented(frame: FilledFrame, last: FilledFrame | None, flows: "_Flows", index: int) -> Image:
    """The frame with what nobody saw as the last frame invented it, so that it does not flicker, or invented anew."""
    result, missing = frame.rgb.copy(), frame.is_unseen.copy()
    if last is not None:
        rows, columns = np.nonzero(missing)
        points = np.stack([columns, rows], axis=-1).astype(np.float32)
        points += flows.at(index, index - 1, points)
        is_known = _sampled(last.is_unseen.astype(np.float32), points, cv2.INTER_LINEAR) > 0
        colours = _sampled(last.rgb, points[is_known], cv2.INTER_CUBIC)
        result[rows[is_known], columns[is_known]] = np.clip(np.rint(colours), 0, 255).astype(np.uint8)
        missing[rows[is_known], columns[is_known]] = False
    is_new = missing.sum() > NEW_SHARE * frame.is_unseen.sum()
    return (fill_image if is_new else fill_smoothly)(result, missing)


def _filled(frames: Sequence[Image], holes: Sequence[Mask], flows: "_Flows", index: int) -> FilledFrame:
    """The frame with what others show of its hole; what none shows is as it was."""
    rgb, hole = frames[index], holes[index]
    if not hole.any():
        return FilledFrame(rgb, np.zeros_like(hole))
    near = _surroundings(hole)
    inner = hole[near]
    ring = cv2.dilate(inner.astype(np.uint8), np.ones((2 * RING + 1, 2 * RING + 1))).astype(bool) & ~inner
    rows, columns = np.nonzero(inner | ring)
    start = np.stack([columns + near[1].start, rows + near[0].start], axis=-1).astype(np.float32)
    colours, weights = np.zeros((len(start), 3), np.float32), np.zeros(len(start), np.float32)
    for step in (1, -1):
        seen, age = _fetched(frames, holes, flows, index, step, start)
        weight = np.where(age > 0, 1 / np.maximum(age, 1), 0).astype(np.float32)
        colours += seen * weight[:, None]
        weights += weight
    is_seen = weights > 0
    colours[is_seen] /= weights[is_seen, None]
    fetched, is_fetched = np.zeros((*inner.shape, 3), np.float32), np.zeros(inner.shape, bool)
    fetched[rows, columns], is_fetched[rows, columns] = colours, is_seen
    # A camera changes its exposure: what was fetched is corrected by its error on the ring, spread into the hole
    # (+0.2 to 0.4 dB where the light changes by 8 % from frame to frame, -0.1 where it does not).
    on_ring = ring & is_fetched
    error = spread(np.where(on_ring[..., None], rgb[near] - fetched, 0).astype(np.float32), on_ring)
    in_hole = inner & is_fetched
    result, is_unseen = rgb.copy(), hole.copy()
    result[near][in_hole] = np.clip(np.rint(fetched[in_hole] + error[in_hole]), 0, 255).astype(np.uint8)
    is_unseen[near] &= ~is_fetched
    return FilledFrame(result, is_unseen)


def _surroundings(hole: Mask) -> tuple[slice, slice]:
    """The rows and columns of a hole and its ring."""
    x, y, width, height = cv2.boundingRect(hole.astype(np.uint8))
    return slice(max(0, y - RING), y + height + RING), slice(max(0, x - RING), x + width + RING)


def _fetched(
    frames: Sequence[Image], holes: Sequence[Mask], flows: "_Flows", index: int, step: int, start: Points
) -> tuple[Points, NDArray[np.int32]]:
    """The colours (N, 3) of pixels where the nearest frame in that direction shows them, and its distance; 0: none."""
    colours, ages = np.zeros((len(start), 3), np.float32), np.zeros(len(start), np.int32)
    height, width = holes[0].shape
    pending, points = np.arange(len(start)), start
    for age in range(1, REACH + 1):
        other = index + age * step
        if not 0 <= other < len(frames) or not len(pending):
            break
        points = points + flows.at(other - step, other, points)
        inside = ((points >= 0) & (points <= (width - 1, height - 1))).all(axis=1)
        pending, points = pending[inside], points[inside]
        if not len(pending):
            break
        shown = _sampled((~holes[other]).astype(np.float32), points, cv2.INTER_LINEAR) > VISIBLE
        colours[pending[shown]] = _sampled(frames[other], points[shown], cv2.INTER_CUBIC)
        ages[pending[shown]] = age
        pending, points = pending[~shown], points[~shown]
    return colours, ages


class _Flows:
    """Flow between neighbouring frames, computed when asked for and kept while it may be asked for again."""

    def __init__(self, frames: Sequence[Image], holes: Sequence[Mask]) -> None:
        height, width = holes[0].shape
        self._scale = min(1.0, FLOW_SIDE / max(height, width))
        self._size = max(16, round(width * self._scale)), max(16, round(height * self._scale))
        self._frames, self._holes = frames, holes
        self._method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._greys: OrderedDict[int, tuple[Image, Mask]] = OrderedDict()
        self._kept: OrderedDict[tuple[int, int], Flow] = OrderedDict()

    def at(self, source: int, target: int, points: Points) -> Points:
        """Displacements (N, 2) px of points (N, 2) of one frame to a neighbouring one."""
        key = source, target
        if key not in self._kept:
            self._kept[key] = self._computed(source, target)
            while len(self._kept) > 2 * REACH + 4:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        ratio = np.array([size / side for size, side in zip(self._size, self._holes[0].shape[::-1], strict=True)])
        small = ((points + 0.5) * ratio - 0.5).astype(np.float32)
        return np.asarray(_sampled(self._kept[key], small, cv2.INTER_LINEAR) / ratio, np.float32)

    def _computed(self, source: int, target: int) -> Flow:
        (first, hole), (second, other) = self._grey(source), self._grey(target)
        near = cv2.dilate((hole | other).astype(np.uint8), np.ones((2 * DOUBT + 1, 2 * DOUBT + 1), np.uint8))
        return spread(self._method.calc(first, second, None), near == 0)

    def _grey(self, index: int) -> tuple[Image, Mask]:
        """A frame as the flow sees it, and its hole."""
        if index not in self._greys:
            grey = cv2.cvtColor(self._frames[index], cv2.COLOR_RGB2GRAY)
            grey = cv2.resize(grey, self._size, interpolation=cv2.INTER_AREA)
            hole = cv2.resize(self._holes[index].astype(np.float32), self._size, interpolation=cv2.INTER_AREA) > 0
            filled = cv2.inpaint(grey, hole.astype(np.uint8), INPAINT_RADIUS, cv2.INPAINT_TELEA) if hole.any() else grey
            self._greys[index] = filled, hole
            while len(self._greys) > 2 * REACH + 4:
                self._greys.popitem(last=False)
        return self._greys[index]


def _sampled(image: NDArray[np.generic], points: Points, interpolation: int) -> Points:
    """Values of an image at points (N, 2), (N,) or (N, C) float32."""
    columns = 1024  # OpenCV's maps have at most 32767 columns, and at least one row
    padded = np.zeros((len(points) // columns * columns + columns, 2), np.float32)
    padded[: len(points)] = points
    values = cv2.remap(image, padded.reshape(-1, columns, 2), None, interpolation, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.reshape(len(padded), *image.shape[2:])[: len(points)], np.float32)
