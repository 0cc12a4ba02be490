import itertools

import numpy as np
import pytest

from tests.fakes import FRAME_NS, ScriptedTracker, frame
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome, Phase, TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking.track import EventKind, Reason, TrackState

BOX = [10, 10, 30, 30]
SECOND = 1_000_000_000


def boxed(**kwargs):
    return TrackRequest(region=Region.from_box(BOX), **kwargs)


class Rig:
    """A pipeline with a clock that runs with the frames, and trackers that believe what the test says."""

    def __init__(self, *scripts, **config):
        scripts = iter(scripts)
        self.pipeline = CameraPipeline(
            PipelineConfig(**config), lambda: ScriptedTracker(next(scripts, None)), itertools.count(1), camera="front"
        )
        self.index = 0
        self.events = []
        self.finished = {}

    def add(self, goal_id="goal", request=None):
        self.pipeline.add(goal_id, request or boxed(), self.now_ns)

    @property
    def now_ns(self):
        return frame(self.index).stamp_ns

    def run(self, frames=1):
        for _ in range(frames):
            report = self.keep(self.pipeline.step(frame(self.index), self.now_ns))
            self.pipeline.catch_up()
            self.index += 1
        return report

    def keep(self, report):
        self.events += report.events
        self.finished |= report.finished
        return report

    @property
    def story(self):
        return [(event.kind, event.reason) for event in self.events]


STARTED = (EventKind.STARTED, Reason.REQUESTED)
ENDED = EventKind.ENDED


def test_frames_without_goals_give_empty_reports():
    report = Rig().run(3)
    assert report.tracks == ()
    assert report.frame.index == 2


def test_a_tracker_that_can_no_longer_be_made_ends_the_goal_and_the_stream_goes_on():
    def gone():
        raise ConfigError("tracker.onnx is missing")

    rig = Rig()
    rig.pipeline = CameraPipeline(PipelineConfig(), gone, itertools.count(1))
    rig.run()
    rig.add()
    rig.run(2)
    assert (rig.finished["goal"].outcome, rig.finished["goal"].message) == (
        Outcome.MODEL_ERROR,
        "tracker.onnx is missing",
    )


def test_a_clock_that_begins_anew_prolongs_no_timeout():
    """As when a bag loops: the goal was accepted at the end of the bag, and would have waited for its whole length."""
    rig = Rig()
    rig.pipeline.add("goal", TrackRequest(prompt="x", timeout=1.0), 1000 * SECOND)
    for now_s in (1000.0, 5.0, 5.5, 6.5):
        rig.keep(rig.pipeline.tick(int(now_s * SECOND)))
    assert rig.finished["goal"].outcome is Outcome.INPUT_STALE


def test_a_box_becomes_a_track_in_the_next_frame_and_moves_on():
    rig = Rig()
    rig.run()
    rig.add()
    first, second = rig.run(), rig.run()
    np.testing.assert_array_equal(first.tracks[0].box_xyxy, BOX)
    np.testing.assert_array_equal(second.tracks[0].box_xyxy, [11, 10, 31, 30])
    assert first.tracks[0].state is TrackState.TENTATIVE
    assert rig.run(2).tracks[0].state is TrackState.TRACKED
    assert rig.story == [STARTED]
    assert rig.events[0].camera == ""  # the frame's own; the node names cameras when it makes frames


def test_a_region_of_the_past_is_carried_to_now():
    rig = Rig()
    rig.run(10)
    rig.add(request=boxed(region_stamp_ns=frame(4).stamp_ns))
    track = rig.run().tracks[0]
    np.testing.assert_array_equal(track.box_xyxy, [16, 10, 36, 30])  # frame 4 to frame 10 is six steps
    assert track.grounded_ns == frame(4).stamp_ns
    assert track.state is TrackState.TRACKED


def test_a_region_of_an_image_yet_to_come_waits_for_it():
    rig = Rig()
    rig.add(request=boxed(region_stamp_ns=frame(3).stamp_ns))
    assert rig.run(3).tracks == ()
    np.testing.assert_array_equal(rig.run().tracks[0].box_xyxy, BOX)


