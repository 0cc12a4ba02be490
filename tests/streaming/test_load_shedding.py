"""A machine that is too slow, by a simulated clock."""

import itertools
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ScriptedTracker, frame
from tests.streaming.test_prompt_goals import Rig
from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.load_shedding import LoadShedder, LoadSheddingLevel, model_period, model_targets
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.worker import CameraWorker
from vitron_ros.tracking.track import TrackState

PERIOD_NS = SECOND_NS // 20


class Machine:
    """Works a share of the time."""

    def __init__(self):
        self.load_shedder, self.now_ns = LoadShedder(), 0

    def work(self, share, seconds):
        """What is left out after each second."""
        steps = []
        for _ in range(seconds):
            for _ in range(20):
                self.now_ns += PERIOD_NS
                self.load_shedder.worked(self.now_ns, int(share * PERIOD_NS))
            steps.append(self.load_shedder.load_shedding)
        return steps


def test_things_are_left_out_one_by_one_in_the_stated_order():
    steps = Machine().work(1.0, 6)
    assert list(dict.fromkeys(steps)) == list(LoadSheddingLevel)
    assert steps[-1] is max(LoadSheddingLevel)


def test_one_busy_image_is_no_overload():
    machine = Machine()
    machine.work(0.3, 1)
    machine.load_shedder.worked(machine.now_ns + PERIOD_NS, PERIOD_NS)
    assert set(machine.work(0.3, 10)) == {LoadSheddingLevel.NOTHING}


def test_between_the_two_limits_nothing_changes():
    machine = Machine()
    machine.work(1.0, 2)
    machine.work(0.75, 2)
    before = machine.load_shedder.load_shedding
    assert set(machine.work(0.75, 100)) == {before} != {LoadSheddingLevel.NOTHING}


def test_all_is_taken_up_again_when_there_is_time_for_it():
    machine = Machine()
    machine.work(1.0, 6)
    steps = machine.work(0.2, 60)
    assert list(dict.fromkeys(steps)) == [*reversed(LoadSheddingLevel)]


def test_what_was_taken_up_too_early_takes_longer_the_next_time():
    """The debug image alone is too much for this machine."""
    machine, raised = Machine(), []
    share = 1.0
    for second in range(400):
        before = machine.load_shedder.load_shedding
        (after,) = machine.work(share, 1)
        share = 1.0 if after is LoadSheddingLevel.NOTHING else 0.3
        if after is LoadSheddingLevel.NOTHING and before is not LoadSheddingLevel.NOTHING:
            raised.append(second)
    gaps = [later - earlier for earlier, later in itertools.pairwise(raised)]
    assert len(gaps) >= 3
    assert gaps == sorted(gaps) and gaps[-1] > 3 * gaps[0]
    machine.work(0.2, 200)
    machine.work(1.0, 2)
    assert LoadSheddingLevel.NOTHING in machine.work(0.2, 12), "all is forgiven after a while"


@given(st.lists(st.tuples(st.integers(-(10**9), 3 * 10**9), st.integers(0, 3 * 10**9)), max_size=100))
def test_whatever_the_clock_does_it_takes_one_step_at_a_time(steps):
    load_shedder, now_ns = LoadShedder(), 10**12
    for elapsed_ns, busy_ns in steps:
        before, now_ns = load_shedder.load_shedding, now_ns + elapsed_ns
        assert abs(load_shedder.worked(now_ns, busy_ns) - before) <= 1


def test_the_slow_loop_is_spared_first_in_rate_and_then_in_targets():
    config = PipelineConfig(model_period=0.5, model_targets=4)
    settings = [
        (model_period(config, load_shedding), model_targets(config, load_shedding))
        for load_shedding in LoadSheddingLevel
    ]
    assert settings == [(0.5, 4), (0.5, 4), (2.0, 4), (2.0, 1), (2.0, 1)]


@pytest.mark.parametrize("load_shedding", LoadSheddingLevel)
def test_the_model_is_asked_less_and_settings_that_change_meanwhile_hold(load_shedding):
    rig = Rig(model_period=0.25)
    for number in range(3):
        rig.add(str(number), TrackRequest(region=Region.from_box([10, 10, 30, 30])))
    rig.run(3)
    rig.pipeline.load_shedding = load_shedding
    rig.pipeline.config = PipelineConfig(model_period=0.5)
    for _ in range(240):
        rig.run()
        rig.answer()
    rounds = len({request.frames[-1].index for request in rig.asked})
    expected = 8 / (2.0 if load_shedding >= LoadSheddingLevel.MODEL_RATE else 0.5)
    assert expected * 0.6 <= rounds <= expected * 1.2 + 1
    assert len(rig.asked) / rounds > 2 if load_shedding < LoadSheddingLevel.MODEL_TARGETS else len(rig.asked) == rounds


