"""Several targets of one prompt: a model that names candidates, scripted trackers, no thread and no clock."""

import itertools

import numpy as np
import pytest

from tests.fakes import found, frame, said
from tests.streaming.test_model_fusion import Slipping, follow
from tests.streaming.test_prompt_goals import Rig
from vitron_ros.config import PipelineConfig
from vitron_ros.grounding.request import ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.goals import Outcome, Phase, TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking.track import EventKind, Reason, TrackState


def place(number, index):
    """Where one of several things is in the frame of that index; the trackers move with it."""
    return np.array([20.0, 20 + 80 * number, 60, 60 + 80 * number]) + np.array([index, 0, index, 0])


def seen(*numbers, score=0.9):
    """A model of single images that sees these things."""

    def reply(request):
        index = request.frames[-1].index
        if not numbers:
            return said(request, ReplyStatus.ABSENT, "none")
        candidates = np.array([place(number, index) for number in numbers])
        boxes = np.full((len(request.frames), 4), np.nan)
        boxes[-1] = candidates[0]
        scores = np.full(len(numbers), score)
        return found(request, score, boxes_xyxy=boxes, candidates_xyxy=candidates, candidate_scores=scores)

    return reply


def rig_with(*trackers, prompt="all mugs", max_targets=None, **config):
    rig, made = Rig(), iter(trackers)
    rig.pipeline = CameraPipeline(
        PipelineConfig(**config),
        lambda: next(made, None) or Slipping(),
        itertools.count(1),
        model_frames=1,
        model_can_follow=False,
    )
    rig.add(request=TrackRequest(prompt=prompt, max_targets=max_targets))
    return rig


def numbers_of(report):
    """Which things its tracks are on, by id."""
    index = report.frame.index
    return {
        track.id: number
        for track, number in itertools.product(report.tracks, range(5))
        if track.is_seen and np.allclose(track.box_xyxy, place(number, index), atol=1)
    }


def message_of(rig, goal_id="goal"):
    rig.pipeline.cancel(goal_id)
    rig.keep(rig.pipeline.tick(rig.now_ns))
    return rig.finished[goal_id].message


@pytest.mark.parametrize(
    ("prompt", "max_targets", "count"),
    [
        ("the mug", None, 1),
        ("the mug", 8, 1),
        ("a mug", 8, 1),
        ("mug", None, 1),
        ("mug", 8, 4),
        ("mug", 3, 3),
        ("all mugs", None, 4),
        ("all of the mugs", 3, 3),
        ("every mug", None, 4),
        ("mugs on the table", None, 4),
        ("both mugs", None, 2),
        ("both mugs", 1, 1),
        ("follow the three mugs", 8, 3),
        ("2 mugs", None, 2),
        ("the mug that is wearing glasses", 8, 1),
        ("the mug or the cup", 8, 1),
    ],
)
def test_a_prompt_says_how_many_are_meant(prompt, max_targets, count):
    rig = rig_with(prompt=prompt, max_targets=max_targets)
    report = follow(rig, 30, seen(0, 1, 2, 3))[-1]
    assert numbers_of(report) == {number + 1: number for number in range(count)}
    assert len(report.feedback["goal"].tracks) == count


def test_each_target_has_its_own_id_and_events_and_is_in_feedback_and_result():
    rig = rig_with()
    report = follow(rig, 20, seen(0, 1, 2))[-1]
    assert rig.story == [(EventKind.STARTED, Reason.REQUESTED)] * 3
    assert [track.id for track in report.feedback["goal"].tracks] == [1, 2, 3]
    assert message_of(rig) == "cancelled by the client"
    assert [track.id for track in rig.finished["goal"].tracks] == [1, 2, 3]
    assert [event.track_id for event in rig.events[3:]] == [1, 2, 3]
    assert all(request.is_cancelled() for request in rig.open.values())


def test_one_question_verifies_all_targets_of_a_phrase():
    rig = rig_with(model_period=0.5)
    reports = follow(rig, 90, seen(0, 1, 2))
    assert {request.task for request in rig.asked} == {Task.FIND}
    assert 5 <= len(rig.asked) <= 7, "one every half second"
    stamps = [track.grounded_ns for track in reports[-1].tracks]
    assert len(set(stamps)) == 1 and stamps[0] > reports[20].tracks[0].grounded_ns


