"""The default tracker: dense motion, a correlation filter and a silhouette, on a crop of fixed size; no weights.

Motion says how the target went on from the last frame, the filter pulls it to where it looks like itself, and the
silhouette corrects the box's sides. While the score is low nothing is learned, and the target is searched for
elsewhere.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, clip, iou
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.appearance import Histogram
from vitron_ros.tracking.box_tracker import BoxEstimate, View
from vitron_ros.tracking.confidence import Cues
from vitron_ros.tracking.correlation_filter import CorrelationFilter, crop_spectrum, make_filter_sample
from vitron_ros.tracking.crop import CROP_PX, Mask, crop_scale, take_crop
from vitron_ros.tracking.long_term_appearance import LongTermAppearance
from vitron_ros.tracking.motion import STILL, Flow, FlowEstimator, Similarity, fit_similarity
from vitron_ros.tracking.search import Search
from vitron_ros.tracking.silhouette import Observation, Silhouette, colours_of, cut_to, motion_odds

FILTER_PULL = 0.2
VELOCITY_KEPT = 0.6
MASK_PULL = 0.3
MASK_PULL_LIMIT = 0.15  # of the box's size, a side and frame
AGREEMENT_RATE = 0.1
MIN_AGREEMENT = 0.3  # below, the silhouette does not move the box
FILTER_RATE = 0.02
MEAN_RATE = 0.1
MIN_SIZE_PX = 4.0
MAX_GROWTH = 1.1  # a frame
LEARN_FROM = 0.4  # score
LOW_SCORE_FRAMES = 5  # in a row, until the search begins
MISMATCH_FRAMES = 5  # in a row, until what is followed is not the target any more
HERE = 0.5  # of the target's mean size: no other place
FOUND_HEIGHT = 0.6  # of the usual height of the filter's answer, here
FOUND_LIKENESS = 0.8  # of the usual likeness, here
LIKE_HERE = 0.8  # of the remembered likeness, here
SURE_FROM = 0.7  # score from which what is seen is remembered
SIZE_RATE = 0.2
GROWTH_RATE = 0.1


class DefaultTracker:
    """Follows one box; see the module. Bit for bit the same on the same frames."""

    def __init__(self) -> None:
        self._flow = FlowEstimator()

    def start(self, view: View, box_xyxy: Boxes) -> None:
        box = np.asarray(box_xyxy, np.float64)
        self._center, self._size = center(box), np.maximum(box[2:] - box[:2], MIN_SIZE_PX)
        self._velocity = np.zeros(2)
        self._last = take_crop(view, self._center, crop_scale(self._size))
        form = make_filter_sample(crop_spectrum(self._last), self._size * self._last.scale, np.zeros(2))
        self._filter = CorrelationFilter(form)
        self._silhouette = Silhouette(self._last, self._last.from_image(self._box()))
        self._agreement = 1.0
        self._usual = Cues(1.0, 1.0)
        self._long_term = LongTermAppearance(self._silhouette.colours.target, form)
        self._sure_size = self._size
        self._low_score_frames = self._mismatches = 0
        self._search: Search | None = None
        self._is_rejected = False

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        score = self._follow(view)
        self._low_score_frames = 0 if score >= LEARN_FROM else self._low_score_frames + 1
        if self._low_score_frames < LOW_SCORE_FRAMES:
            self._search = None
        elif redetect and self._redetect(view):
            score = LEARN_FROM
        return BoxEstimate(clip(self._box(), view.frame.width, view.frame.height), score)

    def likeness(self, view: View, box_xyxy: Boxes) -> float:
        """How much what is in a box of any frame is coloured like the target when last sure; about 1: alike, 0: not."""
        box = np.asarray(box_xyxy, np.float64)
        crop = take_crop(view, center(box), crop_scale(np.maximum(box[2:] - box[:2], MIN_SIZE_PX)))
        return self._long_term.likeness(self._silhouette.colours_in(crop, crop.from_image(box)))

    def mask(self, box_xyxy: Boxes) -> CroppedMask | None:
        """The silhouette inside a box (4,) px of the frame that came last; None: no pixel is the target's."""
        return self._silhouette.cut_out(self._last, box_xyxy)

    def reject(self) -> None:
        """What is followed is not the target: learn nothing of it, and look for the target as it is remembered."""
        self._is_rejected = True
        self._low_score_frames = LOW_SCORE_FRAMES

    def _follow(self, view: View) -> float:
        crop = take_crop(view, self._center + self._velocity, self._last.scale)
        flow = self._flow(self._last, crop)
        target, odds = self._motions(flow)
        spectrum = crop_spectrum(crop)
        peak = self._filter.find(spectrum, self._size * crop.scale, target.shift)
        shift = target.shift + FILTER_PULL * (peak.offset - target.shift)
        moved = Similarity(target.matrix, shift, target.spread, target.support)
        growth = np.clip(target.scale, 1 / MAX_GROWTH, MAX_GROWTH)
        expected = _box(shift + CROP_PX / 2, self._size * growth * crop.scale)
        seen = self._silhouette.observe(crop, expected, moved, odds)
        box = crop.to_image(self._pulled(expected, seen))
        self._velocity = VELOCITY_KEPT * (crop.center + shift / crop.scale - self._center)
        image = np.array([view.frame.width, view.frame.height], np.float64)
        self._center, self._size = np.clip(center(box), 0, image), np.clip(box[2:] - box[:2], MIN_SIZE_PX, 4 * image)
        placed = crop.from_image(self._box())
        mask = cut_to(seen.mask, placed)
        target_colours, surroundings = colours_of(seen.bins, mask, crop, placed)
        cues = Cues(peak.height, self._silhouette.colours.likeness(target_colours))
        size, offset = self._size * crop.scale, center(placed) - CROP_PX / 2
        height = self._long_term.filter.find(spectrum, size, offset).height
        self._mismatches = self._mismatches + 1 if self._long_term.is_mismatch(height) else 0
        if self._mismatches == MISMATCH_FRAMES:
            self.reject()
        score = 0.0 if self._is_rejected else cues.probability()
        if score >= LEARN_FROM:
            form = make_filter_sample(spectrum, size, offset)
            self._silhouette.learn(mask, placed, target_colours, surroundings)
            self._filter.learn(form, FILTER_RATE)
            self._usual = self._usual.towards(cues, MEAN_RATE)
            self._learn_size(is_whole=score >= SURE_FROM and self._long_term.is_whole(height))
            if score >= SURE_FROM:
                self._long_term.learn(target_colours, height, form)
        self._last = take_crop(view, self._center, crop_scale(self._size))
        self._silhouette.carry(mask, crop, self._last)
        return score

    def _is_usual(self, cues: Cues, colours: Histogram) -> bool:
        """Whether something in the place of the target resembles it as it was of late, and somewhat as ever."""
        is_high = cues.height >= FOUND_HEIGHT * self._usual.height
        is_alike = cues.likeness >= FOUND_LIKENESS * self._usual.likeness
        return is_high and is_alike and not self._is_rejected and self._long_term.likeness(colours) >= LIKE_HERE

    def _learn_size(self, *, is_whole: bool) -> None:
        """Occlusion makes a target look smaller, so its size shrinks only while it is whole."""
        is_larger = self._size.prod() > self._sure_size.prod()
        rate = SIZE_RATE if is_whole else GROWTH_RATE if is_larger else 0.0
        self._sure_size = self._sure_size + rate * (self._size - self._sure_size)

    def _motions(self, flow: Flow) -> tuple[Similarity, Mask | None]:
        """The target's motion between two crops, and the log odds of each point to follow it; None: not known."""
        likely = self._silhouette.weight_at(flow)
        weight = flow.reliability * likely**2
        is_target, is_behind = weight > 0.05, (likely < 0.2) & (flow.reliability > 0.2)
        if is_target.sum() < 10:
            return STILL, None
        target = fit_similarity(flow.start[is_target], flow.end[is_target], weight[is_target], rounds=5)
        if is_behind.sum() < 30:
            return target, None
        behind = fit_similarity(flow.start[is_behind], flow.end[is_behind], flow.reliability[is_behind], rounds=3)
        return target, motion_odds(flow, target, behind)

    def _pulled(self, expected: Boxes, seen: Observation) -> Boxes:
        """The expected box, its sides drawn towards the silhouette's; in crop px."""
        if seen.box_xyxy is None:
            return expected
        self._agreement += AGREEMENT_RATE * (float(iou(seen.box_xyxy, expected)) - self._agreement)
        weight = np.clip((self._agreement - MIN_AGREEMENT) / (1 - MIN_AGREEMENT), 0, 1)
        limit = MASK_PULL_LIMIT * np.tile(expected[2:] - expected[:2], 2)
        return np.asarray(expected + MASK_PULL * weight * np.clip(seen.box_xyxy - expected, -limit, limit))

    def _redetect(self, view: View) -> bool:
        """Look at a few more places for the target as it was when last sure; move there if it is found."""
        if self._search is None:
            self._search = Search(view, self._center, self._sure_size)
        places, image_size = self._search.next(view, self._long_term.colours)
        scale = crop_scale(image_size)
        size = image_size * scale
        best = None
        for place in places:
            peak = self._long_term.filter.find(crop_spectrum(take_crop(view, place, scale)), size)
            if best is None or peak.height > best[0]:
                best = peak.height, place + peak.offset / scale
        assert best is not None
        crop = take_crop(view, np.clip(best[1], 0, [view.frame.width, view.frame.height]), scale)
        spectrum = crop_spectrum(crop)
        peak = self._long_term.filter.find(spectrum, size, np.zeros(2))
        colours = self._silhouette.colours_in(crop, _box(np.full(2, CROP_PX / 2) + peak.offset, size))
        recent = self._filter.find(spectrum, size, peak.offset)
        seen = Cues(recent.height, self._silhouette.colours.likeness(colours))
        is_here = np.linalg.norm(best[1] - self._center) <= HERE * np.sqrt(image_size.prod())
        is_usual = is_here and not self._long_term.is_mismatch(peak.height) and self._is_usual(seen, colours)
        if not (is_usual or self._long_term.is_like(colours, peak.height)):
            return False
        self._center, self._size, self._velocity = crop.center + peak.offset / scale, image_size, np.zeros(2)
        self._last = take_crop(view, self._center, scale)
        self._silhouette.recall(self._last.from_image(self._box()))
        self._agreement, self._low_score_frames, self._mismatches, self._search = 1.0, 0, 0, None
        self._is_rejected = False
        return True

    def _box(self) -> Boxes:
        return _box(self._center, self._size)


def _box(middle: Boxes, size: Boxes) -> Boxes:
    return np.concatenate([middle - size / 2, middle + size / 2])
