"""Masks in video: J, F and J&F of DAVIS, G of YouTube-VOS.

J is the IoU of two masks; F the F-measure of their boundaries, where a boundary pixel counts as found if one of the
other boundary lies within 0.008 of the image's diagonal (Perazzi et al., CVPR 2016). Both are 1 where both masks are
empty. As in davis2017-evaluation: the first and last frame of a track are left out, means are over frames, then over
objects, not over sequences. The code of the YouTube-VOS server is not public; its averages are those of its paper.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Flags, Values, finite, same_length

BOUNDARY_TOLERANCE = 0.008  # of the diagonal
VOID = 255
RECALL_AT = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackScore:
    """J and F of one object in each scored frame: (T,) each, in [0, 1]."""

    j: Values
    f: Values


def region_similarity(predicted: Flags, true: Flags, void: Flags | None = None) -> float:
    """J, the IoU of two masks (H, W), without the pixels of `void`; 1 where both are empty.

    Raises:
        MetricError: shapes differ, or are not (H, W).
    """
    predicted, true = _without_void(predicted, true, void)
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def boundary_f(predicted: Flags, true: Flags, void: Flags | None = None) -> float:
    """F, the F-measure of the boundaries of two masks (H, W); 1 where neither has a boundary.

    Raises:
        MetricError: shapes differ, or are not (H, W).
    """
    predicted, true = _without_void(predicted, true, void)
    own, other = boundary(predicted), boundary(true)
    pixels, other_pixels = np.count_nonzero(own), np.count_nonzero(other)
    if not pixels or not other_pixels:
        return float(pixels == other_pixels)
    disk = _disk(math.ceil(BOUNDARY_TOLERANCE * math.hypot(*true.shape)))
    precision = np.count_nonzero(own & _dilated(other, disk)) / pixels
    recall = np.count_nonzero(other & _dilated(own, disk)) / other_pixels
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Flags) -> Flags:
    """Pixels that differ from their right, lower or lower-right neighbour, within the image. (H, W)."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, lower, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return np.asarray((mask != right) | (mask != lower) | (mask != diagonal))


def davis_track(predicted: Flags, true: Flags, void: Flags | None = None) -> TrackScore:
    """J and F of one object, frame by frame, without the first frame, where it is given, and the last. (T, H, W).

    Raises:
        MetricError: shapes differ, or there are fewer than three frames.
    """
    if same_length(predicted=predicted, true=true, **({} if void is None else {"void": void})) < 3:
        raise MetricError("the first and last frame are not scored: a track needs three frames or more")
    frames = [(predicted[t], true[t], None if void is None else void[t]) for t in range(1, len(true) - 1)]
    return TrackScore(
        j=np.array([region_similarity(*frame) for frame in frames]),
        f=np.array([boundary_f(*frame) for frame in frames]),
    )


def object_masks(labels: NDArray[np.integer[Any]], object_ids: Sequence[int]) -> Flags:
    """The mask of each object of label images (T, H, W): (N, T, H, W); empty where an id does not occur.

    Raises:
        MetricError: a label is neither 0, nor of an object, nor 255 (void).
    """
    unknown = sorted(set(np.unique(labels).tolist()) - {0, VOID, *object_ids})
    if unknown:
        raise MetricError(f"labels {unknown} are of no object; the objects are {list(object_ids)}")
    return np.asarray(labels == np.asarray(object_ids)[:, None, None, None])


def mean_recall_decay(values: Values) -> tuple[float, float, float]:
    """Mean, share above 0.5, and mean of the first minus that of the last quarter of one track's J or F, (T,).

    davis2017-evaluation keeps the quarters' limits in 8 bits, so its decay differs from 257 frames on.
    """
    values = finite(values, "values", (None,))
    limits = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(int) - 1
    first, last = values[limits[0] : limits[1] + 1], values[limits[3] : limits[4] + 1]
    return float(values.mean()), float((values > RECALL_AT).mean()), float(first.mean() - last.mean())


def davis(tracks: Iterable[TrackScore]) -> dict[str, float]:
    """DAVIS 2017, semi-supervised: `j_and_f`, and of `j` and `f` the mean, `_recall` and `_decay` over all objects.

    Raises:
        MetricError: there is no object.
    """
    tracks = list(tracks)
    same_length(tracks=tracks)
    j, f = (
        np.mean([mean_recall_decay(getattr(track, name)) for track in tracks], axis=0).tolist() for name in ("j", "f")
    )
    figures = {"j_and_f": (j[0] + f[0]) / 2}
    for name, (mean, recall, decay) in (("j", j), ("f", f)):
        figures |= {name: mean, f"{name}_recall": recall, f"{name}_decay": decay}
    return figures


def youtube_vos(tracks: Sequence[TrackScore], is_seen: Sequence[bool]) -> dict[str, float]:
    """YouTube-VOS: J and F over the objects of seen and of unseen categories, and G, the mean of the four.

    Args:
        is_seen: (N,) whether the category of each object occurs in training.

    Raises:
        MetricError: lengths differ, or objects of either sort are missing.
    """
    same_length(tracks=tracks, is_seen=is_seen)
    figures = {}
    for name in ("j", "f"):
        means = np.array([getattr(track, name).mean() for track in tracks])
        for sort, wanted in (("seen", True), ("unseen", False)):
            own = means[np.asarray(is_seen, bool) == wanted]
            if not len(own):
                raise MetricError(f"no object of an {sort} category; G needs seen and unseen ones")
            figures[f"{name}_{sort}"] = float(own.mean())
    return {"g": sum(figures.values()) / 4, **figures}


def _without_void(predicted: Flags, true: Flags, void: Flags | None) -> tuple[Flags, Flags]:
    predicted, true = np.asarray(predicted, bool), np.asarray(true, bool)
    if predicted.shape != true.shape or true.ndim != 2 or not true.size:
        raise MetricError(f"masks are (H, W) of one size, these are {predicted.shape} and {true.shape}")
    if void is None:
        return predicted, true
    if np.shape(void) != true.shape:
        raise MetricError(f"void is {np.shape(void)}, the masks are {true.shape}")
    counted = ~np.asarray(void, bool)
    return predicted & counted, true & counted


def _disk(radius: int) -> NDArray[np.uint8]:
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets**2 <= radius**2).astype(np.uint8)


def _dilated(mask: Flags, disk: NDArray[np.uint8]) -> Flags:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disk), bool)
