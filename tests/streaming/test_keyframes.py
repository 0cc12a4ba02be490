import pytest

from tests.fakes import frame
from vitron_ros.streaming.frame_buffer import FrameBuffer
from vitron_ros.streaming.keyframes import Keyframes
from vitron_ros.tracking.box_tracker import View

PERIOD = 100


def filled(times, count=4, force=()):
    kept = Keyframes(PERIOD, count)
    for time in times:
        kept.push(View(frame(stamp_ns=time)), time, force=time in force)
    return kept


def stamps(kept):
    return [item.stamp_ns for item in kept.clip()]


@pytest.mark.parametrize(
    ("times", "force", "kept"),
    [
        ([10, 50, 109, 110, 200, 215], (), [10, 110, 215]),
        ([10, 50, 120, 160], (50,), [10, 50, 160]),  # the spacing goes on from the forced one
        ([10, 110, 210, 310, 410], (), [110, 210, 310, 410]),
        ([10, 5000, 5050], (), [10, 5000]),
    ],
)
def test_images_are_kept_a_period_apart_and_bounded(times, force, kept):
    assert stamps(filled(times, force=force)) == kept


def test_the_same_image_is_kept_once():
    kept = filled([10])
    assert kept.push(View(frame(stamp_ns=10)), 10, force=True)
    assert stamps(kept) == [10]


def test_clips_overlap_and_share_their_frames():
    kept = filled([10, 110, 210])
    first = kept.clip()
    kept.push(View(frame(stamp_ns=310)), 310)
    second = kept.clip()
    assert all(one is other for one, other in zip(first, second, strict=False))


def test_a_frame_without_a_stamp_gets_its_arrival_and_stays_the_same_object():
    kept = Keyframes(PERIOD, 4)
    kept.push(View(frame(stamp_ns=0)), 77)
    assert [item.stamp_ns for item in kept.clip()] == [77]
    assert kept.clip()[0] is kept.clip()[0]


def test_a_frame_buffer_reaches_back_with_keyframes_where_the_ring_has_ended():
    frame_buffer = FrameBuffer(history_ns=30, keyframe_period_ns=PERIOD, keyframes=8)
    for time in range(10, 1000, 10):
        frame_buffer.push(View(frame(stamp_ns=time)), time, force=False)
    assert [time for time, _ in frame_buffer.after(300)] == [310, 410, 510, 610, 710, 810, 910, 960, 970, 980, 990]
    assert [time for time, _ in frame_buffer.after(970)] == [980, 990]
    assert frame_buffer.after(990) == []


def test_a_clip_to_the_newest_frame_makes_no_keyframe_of_it():
    frame_buffer = FrameBuffer(history_ns=30, keyframe_period_ns=PERIOD, keyframes=2)
    assert frame_buffer.clip_to_newest() == ()
    for time in range(10, 10 + 3 * PERIOD, 10):
        frame_buffer.push(View(frame(stamp_ns=time)), time, force=False)
    before, newest_ns = frame_buffer.clip(), 3 * PERIOD
    assert [item.stamp_ns for item in before] == [10 + PERIOD, 10 + 2 * PERIOD]
    assert [item.stamp_ns for item in frame_buffer.clip_to_newest()] == [10 + 2 * PERIOD, newest_ns]
    assert frame_buffer.clip() == before
    frame_buffer.push(View(frame(stamp_ns=newest_ns + 10)), newest_ns + 10, force=True)
    assert frame_buffer.clip_to_newest() == frame_buffer.clip(), "it is a keyframe already"


def test_a_frame_buffer_without_a_model_keeps_no_keyframes():
    frame_buffer = FrameBuffer(history_ns=30, keyframe_period_ns=PERIOD, keyframes=0)
    assert not frame_buffer.push(View(frame(stamp_ns=10)), 10, force=True)
    assert frame_buffer.clip() == frame_buffer.clip_to_newest() == ()