def test_a_region_of_an_image_that_was_dropped_starts_in_the_next():
    rig = Rig()
    rig.add(request=boxed(region_stamp_ns=frame(0).stamp_ns))
    rig.pipeline.tick(rig.now_ns)
    rig.index = 1
    np.testing.assert_array_equal(rig.run().tracks[0].box_xyxy, BOX)


def test_a_region_of_an_image_long_gone_is_refused():
    rig = Rig(history=0.1)
    rig.run(30)
    rig.add(request=boxed(region_stamp_ns=frame(2).stamp_ns))
    rig.run()
    assert rig.finished["goal"].outcome is Outcome.BAD_REGION
    assert "history" in rig.finished["goal"].message


@pytest.mark.parametrize(
    ("region", "says"),
    [
        (Region.from_box([100, 100, 120, 120]), "outside"),
        (Region.from_box([10, 10, 10, 20]), "no area"),
        (Region.from_box([float("1e300"), 0, 1e301, 1]), "outside"),
        (Region.from_point(5, 5), "stands out"),  # a grey image
        (Region.from_point(-5, 5), "outside"),
    ],
)
def test_a_region_that_marks_nothing_ends_its_goal_and_the_stream_goes_on(region, says):
    rig = Rig()
    rig.add(request=TrackRequest(region=region, prompt="mug"))
    report = rig.run()
    assert rig.finished["goal"].outcome is Outcome.BAD_REGION
    assert says in rig.finished["goal"].message
    assert rig.story == [(EventKind.REJECTED, Reason.BAD_REGION)]
    assert rig.events[0].phrase == "mug"
    assert report.tracks == ()
    assert rig.run().frame is not None


def test_a_prompt_alone_needs_a_model():
    rig = Rig()
    rig.add(request=TrackRequest(prompt="the red mug"))
    rig.run()
    assert rig.finished["goal"].outcome is Outcome.MODEL_ERROR
    assert "no model loaded" in rig.finished["goal"].message
    assert rig.story == [(EventKind.REJECTED, Reason.MODEL_ERROR)]


def test_too_many_targets_is_told_and_disturbs_nobody():
    rig = Rig(max_targets=2)
    for name in "abc":
        rig.add(name)
    report = rig.run()
    assert rig.finished["c"].outcome is Outcome.OVERLOADED
    assert [track.id for track in report.tracks] == [1, 2]


def test_a_goal_ends_after_its_duration():
    rig = Rig()
    rig.add(request=boxed(duration=10 * FRAME_NS / SECOND))
    rig.run(12)
    result = rig.finished["goal"]
    assert result.outcome is Outcome.OK
    assert result.frames_tracked == 11
    assert rig.story == [STARTED, (ENDED, Reason.REQUESTED)]


def test_an_ended_track_is_reported_once_more():
    rig = Rig()
    rig.add()
    rig.run(5)
    rig.pipeline.cancel("goal")
    assert [track.state for track in rig.run().tracks] == [TrackState.ENDED]
    assert rig.run().tracks == ()


def test_loss_and_return_keep_the_id():
    rig = Rig([1, 1, 1] + [0.0] * 30, predict_time=0.2)
    rig.add()
    report = rig.run(20)
    assert report.tracks[0].state is TrackState.LOST
    assert report.feedback["goal"].phase is Phase.REACQUIRING
    report = rig.run(20)
    assert report.tracks[0].state is TrackState.TRACKED
    assert report.tracks[0].id == 1
    assert report.feedback["goal"].phase is Phase.TRACKING
    assert rig.story == [STARTED, (EventKind.LOST, Reason.NOT_SEEN), (EventKind.REACQUIRED, Reason.NONE)]
    rig.pipeline.cancel("goal")
    rig.run()
    result = rig.finished["goal"]
    assert (result.frames_tracked, result.frames_lost, result.times_reacquired) == (10, 30, 1)


def test_lost_for_too_long_aborts_the_goal():
    rig = Rig([0.0] * 100)
    rig.add(request=boxed(lost_timeout=1.0))
    rig.run(60)
    assert rig.finished["goal"].outcome is Outcome.LOST
    assert rig.story[-1] == (ENDED, Reason.LOST_TIMEOUT)


