"""The default tracker: dense motion, a correlation filter and a silhouette, on a crop of fixed size; no weights.

Motion says how the target went on from the last frame, the filter pulls it to where it looks like itself, the silhouette
corrects the box's sides. What is learned depends on how sure the tracker is, and a target that is lost is searched for.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, clip, iou
from vitron_ros.tracking.box_tracker import BoxEstimate, View
from vitron_ros.tracking.correlation_filter import CorrelationFilter
from vitron_ros.tracking.crop import Crop, crop_scale, take_crop
from vitron_ros.tracking.motion import STILL, Flow, FlowEstimator, Similarity, fit_similarity
from vitron_ros.tracking.silhouette import Observation, Silhouette, motion_odds

FILTER_PULL = 0.3
VELOCITY_KEPT = 0.6
MASK_PULL = 0.3
MASK_PULL_LIMIT = 0.15  # of the box's size a frame, a side
FILTER_RATE = 0.02
COLOUR_RATE = 0.04
SHAPE_RATE = 0.05
MIN_SIZE_PX = 4.0
MAX_GROWTH = 1.1  # a frame


class DefaultTracker:
    """Follows one box; see the module. Bit for bit the same on the same frames."""

    def __init__(self) -> None:
        self._flow = FlowEstimator()

    def start(self, view: View, box_xyxy: Boxes) -> None:
        box = np.asarray(box_xyxy, np.float64)
        self._center, self._size = center(box), np.maximum(box[2:] - box[:2], MIN_SIZE_PX)
        self._velocity = np.zeros(2)
        self._last = take_crop(view, self._center, crop_scale(self._size))
        self._filter = CorrelationFilter(self._last, self._size * self._last.scale)
        self._silhouette = Silhouette(self._last, self._last.from_image(self._box()))
        self._agreement = 1.0
        self.cues = None

    def step(self, view: View) -> BoxEstimate:
        crop = take_crop(view, self._center + self._velocity, self._last.scale)
        flow = self._flow(self._last, crop)
        target, odds = self._motions(flow)
        peak = self._filter.find(crop, self._size * crop.scale, target.shift)
        moved = Similarity(
            target.matrix, target.shift + FILTER_PULL * (peak.offset - target.shift), target.spread, target.support
        )
        growth = np.clip(target.scale, 1 / MAX_GROWTH, MAX_GROWTH)
        expected = _box(moved.shift + crop.rgb.shape[0] / 2, self._size * growth * crop.scale)
        seen = self._silhouette.observe(crop, expected, moved, odds)
        before = self._center
        box = crop.to_image(self._pulled(expected, seen, crop))
        self._center, self._size = center(box), box[2:] - box[:2]
        self._keep_in_range(view)
        self._velocity = VELOCITY_KEPT * (crop.center + moved.shift / crop.scale - before)
        likeness = self._silhouette.likeness(seen, crop, crop.from_image(self._box()))
        agreement = 0.0 if seen.box_xyxy is None else float(iou(seen.box_xyxy, expected))
        weight = self._silhouette.weight_at(flow)
        nok = float((flow.trust * weight).sum() / (weight.sum() + 1e-9))
        gap = float(np.linalg.norm(peak.offset - target.shift) / np.sqrt((self._size * crop.scale).prod()))
        self.cues = np.array([peak.height, peak.sharpness, likeness, agreement, nok, gap, target.support])
        self._learn(view, crop, seen)
        return BoxEstimate(clip(self._box(), view.frame.width, view.frame.height), 1.0)

    def _motions(self, flow: Flow):
        probability = self._silhouette.weight_at(flow)
        weight = flow.trust * probability**2
        on_target = weight > 0.05
        if on_target.sum() < 10:
            return STILL, None
        target = fit_similarity(flow.start[on_target], flow.end[on_target], weight[on_target], rounds=5)
        behind = (probability < 0.2) & (flow.trust > 0.2)
        if behind.sum() < 30:
            return target, None
        surroundings = fit_similarity(flow.start[behind], flow.end[behind], flow.trust[behind], rounds=3)
        return target, motion_odds(flow, target, surroundings)

    def _pulled(self, expected: Boxes, seen: Observation, crop: Crop) -> Boxes:
        if seen.box_xyxy is None:
            return expected
        self._agreement += 0.1 * (float(iou(seen.box_xyxy, expected)) - self._agreement)
        limit = MASK_PULL_LIMIT * np.tile(expected[2:] - expected[:2], 2)
        trust = np.clip((self._agreement - 0.3) / 0.7, 0, 1)
        return expected + MASK_PULL * trust * np.clip(seen.box_xyxy - expected, -limit, limit)

    def _keep_in_range(self, view: View) -> None:
        image = np.array([view.frame.width, view.frame.height], np.float64)
        self._size = np.clip(self._size, MIN_SIZE_PX, 4 * image)
        self._center = np.clip(self._center, 0, image)

    def _learn(self, view: View, crop: Crop, seen: Observation) -> None:
        following = take_crop(view, self._center, crop_scale(self._size))
        self._silhouette.accept(seen, crop, crop.from_image(self._box()), following, COLOUR_RATE, SHAPE_RATE)
        self._filter.learn(following, self._size * following.scale, FILTER_RATE)
        self._last = following

    def _box(self) -> Boxes:
        return _box(self._center, self._size)


def _box(middle: Boxes, size: Boxes) -> Boxes:
    return np.concatenate([middle - size / 2, middle + size / 2])
