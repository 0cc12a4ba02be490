import itertools
import logging
import threading
import time

import pytest

from tests.fakes import ScriptedTracker, frame
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ImageError
from vitron_ros.region import Region
from vitron_ros.streaming import worker
from vitron_ros.streaming.goals import Outcome, TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.worker import CameraWorker

BOX = TrackRequest(region=Region.from_box([10, 10, 30, 30]))


class Rig:
    """A worker whose messages are numbers: the index of a frame, or -1 for an image that cannot be decoded."""

    def __init__(self, decode=None):
        self.reports = []
        self.skipped = []
        self.delivered = threading.Event()
        self.crashed = threading.Event()
        self.worker = CameraWorker(
            CameraPipeline(PipelineConfig(), ScriptedTracker, itertools.count(1)),
            decode=decode or self.decode,
            clock=time.time_ns,
            deliver=self.deliver,
            crashed=self.crashed.set,
        )
        self.worker.start()

    @staticmethod
    def decode(message):
        if message < 0:
            raise ImageError("cut off")
        return frame(message)

    def deliver(self, report):
        self.reports.append(report)
        self.skipped.append(self.worker.skipped)
        self.delivered.set()

    def put(self, message):
        """Hand in a message and wait until the worker has dealt with it."""
        before = self.worker.summary()
        self.worker.put(message)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            now = self.worker.summary()
            if now.processed + now.bad + now.late > before.processed + before.bad + before.late:
                return
            time.sleep(0.001)
        raise AssertionError("the worker did not take the message")


@pytest.fixture
def rig():
    made = Rig()
    yield made
    if not made.crashed.is_set():
        made.worker.stop()


def test_bad_images_are_counted_logged_once_and_the_stream_goes_on(rig, caplog, monkeypatch):
    monkeypatch.setattr(worker, "BAD_FRAME_LOG_PERIOD_S", 3600.0)
    with caplog.at_level(logging.WARNING):
        for message in (0, -1, -1, 1):
            rig.put(message)
    summary = rig.worker.summary()
    assert (summary.processed, summary.bad, summary.last_error) == (2, 2, "cut off")
    assert [report.frame.index for report in rig.reports] == [0, 1]
    said = [record.getMessage() for record in caplog.records]
    assert said.count("image skipped: cut off") == 1, "one line a second, not one an image"
    assert rig.worker.skipped == 2


def test_a_slow_worker_drops_old_images_and_says_so():
    taken, release = threading.Event(), threading.Event()

    def slow(message):
        taken.set()
        release.wait(30)
        return frame(message)

    rig = Rig(slow)
    rig.worker.put(0)
    assert taken.wait(30)
    for index in range(1, 10):
        rig.worker.put(index)
    release.set()
    deadline = time.monotonic() + 30
    while rig.worker.summary().processed < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    rig.worker.stop()
    assert rig.reports[-1].frame.index == 9, "the newest image is never the one that is dropped"
    summary = rig.worker.summary()
    assert summary.processed + summary.dropped == summary.received == 10
    told = [skipped for report, skipped in zip(rig.reports, rig.skipped, strict=True) if report.frame]
    assert told == [0, 8], "an image tells of those before it, not of those that came while it was worked on"


def test_stop_ends_goals_even_those_posted_last(rig):
    rig.put(0)
    rig.worker.post(lambda pipeline: pipeline.add("goal", BOX, time.time_ns()))
    rig.worker.stop()
    assert rig.reports[-1].finished["goal"].outcome is Outcome.SHUTDOWN
    rig.crashed.set()  # stopped already


def test_goals_time_out_without_any_image(rig):
    request = TrackRequest(region=BOX.region, timeout=0.05)
    rig.worker.post(lambda pipeline: pipeline.add("goal", request, time.time_ns()))
    deadline = time.monotonic() + 30
    while not any(report.finished for report in rig.reports) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert rig.reports[-1].finished["goal"].outcome is Outcome.INPUT_STALE


def test_a_bug_is_logged_with_its_trace_and_told(rig, caplog):
    def bug(pipeline):
        raise ZeroDivisionError("a bug")

    rig.worker.post(bug)
    assert rig.crashed.wait(30)
    assert "ZeroDivisionError: a bug" in caplog.text


def test_latencies_are_percentiles_in_milliseconds(rig):
    for milliseconds in range(1, 101):
        rig.worker.statistics.latency(milliseconds * 1_000_000)
    p50, p95, p99 = rig.worker.summary().latency_ms
    assert (round(p50, 1), round(p95, 1), round(p99, 1)) == (50.5, 95.0, 99.0)
