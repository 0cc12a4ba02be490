"""The default tracker: a background-aware correlation filter places the box, a slower one scales it; no weights.

In every other image it looks closely: does what is in the box have the target's colours, and the form that it usually
has? While the score is low nothing is learned, and the target is searched for elsewhere.
"""

import numpy as np

from vitron_ros.boxes import Boxes, center, clip
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.background_aware_filter import BackgroundAwareFilter, find, height_in_middle, vertex
from vitron_ros.tracking.box_tracker import BoxEstimate, View
from vitron_ros.tracking.confidence import Cues
from vitron_ros.tracking.crop import take_crop
from vitron_ros.tracking.long_term_appearance import LongTermAppearance
from vitron_ros.tracking.search import SIZES, Search
from vitron_ros.tracking.silhouette import Silhouette
from vitron_ros.tracking.window import Spectrum, cells_per_px, window_spectra

GROWTH = 1.03  # of the size, in two images
MIN_SIZE_PX = 4.0
VELOCITY_KEPT = 0.6
LEARN_FROM = 0.3  # score
SCALE_FROM = 0.5  # score from which the size changes
FOUND_FROM = 0.75  # score from which a lost target is found
WHOLE_FROM = 0.7  # score from which nothing covers the target
LOW_SCORE_FRAMES = 5  # in a row, until the search begins
MISMATCHES = 3  # in a row, until what is followed is not the target any more
SIZE_RATE = 0.3
GROWTH_RATE = 0.2


