"""A box of the past on its way to now: a slow model's box, propagated through the images that came meanwhile."""

from collections.abc import Sequence

from vitron_ros.boxes import Boxes
from vitron_ros.tracking.box_tracker import BoxEstimate, BoxTracker, View

TimedView = tuple[int, View]
TimedEstimate = tuple[int, BoxEstimate]


class CatchUp:
    """Follows one box with a tracker of its own, a few images at a time, until nothing newer is left.

    Attributes:
        tracker: at the newest image of `path`.
        path: time and estimate in each image gone through, the first of them where the box was given.
        score: that the box was given with.
        was_lost: the target counted as lost when the box was given.
    """

    def __init__(
        self,
        tracker: BoxTracker,
        view: View,
        box_xyxy: Boxes,
        time_ns: int,
        *,
        score: float = 1.0,
        was_lost: bool = False,
    ) -> None:
        """box_xyxy: (4,) px, inside the view's frame."""
        tracker.start(view, box_xyxy)
        self.tracker = tracker
        self.path: list[TimedEstimate] = [(time_ns, BoxEstimate(box_xyxy, score))]
        self.score = score
        self.was_lost = was_lost

    @property
    def start_ns(self) -> int:
        return self.path[0][0]

    @property
    def time_ns(self) -> int:
        """Of the newest image gone through."""
        return self.path[-1][0]

    @property
    def estimate(self) -> BoxEstimate:
        """The newest."""
        return self.path[-1][1]

    def was_followed(self, min_score: float) -> bool:
        """Whether the target is seen now, or was in at least half of the images gone through before it hid."""
        seen = [estimate.score >= min_score for _, estimate in self.path]
        return seen[-1] or sum(seen[1:]) * 2 >= len(seen) - 1

    def advance(self, newer: Sequence[TimedView], budget: int, max_views: int) -> int:
        """Go through at most `budget` of the newer views, oldest first; how many were gone through.

        What hides on the way is looked for once it has come to now.

        Where more than `max_views` are left, it takes every second or third only, so that it does arrive.
        """
        stride = -(-len(newer) // max_views)
        chosen = newer[::-stride][::-1][:budget] if newer else []
        for time_ns, view in chosen:
            self.path.append((time_ns, self.tracker.step(view, redetect=False)))
        return len(chosen)
