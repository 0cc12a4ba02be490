"""Goals that are sentences, from the pipeline's side: a scripted model, scripted trackers, no thread and no clock."""

import itertools

import numpy as np
import pytest

from tests.fakes import BOX, FRAME_NS, ScriptedTracker, found, frame, said, true_box
from vitron_ros.config import PipelineConfig
from vitron_ros.grounding.request import ModelReply, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome, Phase, TrackRequest
from vitron_ros.streaming.multi_view import views_of
from vitron_ros.streaming.pipeline import LEAST_VIEWS, PAST_STEPS, STEPS, CameraPipeline
from vitron_ros.tracking.track import EventKind, Reason, TrackState

SECOND = 1_000_000_000
PROMPT = TrackRequest(prompt="the red mug")


class Rig:
    """A pipeline whose questions wait in `open`, with the first clip of each, until the test answers them."""

    def __init__(self, *scripts, model_frames=8, **config):
        scripts = iter(scripts)
        self.pipeline = CameraPipeline(
            PipelineConfig(**config),
            lambda: ScriptedTracker(next(scripts, None)),
            itertools.count(1),
            model_frames=model_frames,
        )
        self.index = 0
        self.open = {}
        self.asked = []
        self.events, self.finished = [], {}

    @property
    def now_ns(self):
        return frame(self.index).stamp_ns

    def add(self, goal_id="goal", request=PROMPT):
        self.pipeline.add(goal_id, request, self.now_ns)

    def run(self, frames=1, **change):
        report = None
        for _ in range(frames):
            report = self.keep(self.pipeline.step(frame(self.index, width=640, height=480, **change), self.now_ns))
            self.pipeline.catch_up()
            self.index += 1
        return report

    def keep(self, report):
        for request in report.requests:
            self.asked.append(request)
            self.open.setdefault(request.id, request)
        self.events += report.events
        self.finished |= report.finished
        return report

    def answer(self, how=found, **values):
        """Answer every open question, but for those that were withdrawn, when there is time before the next image."""
        self.receive(how, **values)
        self.pipeline.catch_up()

    def receive(self, how=found, **values):
        """Answer them just before the next image."""
        for request in list(self.open.values()):
            del self.open[request.id]
            if not request.is_cancelled():
                reply = how(request, **values)
                stamps = tuple(item.stamp_ns for item in request.frames)
                self.pipeline.receive(request, replaced(reply, stamps_ns=stamps))

    @property
    def story(self):
        return [(event.kind, event.reason) for event in self.events]


def replaced(reply, **values):
    return ModelReply(**{name: getattr(reply, name) for name in ModelReply.__dataclass_fields__} | values)


def test_a_prompt_is_asked_with_the_newest_frame_at_once():
    rig = Rig()
    rig.run(4)
    rig.add()
    report = rig.run()
    (request,) = report.requests
    assert (request.task, request.text) == (Task.FIND, "the red mug")
    assert request.frames[-1].index == 4
    assert report.feedback["goal"].phase is Phase.GROUNDING
    assert report.tracks == ()


@pytest.mark.parametrize("delay", [0, 1, 5, 20, 60])
def test_a_box_of_the_past_is_carried_to_now_before_anybody_sees_it(delay):
    rig = Rig(history=1.0)
    rig.add()
    rig.run(1)
    rig.run(delay)
    rig.answer()
    shown = next(report for _ in range(30) if (report := rig.run()).tracks)
    (track,) = shown.tracks
    assert track.phrase == "the red mug"
    assert track.grounded_ns == frame(0).stamp_ns
    if delay <= 5:  # every image was gone through
        np.testing.assert_array_equal(track.box_xyxy, true_box(shown.frame.index))
    assert rig.story == [(EventKind.STARTED, Reason.REQUESTED)]
    assert shown.feedback["goal"].phase is Phase.TRACKING


def test_catching_up_takes_a_bounded_number_of_images_at_a_time(monkeypatch):
    steps = []

    class Counted(ScriptedTracker):
        def step(self, view, *, redetect=True):
            steps[-1] += 1
            return super().step(view, redetect=redetect)

    def counted():
        steps.append(0)
        catch_up()
        steps.append(0)

    rig = Rig()
    rig.pipeline = CameraPipeline(PipelineConfig(), Counted, itertools.count(1), model_frames=8)
    catch_up = rig.pipeline.catch_up
    monkeypatch.setattr(rig.pipeline, "catch_up", counted)
    for name in "abcd":
        rig.add(name)
    rig.run(25)
    rig.answer()
    rig.run(21)
    assert len(rig.run().tracks) == 4
    assert max(steps) <= max(LEAST_VIEWS * 4, STEPS), "the budget of the past, and no more than the targets will cost"