def test_ending_one_target_never_disturbs_another():
    together, alone = Rig(), Rig()
    together.add("a")
    together.add("b", boxed(prompt="b"))
    alone.add("b", boxed(prompt="b"))
    together.run(5)
    alone.run(5)
    together.pipeline.cancel("a")
    together.run()
    alone.run()
    kept, expected = together.run(5).tracks[0], alone.run(5).tracks[0]
    np.testing.assert_array_equal(kept.box_xyxy, expected.box_xyxy)
    assert (kept.state, kept.phrase) == (expected.state, expected.phrase)


def test_ids_are_never_used_twice():
    rig = Rig()
    for number in range(1, 4):
        rig.add()
        assert rig.run().tracks[-1].id == number
        rig.pipeline.cancel("goal")


def test_cancel_before_the_first_frame_and_of_a_goal_that_ended():
    rig = Rig()
    rig.add()
    rig.pipeline.cancel("goal")
    rig.pipeline.cancel("goal")
    rig.keep(rig.pipeline.tick(rig.now_ns))
    assert rig.finished["goal"].outcome is Outcome.CANCELED


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"width": 32}, Reason.IMAGE_CHANGED),
        ({"stamp_ns": 5}, Reason.TIME_JUMP),
    ],
)
def test_another_size_or_an_earlier_time_ends_the_targets_with_the_reason(change, reason):
    rig = Rig()
    rig.add()
    rig.run(5)
    report = rig.keep(rig.pipeline.step(frame(5, **change), rig.now_ns))
    assert rig.story == [STARTED, (ENDED, reason)]
    assert rig.finished["goal"].outcome is Outcome.LOST
    assert report.frame is not None, "the stream goes on"
    rig.add("again")
    assert len(rig.keep(rig.pipeline.step(frame(6, **change), rig.now_ns)).tracks) == 1


def test_an_image_out_of_order_is_skipped_and_counted():
    rig = Rig()
    rig.add()
    rig.run(5)
    report = rig.pipeline.step(frame(2), rig.now_ns)
    assert report.frame is None
    assert rig.pipeline.late_frames == 1
    assert rig.run().tracks[0].state is TrackState.TRACKED


def test_images_without_stamps_are_taken_as_now():
    rig = Rig()
    rig.add(request=boxed(duration=0.5))
    for index in range(30):
        rig.keep(rig.pipeline.step(frame(stamp_ns=0), frame(index).stamp_ns))
    assert rig.finished["goal"].outcome is Outcome.OK


def test_no_image_makes_goals_stale_and_then_ends_those_that_wait():
    rig = Rig(max_image_age=1.0)
    rig.add("follows")
    rig.run(3)
    assert rig.keep(rig.pipeline.tick(rig.now_ns)).feedback["follows"].phase is Phase.TRACKING
    late_ns = rig.now_ns + 3 * SECOND
    rig.pipeline.add("waits", boxed(timeout=2.0), late_ns)
    assert rig.keep(rig.pipeline.tick(late_ns)).feedback["follows"].phase is Phase.INPUT_STALE
    report = rig.keep(rig.pipeline.tick(late_ns + 3 * SECOND))
    assert rig.finished["waits"].outcome is Outcome.INPUT_STALE
    assert "QoS" in rig.finished["waits"].message
    assert "follows" in report.feedback, "a goal that has its target outlives a pause of the camera"


def test_a_goal_whose_image_never_comes_is_not_found():
    rig = Rig()
    rig.add(request=boxed(region_stamp_ns=frame(10_000).stamp_ns, timeout=1.0))
    rig.run(40)
    assert rig.finished["goal"].outcome is Outcome.NOT_FOUND
    assert "never came" in rig.finished["goal"].message
    assert "329.0 s ahead of the newest" in rig.finished["goal"].message


def test_images_that_cannot_be_read_are_why_a_goal_ends():
    rig = Rig()
    rig.add(request=boxed(timeout=1.0))
    rig.pipeline.skip("encoding 'nv24' is not known")
    rig.keep(rig.pipeline.tick(rig.now_ns + 2 * SECOND))
    assert rig.finished["goal"].outcome is Outcome.INPUT_STALE
    assert "encoding 'nv24' is not known" in rig.finished["goal"].message


