"""Compiled loops: kept on disk where there is a place, and compiled once, whatever kind of image a camera sends."""

import numpy as np
import pytest

from tests.tracking.scenes import box_at, scene
from vitron_ros.frame import Frame
from vitron_ros.tracking import appearance, background_aware_filter, compiled, silhouette, window
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.default_tracker import DefaultTracker

LOOPS = [
    value
    for module in (appearance, background_aware_filter, silhouette, window)
    for value in vars(module).values()
    if hasattr(value, "signatures")
]


def read_only(rgb):
    rgb.flags.writeable = False
    return rgb


@pytest.mark.parametrize(
    "stored",
    [
        np.ascontiguousarray,
        read_only,
        np.asfortranarray,
        lambda rgb: rgb[..., ::-1].copy()[..., ::-1],
        lambda rgb: rgb[1:, 1:],
        lambda rgb: rgb.repeat(3, axis=0)[:, :201],
    ],
    ids=["as it is", "read-only", "by columns", "BGR", "cut out", "of another size"],
)
def test_no_image_makes_a_loop_compile_again(stored):
    """It would take seconds in the middle of a stream."""
    frames = [scene(i, (100 + 2 * i, 120)) for i in range(5)] + [scene(i, None) for i in range(5, 20)]
    views = [View(Frame(rgb=stored(frame.rgb), stamp_ns=frame.stamp_ns)) for frame in frames]
    tracker = DefaultTracker()
    tracker.start(views[0], box_at((100, 120)))
    for view in views[1:]:
        tracker.mask(tracker.step(view).box_xyxy)
    counts = {loop.__name__: len(loop.signatures) for loop in LOOPS}
    assert max(counts.values()) == 1, counts  # 0: of one that others call, whose code was on disk


def test_where_nothing_can_be_written_loops_work_all_the_same_and_say_so(monkeypatch, caplog):
    def njit(function, *, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function")
        return function

    monkeypatch.setattr(compiled, "njit", njit)
    assert compiled.compiled(abs)(-3) == 3
    assert "NUMBA_CACHE_DIR" in caplog.text