def found_in_the_past(followed=0):
    """A rig whose model has just found a target in an image of the past, and what grows with each step of a tracker."""
    steps = []

    class Counted(ScriptedTracker):
        def step(self, view, *, redetect=True):
            steps.append(1)
            return super().step(view, redetect=redetect)

    rig = Rig()
    rig.pipeline = CameraPipeline(PipelineConfig(), Counted, itertools.count(1), model_frames=8)
    for number in range(followed):
        rig.add(str(number), TrackRequest(region=Region.from_box(BOX)))
    rig.add("sought")
    rig.run(25)
    (request,) = (request for request in rig.open.values() if request.task is Task.FIND)
    rig.pipeline.receive(request, replaced(found(request), stamps_ns=(request.frames[-1].stamp_ns,)))
    steps.clear()
    return rig, steps


def test_while_an_image_waits_only_the_least_is_caught_up():
    rig, steps = found_in_the_past()
    rig.pipeline.catch_up(lambda: True)
    assert len(steps) == LEAST_VIEWS
    rig.pipeline.catch_up(lambda: False)
    assert len(steps) == LEAST_VIEWS + STEPS


@pytest.mark.parametrize(("followed", "left"), [(0, STEPS), (1, STEPS - 1), (4, PAST_STEPS), (9, PAST_STEPS)])
def test_what_the_targets_leave_of_the_time_between_images_goes_to_images_of_the_past(followed, left):
    rig, steps = found_in_the_past(followed)
    rig.pipeline.catch_up()
    assert len(steps) == left


def test_what_is_absent_is_asked_for_again_until_the_timeout():
    rig = Rig(timeout=1.0)
    rig.add()
    for _ in range(60):
        rig.run()
        rig.answer(said, status=ReplyStatus.ABSENT, text="none")
    assert len({request.id for request in rig.asked}) == 4, "at 0, and every 0.25 s that an image came after"
    assert rig.finished["goal"].outcome is Outcome.NOT_FOUND
    assert '"the red mug" was not found within 1 s: none' in rig.finished["goal"].message
    assert rig.story == [(EventKind.REJECTED, Reason.NOT_SEEN)]


@pytest.mark.parametrize(("config", "frames"), [({}, 1), ({"model_find_frames": 3}, 3), ({"model_find_frames": 64}, 8)])
def test_a_phrase_is_looked_for_in_the_newest_keyframes(config, frames):
    rig = Rig(**config)
    rig.run(300)
    rig.add()
    report = rig.run()
    (request,) = report.requests
    assert (request.task, len(request.frames)) == (Task.FIND, 8)
    views = views_of(request)
    assert [len(view.frames) for view in views] == sorted({frames, 8})
    assert {view.frames[-1].index for view in views} == {report.frame.index}
    assert request.frames[-1].index == report.frame.index
    rig.answer()
    rig.run()
    assert rig.pipeline.step(frame(rig.index, width=640, height=480), rig.now_ns).tracks


def test_what_appears_later_is_found():
    rig = Rig()
    rig.add()
    rig.run()
    rig.answer(said, status=ReplyStatus.ABSENT)
    rig.run(9)
    rig.answer()
    assert len(rig.run().tracks) == 1


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"score": 0.2}, "below model_min_score"),
        ({"boxes_xyxy": np.full((1, 4), np.nan)}, "none"),
        ({"boxes_xyxy": np.array([[9.0, 9, 9, 9]])}, "none"),
        ({"boxes_xyxy": np.array([[900.0, 900, 950, 950]])}, "outside"),
        ({"boxes_xyxy": np.array([[30.0, 30, 10, 10]])}, "none"),
    ],
)
def test_a_box_that_is_none_is_never_followed(values, says):
    rig = Rig(timeout=0.2)
    rig.add()
    rig.run()
    rig.answer(found, **values)
    for _ in range(8):
        assert rig.run().tracks == ()
    assert rig.finished["goal"].outcome is Outcome.NOT_FOUND
    assert says in rig.finished["goal"].message


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (ReplyStatus.UNKNOWN, Outcome.NOT_UNDERSTOOD, Reason.NOT_UNDERSTOOD),
        (ReplyStatus.DEADLINE, Outcome.TIMEOUT, Reason.MODEL_ERROR),
    ],
)
def test_replies_that_end_the_goal_at_once(status, outcome, reason):
    rig = Rig()
    rig.add()
    rig.run()
    rig.answer(said, status=status, text="it is so")
    rig.run()
    assert (rig.finished["goal"].outcome, rig.finished["goal"].message) == (outcome, "it is so")
    assert rig.story == [(EventKind.REJECTED, reason)]
    assert rig.events[0].phrase == "the red mug"


