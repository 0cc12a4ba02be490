"""Which images a node processes that takes its time, and when their tracks are out."""

import pytest

from tests.fakes import frame
from vitron_ros.offline.live_frames import LiveFrames
from vitron_ros.offline.replayed_model import fixed

PERIOD_MS, START_MS = 100, 1000


def live(stamps_ms, *seconds):
    turns = iter(seconds)
    latency = fixed(seconds[0]) if len(seconds) == 1 else lambda measured_s: next(turns)
    frames = [frame(index, stamp_ns=(START_MS + ms) * 1_000_000) for index, ms in enumerate(stamps_ms)]
    return LiveFrames(frames, latency)


EVERY = [index * PERIOD_MS for index in range(7)]


@pytest.mark.parametrize(
    ("stamps_ms", "seconds", "processed", "out_ms"),
    [
        (EVERY, [0.0], [0, 1, 2, 3, 4, 5, 6], EVERY),
        (EVERY, [0.1], [0, 1, 2, 3, 4, 5, 6], [100, 200, 300, 400, 500, 600, 700]),
        (EVERY, [0.25], [0, 2, 4, 6], [250, 500, 750, 1000]),
        (EVERY, [10.0], [0, 6], [10_000, 20_000]),
        (EVERY, [0.25, 0.01, 0.01, 0.01, 0.01, 0.01], [0, 2, 3, 4, 5, 6], [250, 260, 310, 410, 510, 610]),
        ([0, 100, 50, 300], [0.0], [0, 1, 2, 3], [0, 100, 100, 300]),
        ([], [0.1], [], []),
    ],
)
def test_the_newest_image_waits_and_others_are_dropped(stamps_ms, seconds, processed, out_ms):
    frames = live(stamps_ms, *seconds)
    assert [one.index for one in frames] == processed
    assert list(frames.published_ns.values()) == [(START_MS + ms) * 1_000_000 for ms in out_ms]
    assert sorted([*processed, *frames.dropped]) == list(range(len(stamps_ms)))
