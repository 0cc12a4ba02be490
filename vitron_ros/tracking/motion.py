"""How a target and what lies behind it moved between two crops: dense optical flow and robust similarities.

The flow is DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016); vectors that do not lead
back to where they came from count less, after Kalal et al., "Forward-Backward Error", ICPR 2010.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.tracking.crop import CROP_PX, Crop

FLOW_STEP_PX = 4
FINEST_SCALE = 1  # half resolution
PLANE = np.array([1, 1j])

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """Where a regular grid of points went. Coordinates are px from the middle of each crop.

    Attributes:
        start: (N, 2) in the earlier crop, row by row.
        end: (N, 2) in the later crop.
        reliability: (N,) in [0, 1]; 0 outside the image.
    """

    start: Array
    end: Array
    reliability: Array


@dataclass(frozen=True, slots=True, eq=False)
class Similarity:
    """Rotation, scaling and shift: `end = matrix @ start + shift`.

    Attributes:
        matrix: (2, 2).
        shift: (2,) px.
        spread: px; one and a half times the weighted median residual of the fit.
        support: weighted share of points within twice the spread, in [0, 1].
    """

    matrix: Array
    shift: Array
    spread: float
    support: float

    @property
    def scale(self) -> float:
        """Growth of lengths."""
        return float(np.sqrt(np.linalg.det(self.matrix)))

    def residual_sq(self, flow: Flow) -> Array:
        """Squared distance of each point from where the similarity takes it, (N,), px²."""
        return np.asarray(((flow.start @ self.matrix.T + self.shift - flow.end) ** 2).sum(axis=1))


STILL = Similarity(np.eye(2), np.zeros(2), 1.0, 0.0)


class FlowEstimator:
    """Dense flow between crops of one scale, sampled every FLOW_STEP_PX."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        self._dis.setFinestScale(FINEST_SCALE)
        axis = np.arange(FLOW_STEP_PX // 2, CROP_PX, FLOW_STEP_PX) + 0.5
        self._grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)

    def __call__(self, earlier: Crop, later: Crop) -> Flow:
        forward = self._dis.calc(earlier.grey, later.grey, None)
        backward = self._dis.calc(later.grey, earlier.grey, None)
        half = FLOW_STEP_PX // 2
        moved = forward[half::FLOW_STEP_PX, half::FLOW_STEP_PX].reshape(-1, 2).astype(np.float64)
        end = self._grid + moved
        column, row = np.clip(end, 0, CROP_PX - 1).astype(int).T
        way_back_sq = ((moved + backward[row, column]) ** 2).sum(axis=1)
        in_image = earlier.to_image(self._grid)
        is_inside = ((in_image > 1) & (in_image < earlier.image_size - 1)).all(axis=1)
        return Flow(self._grid - CROP_PX / 2, end - CROP_PX / 2, is_inside / (1 + way_back_sq))


def fit_similarity(start: Array, end: Array, weight: Array, rounds: int) -> Similarity:
    """The similarity most points agree on: least squares, reweighted `rounds` times from the weighted median shift.

    start and end (N, 2) px, weight (N,) > 0, N at least 2. Deterministic: nothing is drawn at random.
    """
    # Points as complex numbers: a rotation and scaling is one factor.
    before, after = start @ PLANE, end @ PLANE
    factor, shift = 1 + 0j, complex(*(_weighted_median(axis, weight) for axis in (end - start).T))
    residual = np.abs(before + shift - after)
    spread = 1.0
    for _ in range(rounds):
        spread = max(0.6, 1.5 * _weighted_median(residual, weight))
        share = weight / (1 + (residual / spread) ** 2) ** 2
        share /= share.sum()
        before_mean, after_mean = share @ before, share @ after
        a = before - before_mean
        weighted = share * a.conj()
        factor = (weighted @ (after - after_mean)) / ((weighted @ a).real + 1e-6)
        shift = after_mean - factor * before_mean
        residual = np.abs(factor * before + shift - after)
    matrix = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    support = float(weight[residual < 2 * spread].sum() / weight.sum())
    return Similarity(matrix, np.array([shift.real, shift.imag]), spread, support)


def _weighted_median(values: Array, weight: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order[np.searchsorted(total, total[-1] / 2)]])
