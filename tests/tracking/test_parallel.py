"""Trackers stepped beside each other say what they say when stepped one after the other."""

import threading

import numpy as np
import pytest

from tests.tracking.scenes import box_at, scene
from vitron_ros.tracking import parallel
from vitron_ros.tracking.box_tracker import BoxEstimate, View
from vitron_ros.tracking.default_tracker import DefaultTracker
from vitron_ros.tracking.parallel import step_all

PLACES = [(60, 60), (160, 120), (250, 180), (90, 170), (230, 60)]


class Threads:
    """Says in which thread it is stepped."""

    def __init__(self):
        self.seen = set()

    def start(self, view, box_xyxy):
        pass

    def step(self, view, *, redetect=True):
        self.seen.add(threading.get_ident())
        return BoxEstimate(np.zeros(4), float(redetect))


class ParallelThreads(Threads):
    is_parallel = True


class SerialThreads(Threads):
    is_parallel = False


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_every_target_is_followed_as_if_it_were_alone(cores, monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: cores)
    frames = [scene(i, (160 + 3 * i, 120), pan=i) for i in range(25)]
    alone, together = ([DefaultTracker() for _ in PLACES] for _ in range(2))
    for trackers in (alone, together):
        for tracker, place in zip(trackers, PLACES, strict=True):
            tracker.start(View(frames[0]), box_at(place))
    for frame in frames[1:]:
        expected = [tracker.step(View(frame)) for tracker in alone]
        estimates = step_all([(tracker, True) for tracker in together], View(frame))
        for one, other in zip(expected, estimates, strict=True):
            assert (one.box_xyxy.tobytes(), one.score) == (other.box_xyxy.tobytes(), other.score)


@pytest.mark.parametrize("serial", [Threads, SerialThreads])
def test_a_tracker_that_shares_more_than_the_view_stays_in_the_caller_s_thread(serial, monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    trackers = [ParallelThreads(), serial()]
    estimates = step_all([(trackers[0], True), (trackers[1], False)], View(scene(0, None)))
    assert [estimate.score for estimate in estimates] == [1, 0]
    assert all(tracker.seen == {threading.get_ident()} for tracker in trackers)


def test_what_goes_wrong_in_a_thread_is_not_hidden(monkeypatch):
    monkeypatch.setattr(parallel, "_cores", lambda: 2)
    trackers = [DefaultTracker(), DefaultTracker()]
    trackers[0].start(View(scene(0, (60, 60))), box_at((60, 60)))
    with pytest.raises(AttributeError):
        step_all([(tracker, True) for tracker in trackers], View(scene(0, (60, 60))))
