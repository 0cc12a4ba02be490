"""The newest depth images of a camera, and which of them belongs to an image."""

from bisect import bisect_left, insort
from itertools import pairwise
from statistics import median

from vitron_ros.clock import SECOND_NS
from vitron_ros.geometry.depth_image import DepthImage

MAX_IMAGES = 16


class DepthBuffer:
    """Depth images in the order of their stamps, a bounded number. One that is more than 1 s back begins anew."""

    def __init__(self) -> None:
        self._images: list[DepthImage] = []

    def put(self, depth: DepthImage) -> None:
        if self._images and self._images[-1].stamp_ns - depth.stamp_ns > SECOND_NS:
            self._images.clear()
        insort(self._images, depth, key=_stamp)
        del self._images[:-MAX_IMAGES]

    def nearest(self, stamp_ns: int, window_ns: int) -> DepthImage | None:
        """The depth image whose stamp is nearest to an image's; None: none is within the window."""
        after = bisect_left(self._images, stamp_ns, key=_stamp)
        candidates = self._images[max(0, after - 1) : after + 1]
        best = min(candidates, key=lambda depth: abs(depth.stamp_ns - stamp_ns), default=None)
        return best if best is not None and abs(best.stamp_ns - stamp_ns) <= window_ns else None

    def is_settled(self, stamp_ns: int) -> bool:
        """Whether no depth image that is still to come can be nearer to an image of this stamp."""
        if not self._images:
            return False
        newest_ns = self._images[-1].stamp_ns
        return newest_ns >= stamp_ns or stamp_ns - newest_ns <= self._period_ns() / 2

    def _period_ns(self) -> float:
        """From one depth image to the next; 0: not known yet."""
        stamps = [depth.stamp_ns for depth in self._images]
        return median(later - earlier for earlier, later in pairwise(stamps)) if len(stamps) > 1 else 0.0


def _stamp(depth: DepthImage) -> int:
    return depth.stamp_ns