def test_of_a_number_those_that_are_there_are_followed_and_the_others_searched_for():
    rig = rig_with(prompt="both mugs", timeout=2.0)
    follow(rig, 10, seen(1))
    assert rig.events[0].text == 'the model found the target; only 1 of 2 found for "both mugs"'
    report = follow(rig, 30, seen(0, 1))[-1]
    assert numbers_of(report) == {1: 1, 2: 0}
    assert message_of(rig) == "cancelled by the client"


def test_targets_of_one_reply_go_through_each_image_together():
    """A network that remembers the image it saw last, such as SAM 2's, then encodes each image once."""
    looked_at = []

    class Looking(Slipping):
        def step(self, view, **values):
            looked_at.append(view.frame.index)
            return super().step(view, **values)

    rig = rig_with(Looking(), Looking(), Looking())
    rig.run(12)
    rig.answer(seen(0, 1, 2))
    report = rig.run(10)
    assert numbers_of(report) == {1: 0, 2: 1, 3: 2}
    assert looked_at == sorted(looked_at), looked_at


def test_a_number_above_the_limit_of_the_goal_is_told():
    rig = rig_with(prompt="three mugs", max_targets=2)
    follow(rig, 20, seen(0, 1, 2))
    text = 'not all of "three mugs" are taken: max_targets of the goal is 2'
    assert message_of(rig) == f"cancelled by the client; {text}"


def test_one_that_is_on_its_way_at_the_timeout_is_taken():
    rig = rig_with(prompt="both mugs", timeout=1.0)
    follow(rig, 12, seen(1))
    rig.run(18)
    rig.answer(seen(0, 1))
    assert len(rig.run().tracks) == 1
    assert numbers_of(rig.run(20)) == {1: 1, 2: 0}
    assert message_of(rig) == "cancelled by the client"


def test_what_comes_after_the_timeout_is_none_of_a_number():
    rig = rig_with(prompt="both mugs", timeout=0.5)
    follow(rig, 30, seen(1))
    report = follow(rig, 30, seen(0, 1))[-1]
    assert numbers_of(report) == {1: 1}
    text = 'only 1 of 2 found for "both mugs" within 0.5 s'
    assert (EventKind.REJECTED, Reason.NOT_SEEN) in rig.story and message_of(rig) == f"cancelled by the client; {text}"


def test_all_includes_those_that_come_later_while_there_is_room():
    rig = rig_with(max_targets=3, timeout=0.5)
    follow(rig, 30, seen(0))
    assert numbers_of(follow(rig, 30, seen(0, 2))[-1]) == {1: 0, 2: 2}
    assert numbers_of(follow(rig, 60, seen(0, 1, 2, 3))[-1]) == {1: 0, 2: 2, 3: 1}


def test_none_of_all_is_a_target_that_is_not_found():
    rig = rig_with(timeout=0.5)
    follow(rig, 30, seen())
    assert rig.finished["goal"].outcome is Outcome.NOT_FOUND


def test_the_limit_of_the_node_holds_for_all_goals_together():
    rig = rig_with(max_targets=None, prompt="all mugs")
    rig.pipeline.config = PipelineConfig(max_targets=3)
    rig.add("other")
    report = follow(rig, 60, seen(0, 1, 2, 3))[-1]
    assert len(report.tracks) == 3 and rig.finished.keys() <= {"other"}


@pytest.mark.parametrize(("prompt", "phrases"), [("all mugs", 1), ("both mugs", 1), ("the red mug and all cups", 2)])
def test_a_goal_whose_targets_find_no_room_when_they_arrive_ends_once(prompt, phrases):
    """Others are drawn in the step between the model's reply and their arrival."""
    rig = rig_with(prompt=prompt, max_targets=3)
    rig.pipeline.config = PipelineConfig(max_targets=3)
    rig.run(2)
    for number in (2, 3, 4):
        rig.add(f"drawn {number}", TrackRequest(region=Region.from_box(place(number, rig.index))))
    rig.receive(seen(0, 1))
    assert len(rig.run(2).tracks) == 3
    assert rig.finished["goal"].outcome is Outcome.OVERLOADED
    assert rig.story.count((EventKind.REJECTED, Reason.NONE)) == phrases and rig.finished.keys() == {"goal"}


