"""Which images of a recording a question is about."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import frame
from vitron_ros.clock import SECOND_NS as SECOND
from vitron_ros.errors import SourceError
from vitron_ros.offline.question import last_frames


@given(
    gaps_ms=st.lists(st.integers(1, 900), max_size=60),
    count=st.integers(1, 8),
    at_ms=st.none() | st.integers(0, 20_000),
)
def test_last_frames_of_any_rhythm(gaps_ms, count, at_ms):
    stamps = [SECOND + 1_000_000 * int(total) for total in np.cumsum([0, *gaps_ms])]
    frames = [frame(index, stamp_ns=stamp) for index, stamp in enumerate(stamps)]
    end_ns = None if at_ms is None else SECOND + 1_000_000 * at_ms
    if end_ns is not None and stamps[-1] < end_ns:
        with pytest.raises(SourceError, match="give an earlier time"):
            last_frames(frames, count, SECOND // 4, 1_000_000 * at_ms)
        return
    kept = last_frames(iter(frames), count, SECOND // 4, None if at_ms is None else 1_000_000 * at_ms)
    before = [stamp for stamp in stamps if end_ns is None or stamp <= end_ns]
    times = [frame.stamp_ns for frame in kept]
    assert 1 <= len(times) <= count and times[-1] == before[-1]
    assert (np.diff(times) >= SECOND // 8).all()
    # As much of the past as there is: the clip is full, or reaches to the first frame or nearly.
    assert len(times) == count or times[0] - stamps[0] < SECOND // 4