@pytest.mark.parametrize("status", [ReplyStatus.FAILED, ReplyStatus.UNREADABLE])
def test_a_model_that_fails_is_asked_so_many_times_and_no_more(status):
    rig = Rig(model_tries=3)
    rig.add()
    for _ in range(40):
        rig.run()
        rig.answer(said, status=status, text="out of memory")
    assert len({request.id for request in rig.asked}) == 3
    assert rig.finished["goal"].outcome is Outcome.MODEL_ERROR
    assert "3 times" in rig.finished["goal"].message and "out of memory" in rig.finished["goal"].message


def test_failures_must_be_in_a_row():
    rig = Rig(model_tries=2, timeout=100.0)
    rig.add()
    for turn in range(60):
        rig.run()
        rig.answer(said, status=ReplyStatus.FAILED if turn // 8 % 2 else ReplyStatus.ABSENT)
    assert rig.finished == {}


def test_a_model_that_never_answers_is_a_timeout_and_not_an_absent_target():
    rig = Rig(timeout=1.0)
    rig.add()
    rig.run(40)
    assert rig.finished["goal"].outcome is Outcome.TIMEOUT
    assert "has not answered" in rig.finished["goal"].message
    assert len({request.id for request in rig.asked}) == 1, "one question, each keyframe a newer clip of it"
    assert [request.frames[-1].index for request in rig.asked] == [0, 8, 16, 24]


@pytest.mark.parametrize("frames", [0, 1, 10])
def test_cancel_while_the_model_thinks_withdraws_the_question(frames):
    rig = Rig()
    rig.add()
    rig.run(frames)
    rig.pipeline.cancel("goal")
    assert all(request.is_cancelled() for request in rig.open.values())
    for request in list(rig.open.values()):
        rig.pipeline.receive(request, found(request))  # too late
    report = rig.run(10)
    assert rig.finished["goal"].outcome is Outcome.CANCELED
    assert report.tracks == () and rig.story == []


def test_cancel_while_a_box_catches_up():
    rig = Rig()
    rig.add()
    rig.run(20)
    rig.answer()
    assert rig.run().tracks == ()
    rig.pipeline.cancel("goal")
    assert rig.run(20).tracks == ()
    assert rig.finished["goal"].outcome is Outcome.CANCELED


def test_shutdown_while_the_model_thinks():
    rig = Rig()
    rig.add()
    rig.run()
    rig.keep(rig.pipeline.shutdown())
    assert rig.finished["goal"].outcome is Outcome.SHUTDOWN
    assert all(request.is_cancelled() for request in rig.open.values())


@pytest.mark.parametrize("change", [{"stamp_ns": 5}])
def test_a_jump_in_time_asks_again_with_what_is_seen_then(change):
    rig = Rig()
    rig.add()
    rig.run(5)
    (old,) = rig.open.values()
    report = rig.keep(rig.pipeline.step(frame(5, width=640, height=480, **change), rig.now_ns))
    assert old.is_cancelled()
    rig.pipeline.receive(old, found(old))
    assert report.tracks == ()
    new = rig.asked[-1]
    assert new.id != old.id and [item.stamp_ns for item in new.frames] == [5]


def test_a_region_with_a_prompt_starts_at_once_and_remembers_the_phrase():
    rig = Rig()
    rig.add(request=TrackRequest(prompt="the red mug", region=Region.from_box(BOX)))
    report = rig.run()
    assert report.tracks[0].phrase == "the red mug"
    assert [request.task for request in report.requests] == []


def test_twenty_goals_at_once_each_get_their_own_target():
    rig = Rig(max_targets=20)
    for number in range(20):
        rig.add(str(number), TrackRequest(prompt=f"thing {number}"))
    rig.run()
    assert len(rig.open) == 20
    rig.answer()
    report = rig.run(60)
    assert sorted(track.phrase for track in report.tracks) == sorted(f"thing {number}" for number in range(20))
    assert [track.id for track in report.tracks] == list(range(1, 21))
    for number in range(20):
        rig.pipeline.cancel(str(number))
    assert rig.run(2).tracks == ()
    assert len(rig.finished) == 20


def test_more_goals_than_targets_are_told():
    rig = Rig(max_targets=2)
    for name in "abc":
        rig.add(name)
    rig.run()
    rig.answer()
    rig.run(2)
    assert rig.finished["c"].outcome is Outcome.OVERLOADED
    assert "max_targets=2" in rig.finished["c"].message


def test_a_target_that_is_gone_before_it_could_be_followed_is_asked_for_again():
    rig = Rig([0.1] * 20, timeout=3.0)
    rig.add()
    rig.run(10)
    rig.answer()
    assert rig.run(5).tracks == ()
    rig.run(8)
    rig.answer()
    assert rig.run(3).tracks[0].state is not TrackState.LOST


def test_a_target_that_hid_before_it_could_be_shown_is_lost_and_looked_for():
    rig = Rig([1.0] * 40 + [0.1] * 40, timeout=3.0)
    rig.add()
    rig.run(60)
    rig.answer()
    report = next(report for _ in range(40) if (report := rig.run()).tracks)
    assert report.tracks[0].state is TrackState.LOST
    assert report.feedback["goal"].phase is Phase.REACQUIRING
    assert rig.story == [(EventKind.STARTED, Reason.REQUESTED), (EventKind.LOST, Reason.NOT_SEEN)]
    assert rig.run(40).tracks[0].state is TrackState.TRACKED


def test_the_view_for_a_question_ends_with_the_newest_frame_and_knows_when_it_is_stale():
    rig = Rig(max_image_age=1.0)
    assert rig.pipeline.view(rig.now_ns) == ()
    rig.run(13)
    last_ns = frame(12).stamp_ns
    assert [item.index for item in rig.pipeline.view(last_ns)] == [0, 8, 12]
    assert rig.pipeline.view(last_ns + 2 * SECOND) == ()


def test_frames_without_stamps_have_their_arrival_for_one():
    rig = Rig()
    rig.add()
    for _ in range(4):
        rig.run(stamp_ns=0)
    assert [item.stamp_ns for item in rig.asked[-1].frames] == [frame(0).stamp_ns]
    rig.answer()
    report = rig.run(3, stamp_ns=0)
    np.testing.assert_array_equal(report.tracks[0].box_xyxy, true_box(6))
    assert report.frame.stamp_ns == 0, "the header stays as it is"


def test_frame_times_are_what_the_numbers_above_assume():
    assert 7 * FRAME_NS < 0.25 * SECOND < 8 * FRAME_NS


def elsewhere(request):
    """Finds each of two things at its own place."""
    offset = np.array([200, 0, 200, 0]) if "ring" in request.text else 0
    return found(request, boxes_xyxy=np.array([true_box(item.index) + offset for item in request.frames]))


def test_a_prompt_of_two_things_gives_two_tracks_with_their_own_phrases():
    rig = Rig()
    rig.add(request=TrackRequest(prompt="follow the red mug and the blue ring"))
    rig.run()
    assert [request.text for request in rig.asked] == ["the red mug", "the blue ring"]
    rig.answer(elsewhere)
    report = rig.run(3)
    assert [track.phrase for track in report.tracks] == ["the red mug", "the blue ring"]
    assert len(report.feedback["goal"].tracks) == 2
    rig.pipeline.cancel("goal")
    rig.keep(rig.pipeline.tick(rig.now_ns))
    assert len(rig.finished["goal"].tracks) == 2


def test_of_two_things_the_one_that_is_not_there_is_named_and_the_other_followed():
    rig = Rig(timeout=1.0)
    rig.add(request=TrackRequest(prompt="the red mug and the blue ring", duration=2.0))

    def one(request):
        return said(request, ReplyStatus.ABSENT, "it is not there") if "ring" in request.text else elsewhere(request)

    for _ in range(90):
        rig.run()
        rig.answer(one)
    text = '"the blue ring" was not found within 1 s: it is not there'
    assert (rig.finished["goal"].outcome, rig.finished["goal"].message) == (Outcome.OK, f"followed for 2 s; {text}")
    assert (EventKind.REJECTED, Reason.NOT_SEEN) in rig.story


def test_max_targets_of_a_goal_limits_what_its_prompt_names():
    rig = Rig()
    rig.add(request=TrackRequest(prompt="the red mug and the blue ring", max_targets=1))
    rig.run()
    assert [request.text for request in rig.asked] == ["the red mug"]
    rig.pipeline.cancel("goal")
    rig.keep(rig.pipeline.tick(rig.now_ns))
    assert 'left out "the blue ring"' in rig.finished["goal"].message


def test_that_only_one_of_several_is_taken_is_told():
    rig = Rig()
    rig.add(request=TrackRequest(prompt="two mugs", duration=0.5))
    rig.run()
    rig.answer(found, message="only one is taken")
    rig.run(30)
    assert rig.events[0].text == "the model found the target; only one is taken"
    assert rig.finished["goal"].message == "followed for 0.5 s; only one is taken"


def test_what_was_something_else_must_be_found_as_often_before_it_counts():
    rig = Rig(model_tries=3)
    rig.add()
    for contradicted in (True, True, False, True, False, False):
        rig.run(9)
        status = ReplyStatus.ABSENT if contradicted else ReplyStatus.OK
        rig.answer(found, status=status, is_contradicted=contradicted, message="a blue mug" * contradicted)
    assert not rig.run().tracks
    rig.run(9)
    rig.answer()
    assert rig.run(3).tracks