def test_one_that_leaves_and_comes_back_keeps_its_id():
    rig = rig_with(Slipping(), Slipping(after=30, score=0.0))
    follow(rig, 30, seen(0, 1))
    report = follow(rig, 60, seen(0))[-1]
    assert {track.id: track.state for track in report.tracks} == {1: TrackState.TRACKED, 2: TrackState.LOST}
    assert report.feedback["goal"].phase is Phase.TRACKING
    report = follow(rig, 40, seen(0, 1))[-1]
    assert numbers_of(report) == {1: 0, 2: 1}
    assert [event.kind for event in rig.events] == [
        EventKind.STARTED, EventKind.STARTED, EventKind.LOST, EventKind.REACQUIRED,
    ]  # fmt: skip


def test_one_of_all_that_stays_away_makes_room_for_another():
    rig = rig_with(Slipping(), Slipping(after=30, score=0.0, likeness=0.1), max_targets=2, lost_timeout=1.0)
    follow(rig, 30, seen(0, 1))
    assert numbers_of(follow(rig, 60, seen(0, 2))[-1]) == {1: 0, 3: 2}
    assert (EventKind.ENDED, Reason.LOST_TIMEOUT) in rig.story and rig.finished == {}
    follow(rig, 90, seen(0))
    assert "goal" not in rig.finished, "one is still seen"


def test_a_tracker_that_slips_is_put_right_and_no_target_is_added():
    rig = rig_with(Slipping(), Slipping(after=40, score=0.9), prompt="all mugs")
    reports = follow(rig, 140, seen(0, 1))
    assert numbers_of(reports[70]) == {1: 0}
    assert numbers_of(reports[-1]) == {1: 0, 2: 1} and len(reports[-1].tracks) == 2


def test_what_one_question_misses_is_not_lost():
    rig = rig_with()
    follow(rig, 30, seen(0, 1))
    while not rig.open:
        rig.run()
    rig.answer(seen(0))
    assert numbers_of(follow(rig, 30, seen(0, 1))[-1]) == {1: 0, 2: 1}
    assert EventKind.LOST not in [event.kind for event in rig.events]


@pytest.mark.parametrize(("misses", "is_believed"), [(1, True), (4, False)])
def test_a_target_that_is_left_out_is_doubted_from_the_second_time_on(misses, is_believed):
    rig = rig_with(model_period=0.25)
    follow(rig, 40, seen(0, 1))
    for _ in range(misses):
        while not rig.open:
            rig.run()
        rig.answer(seen(0))
    scores = [track.score for track in rig.run().tracks]
    assert scores[0] == 1 and (scores[1] == 1) is is_believed


def test_two_goals_may_follow_the_same_targets_under_ids_of_their_own():
    rig = rig_with()
    rig.add("other", TrackRequest(prompt="all mugs"))
    report = follow(rig, 40, seen(0, 1))[-1]
    assert sorted(numbers_of(report).values()) == [0, 0, 1, 1]
    assert {len(feedback.tracks) for feedback in report.feedback.values()} == {2}


def test_a_goal_follows_nothing_twice():
    rig = rig_with(prompt="the red mug and all cups", max_targets=3)
    report = follow(rig, 40, seen(0, 1, 2, 3))[-1]
    assert sorted(numbers_of(report).values()) == [0, 1, 2]
    assert [track.phrase for track in report.tracks].count("the red mug") == 1


def test_a_model_without_candidates_gives_one():
    rig = rig_with(prompt="two mugs")
    report = follow(rig, 60, lambda request: found(request, message="only one is taken"))[-1]
    assert len(report.tracks) == 1
    assert message_of(rig) == "cancelled by the client; only one is taken"


def test_candidates_below_the_score_that_counts_are_left():
    def doubtful(request):
        reply = seen(0, 1)(request)
        reply.candidate_scores[1] = 0.2
        return reply

    rig = rig_with()
    assert numbers_of(follow(rig, 40, doubtful)[-1]) == {1: 0}


@pytest.mark.parametrize("status", [ReplyStatus.FAILED, ReplyStatus.UNREADABLE, ReplyStatus.DEADLINE])
def test_failures_leave_targets_alone(status):
    rig = rig_with()
    follow(rig, 20, seen(0, 1))
    report = follow(rig, 60, lambda request: said(request, status))[-1]
    assert numbers_of(report) == {1: 0, 2: 1} and rig.finished == {}


def test_a_jump_in_time_ends_a_goal_with_targets():
    rig = rig_with()
    follow(rig, 20, seen(0, 1))
    rig.keep(rig.pipeline.step(frame(rig.index, width=640, height=480, stamp_ns=5), rig.now_ns))
    assert rig.finished["goal"].outcome is Outcome.LOST
