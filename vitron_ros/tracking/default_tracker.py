"""The default tracker: a background-aware filter, dense motion and a silhouette; no weights.

The filter says where the target is and how large; motion steadies the place. The silhouette, which does not move the
box, says which pixels are the target's, and so how alike their colours are. While the score is low the size is held,
and the target is searched for elsewhere.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, clip
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.appearance import Histogram
from vitron_ros.tracking.background_aware_filter import BackgroundAwareFilter
from vitron_ros.tracking.box_tracker import BoxEstimate, View
from vitron_ros.tracking.confidence import Cues
from vitron_ros.tracking.correlation_filter import CorrelationFilter, crop_spectrum, make_filter_sample
from vitron_ros.tracking.crop import CROP_PX, Mask, crop_scale, take_crop
from vitron_ros.tracking.long_term_appearance import LongTermAppearance
from vitron_ros.tracking.motion import STILL, Flow, FlowEstimator, Similarity, fit_similarity
from vitron_ros.tracking.search import Search
from vitron_ros.tracking.silhouette import Silhouette, colours_of, cut_to, motion_odds

FILTER_PULL = 0.8  # share of the filter's place; the rest is the flow's
GROWTHS = ((1.0, 0.98), (1.0, 1.02))  # of the flow's, in turn
MAX_GROWTH = 1.1  # a frame
VELOCITY_KEPT = 0.6
FILTER_RATE = 0.02
MEAN_RATE = 0.1
MIN_SIZE_PX = 4.0
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
        self._background_aware = BackgroundAwareFilter(view, self._center, self._size)
        self._last = take_crop(view, self._center, crop_scale(self._size))
        form = make_filter_sample(crop_spectrum(self._last), self._size * self._last.scale, np.zeros(2))
        self._filter = CorrelationFilter(form)
        self._silhouette = Silhouette(self._last, self._last.from_image(self._box()))
        self._usual = Cues(1.0, 1.0)
        self._long_term = LongTermAppearance(self._silhouette.colours.target, form)
        self._sure_size = self._size
        self._low_score_frames = self._mismatches = self._turn = 0
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
        growth = np.clip(target.scale, 1 / MAX_GROWTH, MAX_GROWTH)
        match = self._background_aware.find(view, crop.center, self._size * growth, GROWTHS[self._turn])
        shift = target.shift + FILTER_PULL * (match.offset * crop.scale - target.shift)
        spectrum = crop_spectrum(crop)
        peak = self._filter.find(spectrum, self._size * crop.scale, shift)
        growth = 1.0 if self._low_score_frames else growth * match.growth
        moved = Similarity(target.matrix, shift, target.spread, target.support)
        expected = _box(shift + CROP_PX / 2, self._size * growth * crop.scale)
        seen = self._silhouette.observe(crop, expected, moved, odds)
        self._velocity = VELOCITY_KEPT * (crop.center + shift / crop.scale - self._center)
        image = np.array([view.frame.width, view.frame.height], np.float64)
        self._center = np.clip(crop.center + shift / crop.scale, 0, image)
        self._size = np.clip(self._size * growth, MIN_SIZE_PX, 4 * image)
        placed = crop.from_image(self._box())
        mask = cut_to(seen.mask, placed)
        target_colours, surroundings = colours_of(seen.bins, mask, crop, placed)
        cues = Cues(peak.height, self._silhouette.colours.likeness(target_colours))
        size, offset = self._size * crop.scale, center(placed) - CROP_PX / 2
        height = self._long_term.filter.find(spectrum, size, offset).height
        self._mismatches = self._mismatches + 1 if self._long_term.is_mismatch(height) else 0
        if self._mismatches == MISMATCH_FRAMES:
            self.reject()
        is_lost = self._low_score_frames >= LOW_SCORE_FRAMES
        is_unlike = is_lost and self._long_term.likeness(target_colours) < LIKE_HERE
        score = 0.0 if self._is_rejected or is_unlike else cues.probability()
        self._turn = 1 - self._turn
        if score >= LEARN_FROM and self._turn == 0:  # in every other frame: it costs much and gains nothing
            self._background_aware.learn(view, self._center, self._size)
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
        self._low_score_frames, self._mismatches, self._search = 0, 0, None
        self._is_rejected = False
        return True

    def _box(self) -> Boxes:
        return _box(self._center, self._size)


def _box(middle: Boxes, size: Boxes) -> Boxes:
    return np.concatenate([middle - size / 2, middle + size / 2])