def test_images_that_can_no_longer_be_read_are_named_where_nothing_was_found():
    rig = Rig()
    rig.add(request=boxed(region_stamp_ns=frame(10_000).stamp_ns, timeout=1.0))
    rig.run(3)
    rig.pipeline.skip("cut off")
    rig.keep(rig.pipeline.tick(rig.now_ns + 2 * SECOND))
    assert rig.finished["goal"].message.endswith("no image can be read any more, the last: cut off")


def test_why_the_camera_sees_nothing():
    rig = Rig(max_image_age=2.0)
    assert "max_image_age=2 s" in rig.pipeline.blindness()
    rig.pipeline.skip("cut off")
    assert rig.pipeline.blindness() == "no image can be read, the last: cut off"
    rig.run()
    assert "cut off" not in rig.pipeline.blindness(), "it was mended"


class SlowRig(Rig):
    """A camera of an image in two seconds."""

    @property
    def now_ns(self):
        return (self.index + 1) * 2 * SECOND

    def run(self, frames=1):
        for _ in range(frames):
            report = self.keep(self.pipeline.step(frame(self.index, stamp_ns=self.now_ns), self.now_ns))
            self.index += 1
        return report


def test_a_region_on_the_image_before_is_taken_of_a_slow_camera():
    rig = SlowRig()
    rig.run(8)
    rig.add(request=boxed(region_stamp_ns=7 * 2 * SECOND))
    assert rig.run().tracks[0].grounded_ns == 7 * 2 * SECOND


def test_a_slow_camera_is_silent_only_after_some_of_its_periods():
    rig = SlowRig(max_image_age=1.0)
    rig.add()
    rig.run(4)
    last_ns = rig.now_ns - 2 * SECOND
    for seconds, phase in ((4, Phase.TRACKING), (6, Phase.INPUT_STALE)):
        assert rig.pipeline.tick(last_ns + seconds * SECOND).feedback["goal"].phase is phase


def test_one_image_of_a_slow_camera_without_its_target_ends_no_goal():
    rig = SlowRig([1, 1, 0, 1, 1, 0, 0], lost_timeout=1.0, predict_time=0.5)
    rig.add()
    assert rig.run(4).tracks[0].state is TrackState.PREDICTED
    assert rig.run(2).tracks[0].state is TrackState.TRACKED
    rig.run(2)
    assert rig.finished["goal"].outcome is Outcome.LOST


def test_a_goal_that_waits_for_less_than_the_camera_needs_is_told_so():
    rig = SlowRig()
    rig.run(3)
    rig.add(request=boxed(timeout=1.0))
    rig.keep(rig.pipeline.tick(rig.now_ns + 3 * SECOND // 2))
    assert "one every 2.0 s" in rig.finished["goal"].message


def test_shutdown_ends_all_goals_and_tracks():
    rig = Rig()
    rig.add("a")
    rig.run(2)
    rig.add("b")
    rig.keep(rig.pipeline.shutdown())
    assert {result.outcome for result in rig.finished.values()} == {Outcome.SHUTDOWN}
    assert rig.story == [STARTED, (ENDED, Reason.SHUTDOWN)]
    assert rig.run().tracks[0].state is TrackState.ENDED


def test_settings_change_while_goals_run():
    rig = Rig([0.5] * 100)
    rig.add()
    assert rig.run(10).tracks[0].state is TrackState.TRACKED
    rig.pipeline.config = PipelineConfig(min_score=0.7)
    assert rig.run(2).tracks[0].state is TrackState.PREDICTED


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "say what to follow"),
        ({"prompt": "  \n"}, "say what to follow"),
        ({"prompt": "the red mug " * 17_000}, "the text has 204,000 characters"),
        ({"prompt": "x" * 2001, "region": Region.from_box(BOX)}, "the text has 2,001 characters"),
        ({"prompt": "x", "timeout": float("nan")}, "timeout is nan"),
        ({"prompt": "x", "duration": -1.0}, "duration is -1.0"),
        ({"prompt": "x", "min_score": 1.5}, "at most 1"),
    ],
)
def test_impossible_goals_are_refused(values, says):
    with pytest.raises(ConfigError, match=says):
        TrackRequest(**values)