class DefaultTracker:
    """Follows one box; see the module. Bit for bit the same on the same frames."""

    is_parallel = True

    def start(self, view: View, box_xyxy: Boxes) -> None:
        box = np.asarray(box_xyxy, np.float64)
        self._view = view
        self._center, self._size = center(box), np.maximum(box[2:] - box[:2], MIN_SIZE_PX)
        self._velocity = np.zeros(2)
        sample = window_spectra(view, self._center, [self._size])[0]
        self._filter = BackgroundAwareFilter(sample, self._size)
        crop = take_crop(view, self._center, self._size)
        self._silhouette = Silhouette(crop, crop.from_image(self._box()))
        height = height_in_middle(self._filter.spectrum, sample)
        self._long_term = LongTermAppearance(self._silhouette.colours.target, self._filter.spectrum, height)
        self._score = 1.0
        self._sure_size = self._size
        self._steps = self._low_score_frames = self._mismatches = 0
        self._search: Search | None = None
        self._is_rejected = False

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        self._view = view
        self._follow(view)
        self._low_score_frames = 0 if self._score >= LEARN_FROM else self._low_score_frames + 1
        if self._low_score_frames < LOW_SCORE_FRAMES:
            self._search = None
        elif redetect:
            self._redetect(view)
        return BoxEstimate(clip(self._box(), view.frame.width, view.frame.height), self._score)

    def likeness(self, view: View, box_xyxy: Boxes) -> float:
        """How much what is in a box of any frame is coloured like the target when last sure; about 1: alike, 0: not."""
        box = np.asarray(box_xyxy, np.float64)
        crop = take_crop(view, center(box), np.maximum(box[2:] - box[:2], MIN_SIZE_PX))
        return self._long_term.likeness(self._silhouette.colours_in(crop, crop.from_image(box))[0])

    def mask(self, box_xyxy: Boxes) -> CroppedMask | None:
        """The target's pixels inside a box (4,) px of the frame that came last; None: there are none."""
        crop = take_crop(self._view, self._center, self._size)
        return self._silhouette.cut_out(crop, box_xyxy, self._long_term.colours)

    def reject(self) -> None:
        """What is followed is not the target: learn nothing of it, and look for the target as it is remembered."""
        self._is_rejected = True
        self._score, self._low_score_frames = 0.0, LOW_SCORE_FRAMES

    def _follow(self, view: View) -> None:
        """Place the box, and in every other image scale it, too; in the others, look closely."""
        steps = (-1, 0, 1) if self._steps % 2 == 0 else (0,)
        expected = self._center + self._velocity
        sizes = [self._size * GROWTH**step for step in steps]
        windows = window_spectra(view, expected, sizes)
        peaks = find(self._filter.spectrum, windows)
        best = int(np.argmax([peak.height for peak in peaks]))
        image = np.array([view.frame.width, view.frame.height], np.float64)
        place = expected + peaks[best].offset / cells_per_px(sizes[best])
        self._velocity = VELOCITY_KEPT * (place - self._center)
        self._center = np.clip(place, 0, image)
        if len(steps) > 1 and self._score >= SCALE_FROM:
            self._scale(windows, image)
        self._steps += 1
        if self._steps % 2 == 0:
            self._look_closely(view)

    def _scale(self, windows: Spectrum, image: Boxes) -> None:
        """Towards the size at which the target is most like itself as it usually is.

        The filter that places it follows it too fast: what it has learned at a wrong size would confirm that size.
        """
        heights = [peak.height for peak in find(self._long_term.filter, windows)]
        best = int(np.argmax(heights)) - 1
        step = best or vertex(*heights)
        self._size = np.clip(self._size * GROWTH**step, MIN_SIZE_PX, 4 * image)

    def _look_closely(self, view: View) -> None:
        crop = take_crop(view, self._center, self._size)
        target, surroundings = self._silhouette.colours_in(crop, crop.from_image(self._box()))
        sample = window_spectra(view, self._center, [self._size])[0]
        height = height_in_middle(self._long_term.filter, sample)
        cues = Cues(self._silhouette.colours.likeness(target), self._long_term.familiarity(height))
        self._mismatches = self._mismatches + 1 if self._long_term.is_mismatch(height) else 0
        if self._mismatches == MISMATCHES:
            self.reject()
        self._score = 0.0 if self._is_rejected else cues.probability()
        if self._score < LEARN_FROM:
            return
        self._filter.learn(sample)
        self._silhouette.learn(target, surroundings)
        self._learn_size(is_whole=self._score >= WHOLE_FROM and self._long_term.is_whole(height))
        self._long_term.learn(target, height, self._filter.spectrum)

    def _learn_size(self, *, is_whole: bool) -> None:
        """Occlusion makes a target look smaller, so its size shrinks only while it is whole."""
        is_larger = self._size.prod() > self._sure_size.prod()
        rate = SIZE_RATE if is_whole else GROWTH_RATE if is_larger else 0.0
        self._sure_size = self._sure_size + rate * (self._size - self._sure_size)

    def _redetect(self, view: View) -> None:
        """Look at a few more places for the target as it was when last sure; move there if it is found."""
        if self._search is None:
            self._search = Search(view, self._center, self._sure_size)
        places, size = self._search.next(view, self._long_term.colours)
        place, height = max((self._remembered(view, place, size) for place in places), key=lambda found: found[1])
        if self._recognition(1.0, height) < FOUND_FROM:
            return
        sizes = [self._sure_size * growth for growth in SIZES]
        place, height, size = max(
            ((*self._remembered(view, place, size), size) for size in sizes), key=lambda found: found[1]
        )
        crop = take_crop(view, place, size)
        colours, _ = self._silhouette.colours_in(crop, crop.from_image(_box(place, size)))
        score = self._recognition(self._long_term.likeness(colours), height)
        if score < FOUND_FROM:
            return
        self._center, self._size, self._velocity = place, size, np.zeros(2)
        self._score, self._is_rejected = score, False
        self._low_score_frames, self._mismatches, self._search = 0, 0, None

    def _remembered(self, view: View, place: Boxes, size: Boxes) -> tuple[Boxes, float]:
        """Where the long-term filter finds the target about a place (2,) image px, and the height of its answer."""
        (peak,) = find(self._long_term.filter, window_spectra(view, place, [size]))
        moved = place + peak.offset / cells_per_px(size)
        return np.clip(moved, 0, [view.frame.width, view.frame.height]), peak.height

    def _recognition(self, likeness: float, height: float) -> float:
        return Cues(likeness, self._long_term.familiarity(height)).probability()

    def _box(self) -> Boxes:
        return _box(self._center, self._size)


def _box(middle: Boxes, size: Boxes) -> Boxes:
    return np.concatenate([middle - size / 2, middle + size / 2])