class Counting(ScriptedTracker):
    def __init__(self, scores):
        super().__init__(scores)
        self.steps = self.sought = 0

    def step(self, view, *, redetect=True):
        self.steps += 1
        self.sought += redetect
        return super().step(view, redetect=redetect)


def test_lost_targets_are_looked_for_in_turn_and_seen_ones_followed_in_all_images():
    trackers = [Counting([0.0] * 200), Counting([]), Counting([0.0] * 200), Counting([0.0] * 200)]
    rig, fresh = Rig(), iter(trackers)
    rig.pipeline = CameraPipeline(PipelineConfig(), lambda: next(fresh), itertools.count(1), model_frames=0)
    for number in range(4):
        rig.add(str(number), TrackRequest(region=Region.from_box([10, 10, 30, 30])))
    rig.run(30)
    for tracker in trackers:
        tracker.steps = tracker.sought = 0
    rig.run(60)
    assert [(tracker.steps, tracker.sought) for tracker in trackers] == [(20, 20), (60, 60), (20, 20), (20, 20)]


def test_targets_just_out_of_sight_are_carried_on_in_all_images_and_looked_for_in_turn():
    trackers = [Counting([0.0] * 200) for _ in range(2)]
    rig, fresh = Rig(predict_time=10.0), iter(trackers)
    rig.pipeline = CameraPipeline(
        PipelineConfig(predict_time=10.0), lambda: next(fresh), itertools.count(1), model_frames=0
    )
    for number in range(2):
        rig.add(str(number), TrackRequest(region=Region.from_box([10, 10, 30, 30])))
    rig.run(2)
    for tracker in trackers:
        tracker.steps = tracker.sought = 0
    report = rig.run(40)
    assert [track.state for track in report.tracks] == [TrackState.PREDICTED] * 2
    assert [(tracker.steps, tracker.sought) for tracker in trackers] == [(40, 20)] * 2


def test_a_lost_target_is_looked_for_in_every_second_image_and_a_seen_one_followed_in_all():
    lost, seen = Counting([0.0] * 200), Counting([])
    rig = Rig(max_targets=2)
    trackers = iter([lost, seen])
    rig.pipeline = CameraPipeline(PipelineConfig(), lambda: next(trackers), itertools.count(1), model_frames=0)
    for number in range(2):
        rig.add(str(number), TrackRequest(region=Region.from_box([10, 10, 30, 30])))
    report = rig.run(30)
    assert [track.state for track in report.tracks] == [TrackState.LOST, TrackState.TRACKED]
    rig.pipeline.load_shedding = LoadSheddingLevel.SEARCH
    before = lost.steps, seen.steps
    rig.run(40)
    assert (lost.steps - before[0], seen.steps - before[1]) == (20, 40)


def test_a_worker_says_what_it_leaves_out_and_keeps_one_image_at_most(caplog):
    """Each command takes it a second."""
    time_ns, done, reports = [SECOND_NS], threading.Event(), []

    def work(pipeline):
        time_ns[0] += SECOND_NS
        done.set()

    worker = CameraWorker(
        CameraPipeline(PipelineConfig(), ScriptedTracker, itertools.count(1)),
        decode=frame,
        clock=lambda: SECOND_NS,
        deliver=reports.append,
        crashed=lambda: None,
        timer=lambda: time_ns[0],
    )
    for index in range(10):
        worker.put(index)
    assert worker.summary().dropped == 9
    worker.start()
    for _ in range(20):
        done.clear()
        worker.post(work)
        assert done.wait(30)
    worker.stop()
    assert worker.summary().load_shedding is max(LoadSheddingLevel)
    assert [report.frame.index for report in reports if report.frame] == [9]
    said = [record.getMessage() for record in caplog.records]
    assert "debug image" in said[0] and "search" not in said[0]
    assert said[-1].endswith("debug image, model rate, model targets, search")
