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


def test_footage_reaches_back_with_keyframes_where_the_ring_has_ended():
    frame_buffer = FrameBuffer(history_ns=30, keyframe_period_ns=PERIOD, keyframes=8)
    for time in range(10, 1000, 10):
        frame_buffer.push(View(frame(stamp_ns=time)), time, force=False)
    assert [time for time, _ in frame_buffer.after(300)] == [310, 410, 510, 610, 710, 810, 910, 960, 970, 980, 990]
    assert [time for time, _ in frame_buffer.after(970)] == [980, 990]
    assert frame_buffer.after(990) == []


def test_footage_without_a_model_keeps_no_keyframes():
    frame_buffer = FrameBuffer(history_ns=30, keyframe_period_ns=PERIOD, keyframes=0)
    assert not frame_buffer.push(View(frame(stamp_ns=10)), 10, force=True)
    assert frame_buffer.clip() == frame_buffer.clip_to_newest() == ()
