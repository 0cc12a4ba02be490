from tests.fakes import frame
from vitron_ros.streaming.ring import LEAST, ViewRing
from vitron_ros.tracking.box_tracker import View


def filled(stamps, max_age_ns=1000, max_bytes=10**9):
    ring = ViewRing(max_age_ns, max_bytes)
    for stamp in stamps:
        ring.push(View(frame(stamp_ns=stamp)), stamp)
    return ring


def stamps(views):
    return [view.frame.stamp_ns for view in views]


def test_since_gives_that_frame_and_all_newer_ones():
    assert stamps(filled([10, 20, 30, 40]).since(20)) == [20, 30, 40]


def test_a_stamp_between_two_frames_means_the_next_frame():
    assert stamps(filled([10, 20, 30]).since(15)) == [20, 30]


def test_a_stamp_that_is_no_longer_covered_gives_nothing():
    ring = filled([10, 20, 5000, 5010, 5020, 5030])
    assert stamps(ring.since(10)) == []
    assert stamps(ring.since(6000)) == []


def test_age_and_bytes_are_bounded_and_the_newest_stays():
    one = frame().rgb.nbytes
    assert len(filled(range(10, 5000, 10), max_age_ns=100)) == 11
    assert len(filled(range(10, 100, 10), max_bytes=3 * one)) == 3
    assert len(filled(range(10, 100, 10), max_age_ns=0)) == LEAST
    assert stamps(filled([10, 20], max_bytes=1).newest()) == [20]


def test_of_a_slow_camera_the_last_images_are_kept_whatever_their_age():
    second = 10**9
    ring = filled(range(second, 20 * second, 2 * second), max_age_ns=second)
    assert stamps(ring.since(17 * second)) == [17 * second, 19 * second]


def test_what_is_still_needed_outlives_its_age_but_not_the_room_in_bytes():
    one = frame().rgb.nbytes
    for max_bytes, kept in ((10**9, [30, 40, 50, 60, 70, 80]), (2 * one, [70, 80])):
        ring = ViewRing(max_age_ns=10, max_bytes=max_bytes)
        for stamp in range(10, 90, 10):
            ring.push(View(frame(stamp_ns=stamp)), stamp, needed_ns=30)
        assert stamps([view for _, view in ring.after(0)]) == kept
