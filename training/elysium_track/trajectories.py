"""A box in every frame of a clip, by a tracker; and how far a track departs from smooth motion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, center
from vitron_ros.tracking.box_tracker import BoxTracker, View

MakeTracker = Callable[[], BoxTracker]
# DeepSORT's Kalman filter (Wojke et al., ICIP 2017): standard deviations of position and velocity, of the box's height.
POSITION_SD, VELOCITY_SD = 1 / 20, 1 / 160
ASPECT_SD, ASPECT_VELOCITY_SD, ASPECT_MEASURED_SD = 1e-2, 1e-5, 1e-1


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """A box in every frame.

    Attributes:
        boxes_xyxy: (T, 4) px.
        scores: (T,), of the tracker; 1 where it began.
    """

    boxes_xyxy: Boxes
    scores: NDArray[np.float64]


def track(make_tracker: MakeTracker, views: Sequence[View], box_xyxy: Boxes) -> Trajectory:
    """The track of a box (4,) px of the first of T views, in their order."""
    tracker = make_tracker()
    tracker.start(views[0], box_xyxy)
    estimates = [tracker.step(view, redetect=False) for view in views[1:]]
    return Trajectory(
        np.array([box_xyxy, *(estimate.box_xyxy for estimate in estimates)]),
        np.array([1.0, *(estimate.score for estimate in estimates)]),
    )


def track_backwards(make_tracker: MakeTracker, views: Sequence[View], box_xyxy: Boxes) -> Trajectory:
    """The track of a box (4,) px of the last of T views back to the first; given in the order of the views."""
    reverse = track(make_tracker, views[::-1], box_xyxy)
    return Trajectory(reverse.boxes_xyxy[::-1], reverse.scores[::-1])


def largest_innovation(boxes_xyxy: Boxes) -> float:
    """The largest squared Mahalanobis distance of a box (T, 4) px from what a Kalman filter predicts from those before.

    Constant velocity of centre, aspect ratio and height, with DeepSORT's noise; 9.49 is the 95th percentile where its
    model holds.
    """
    sizes = np.maximum(boxes_xyxy[:, 2:] - boxes_xyxy[:, :2], 1.0)
    heights = sizes[:, 1]
    measured = np.column_stack([center(boxes_xyxy), sizes[:, 0] / heights, heights])  # (T, 4)
    position, velocity = measured[0], np.zeros(4)
    deviations = _deviations(heights[0])
    # Covariance of position and velocity, of each of the four apart: they do not mix.
    pp, pv, vv = (2 * deviations.position) ** 2, np.zeros(4), (10 * deviations.velocity) ** 2
    largest = 0.0
    for seen in measured[1:]:
        deviations = _deviations(position[3])
        position = position + velocity
        pp, pv, vv = pp + 2 * pv + vv + deviations.position**2, pv + vv, vv + deviations.velocity**2
        innovation, variance = seen - position, pp + deviations.measured**2
        largest = max(largest, float((innovation**2 / variance).sum()))
        gain_p, gain_v = pp / variance, pv / variance
        position, velocity = position + gain_p * innovation, velocity + gain_v * innovation
        pp, pv, vv = pp - gain_p * pp, pv - gain_p * pv, vv - gain_v * pv
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class _Deviations:
    position: NDArray[np.float64]
    velocity: NDArray[np.float64]
    measured: NDArray[np.float64]


def _deviations(height: float) -> _Deviations:
    place, speed = POSITION_SD * max(height, 1.0), VELOCITY_SD * max(height, 1.0)
    return _Deviations(
        np.array([place, place, ASPECT_SD, place]),
        np.array([speed, speed, ASPECT_VELOCITY_SD, speed]),
        np.array([place, place, ASPECT_MEASURED_SD, place]),
    )
