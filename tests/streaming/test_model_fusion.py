"""Targets that exist, and a model that is asked about them now and then."""

import itertools

import numpy as np
import pytest

from tests.fakes import BOX, ScriptedTracker, found, said, true_box
from tests.streaming.test_prompt_goals import Rig, replaced
from vitron_ros.config import PipelineConfig
from vitron_ros.grounding.request import ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.pending_requests import RoundRobin
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking.box_tracker import BoxEstimate
from vitron_ros.tracking.track import EventKind, TrackState


class Slipping(ScriptedTracker):
    """Holds its target through any gap; loses it after some steps, and then its box stays, with the score given."""

    def __init__(self, after=10**9, score=0.4, likeness=None):
        super().__init__()
        self._after, self._score, self._steps = after, score, 0
        self.rejections = 0
        if likeness is not None:
            self.likeness = lambda view, box: likeness if box[0] != self._box[0] else 1.0
            self.reject = self._reject

    def _reject(self):
        self.rejections += 1

    def start(self, view, box_xyxy):
        super().start(view, box_xyxy)
        self._last = view.frame.index

    def step(self, view, *, redetect=True):
        self._steps += 1
        if self._steps > self._after:
            return BoxEstimate(self._box, self._score)
        self._box = self._box + np.tile([view.frame.index - self._last, 0], 2)
        self._last = view.frame.index
        return BoxEstimate(self._box, 1.0)


def rig_with(*trackers, prompt="mug", by_model=True, can_follow=True, later=(), **config):
    """A rig with one goal a tracker, all on BOX; those made later are `later` and then such as hold on. The model's
    replies are `rig.answer`s."""
    rig, made = Rig(), itertools.chain(trackers, later)
    rig.pipeline = CameraPipeline(
        PipelineConfig(**config),
        lambda: next(made, None) or Slipping(),
        itertools.count(1),
        model_frames=8,
        model_can_follow=can_follow,
    )
    for number in range(len(trackers)):
        region = None if by_model else Region.from_box(BOX)
        rig.add(str(number), TrackRequest(prompt=prompt if prompt in ("", "mug") else prompt[number], region=region))
    rig.run()
    rig.answer()
    return rig


def follow(rig, frames, how=found, delay=0, **values):
    """Run, answering each question when its newest frame is `delay` frames old; the reports."""
    reports = []
    for _ in range(frames):
        reports.append(rig.run())
        for request in list(rig.open.values()):
            if rig.index - 1 - request.frames[-1].index >= delay:
                later = [item for item in rig.open.values() if item is not request]
                rig.open = {request.id: request}
                rig.answer(how, **values)
                rig.open = {item.id: item for item in later}
    return reports


def offset(reports, number=0):
    """How far the box of each report is from the truth, px."""
    return [float(report.tracks[number].box_xyxy[0] - true_box(report.frame.index)[0]) for report in reports]


def test_agreement_refreshes_the_stamp_and_nothing_else():
    rig, alone = rig_with(Slipping()), rig_with(Slipping(), model_period=3600.0)
    reports, without = follow(rig, 60), follow(alone, 60)
    for one, other in zip(reports, without, strict=True):
        np.testing.assert_array_equal(one.tracks[0].box_xyxy, other.tracks[0].box_xyxy)
        assert one.tracks[0].state is other.tracks[0].state
    stamps = [report.tracks[0].grounded_ns for report in reports]
    assert stamps == sorted(stamps) and stamps[-1] > stamps[0]
    tasks = [request.task for request in rig.asked[1:]]
    assert tasks[:3] == [Task.FIND, Task.FOLLOW, Task.FIND], "in turn: a box may be that of another"


def test_a_target_that_was_given_by_a_box_is_never_asked_for_by_its_name():
    rig = rig_with(Slipping(), by_model=False)
    follow(rig, 60)
    assert {request.task for request in rig.asked} == {Task.FOLLOW}


def newest_only(request, **values):
    """The truth from a model of single images."""
    reply = found(request, **values)
    reply.boxes_xyxy[:-1] = np.nan
    return reply


@pytest.mark.parametrize(("by_model", "tasks"), [(True, {Task.FIND}), (False, set())])
def test_a_model_that_only_finds_is_asked_again_for_what_it_found_and_for_nothing_else(by_model, tasks):
    rig = rig_with(Slipping(), by_model=by_model, can_follow=False)
    reports = follow(rig, 60, newest_only)
    assert {request.task for request in rig.asked} == tasks and (len(rig.asked) > 2) == by_model
    stamps = [report.tracks[0].grounded_ns for report in reports]
    assert (stamps[-1] > stamps[0]) == by_model


def test_the_question_begins_where_the_target_was_seen_and_says_where():
    rig = rig_with(Slipping())
    follow(rig, 60)
    for request in [request for request in rig.asked[1:] if request.task is Task.FOLLOW]:
        np.testing.assert_array_equal(request.box_xyxy, true_box(request.frames[0].index))
        assert len(request.frames) >= 2


@pytest.mark.parametrize("delay", [0, 6, 30, 60])
def test_a_tracker_that_has_slipped_is_put_right_at_now(delay):
    rig = rig_with(Slipping(after=25, score=0.4))
    reports = follow(rig, 160, delay=delay)
    off = offset(reports)
    assert min(off) < -5, "it did slip"
    assert abs(off[-1]) < 3
    assert off[-1] >= off[-20], "and stays right"
    corrected = next(index for index in range(1, len(off)) if off[index] - off[index - 1] > 3)
    assert reports[corrected].tracks[0].box_xyxy[0] > reports[corrected - 1].tracks[0].box_xyxy[0], "never back in time"
    assert reports[-1].tracks[0].id == 1


@pytest.mark.parametrize(("score", "by_model", "needed"), [(0.4, True, 1), (0.9, False, 2), (0.9, True, 1)])
def test_a_tracker_that_is_sure_is_overruled_by_the_second_objection_unless_the_model_found_the_target(
    score, by_model, needed
):
    rig = rig_with(Slipping(after=40, score=score), by_model=by_model)
    follow(rig, 39)
    off, objections = [0.0], 0
    while off[-1] <= min(off) + 5:
        off.append(offset([rig.run()])[0])
        objections += bool(rig.open) and off[-1] < -20 / 3  # of 20 px: the boxes have an IoU below a half
        rig.answer()
    assert objections == needed
    assert off[-1] == 0


@pytest.mark.parametrize("likeness", [0.1, 0.6, 0.85])
def test_a_sure_tracker_is_not_overruled_by_what_looks_less_like_the_target(likeness):
    rig = rig_with(Slipping(after=40, score=0.9, likeness=likeness))
    assert offset(follow(rig, 160))[-1] < -80


def test_of_two_that_look_alike_the_model_knows_which_one_is_meant():
    rig = rig_with(Slipping(after=40, score=0.9, likeness=0.95))
    assert abs(offset(follow(rig, 160))[-1]) < 1


@pytest.mark.parametrize(("steps", "is_believed"), [(20, True), (3, False)])
def test_a_correction_that_was_followed_until_it_hid_replaces_what_is_followed_instead(steps, is_believed):
    hiding = (Slipping(after=steps, score=0.0) for _ in itertools.count())
    rig = rig_with(Slipping(after=40, score=0.9), later=hiding)
    seen = [
        report.tracks[0].state in (TrackState.TENTATIVE, TrackState.TRACKED) for report in follow(rig, 110, delay=30)
    ]
    assert seen[-1] is not is_believed
    assert all(seen) is not is_believed


class Leaping(Slipping):
    """After some steps it is on something far away, and sure of it."""

    def step(self, view, *, redetect=True):
        estimate = super().step(view, redetect=redetect)
        if self._steps == self._after:
            self._box = self._box + 350
        return BoxEstimate(self._box, 0.9) if self._steps >= self._after else estimate


def test_who_follows_the_wrong_thing_with_the_tracker_still_finds_the_right_one_by_its_name():
    """That both agree on the wrong thing, given its box, is no place to decide by how far the right one can be."""
    rig = rig_with(Leaping(after=60))
    follow(rig, 59)
    follow(rig, 90, lambda request: said(request, ReplyStatus.UNSURE))
    assert min(offset(follow(rig, 1))) > 200
    reports = follow(rig, 150, lambda request: found(request) if request.task is Task.FIND else copying(request))
    assert max(map(abs, offset(reports[-60:]))) < 20 and reports[-1].tracks[0].id == 1


def slipping_off(request):
    """The truth at first, then more and more beside it."""
    boxes = found(request).boxes_xyxy
    return replaced(found(request), boxes_xyxy=boxes + np.linspace(0, 60, len(boxes))[:, None] * [1, 0, 1, 0])


def test_a_target_that_the_model_moved_to_a_wrong_place_is_found_again_by_its_name():
    """Whatever the new tracker has learned of that place, and however little the right one looks like it."""
    rig = rig_with(Slipping(), later=(Slipping(score=0.9, likeness=0.1) for _ in range(9)))
    follow(rig, 40)
    off = [0.0]
    while off[-1] < 40:
        off = offset(follow(rig, 1, lambda request: (found if request.task is Task.FIND else slipping_off)(request)))
    assert abs(offset(follow(rig, 60))[-1]) < 1


def below(request):
    return replaced(found(request), boxes_xyxy=found(request).boxes_xyxy + np.array([0, 30, 0, 30]))


def test_a_target_whose_new_box_lost_its_way_is_still_known_by_its_looks():
    tracker = Slipping(likeness=0.1)
    tracker.likeness = lambda view, box: 0.95 if box[1] == BOX[1] else 0.1
    rig = rig_with(tracker, later=(Slipping(after=0, score=0.0) for _ in range(9)))
    follow(rig, 40)
    follow(rig, 40, lambda request: found(request) if request.task is Task.FIND else slipping_off(request), delay=3)
    reports = follow(rig, 60, below)
    assert {report.tracks[0].box_xyxy[1] for report in reports} == {BOX[1]}


def elsewhere(request, **values):
    boxes = np.array([[300.0, 300, 340, 340]] * len(request.frames))
    return replaced(found(request), boxes_xyxy=boxes, **values)


def copying(request):
    """A model that repeats the box that it was given."""
    return replaced(found(request), boxes_xyxy=np.tile(request.box_xyxy, (len(request.frames), 1)), score=0.99)


@pytest.mark.parametrize(
    "how",
    [elsewhere, copying, lambda request: said(request, ReplyStatus.ABSENT, score=0.99)],
    ids=["wild", "copies", "none"],
)
@pytest.mark.parametrize("scores", [[], [1.0] * 40 + [0.2] * 8 + [1.0] * 20 + [0.4] * 30])
def test_a_bad_model_does_no_harm_to_a_target_that_was_given_by_a_box(how, scores):
    rigs = []
    for period in (0.25, 3600.0):
        rig = Rig(list(scores), model_period=period)
        rig.add(request=TrackRequest(prompt="mug", region=Region.from_box(BOX)))
        rigs.append((rig, follow(rig, 150, how)))
    (asked, reports), (_, without) = rigs
    assert len(asked.asked) > 10
    for one, other in zip(reports, without, strict=True):
        np.testing.assert_array_equal(one.tracks[0].box_xyxy, other.tracks[0].box_xyxy)
        assert (one.tracks[0].state, one.tracks[0].score) == (other.tracks[0].state, other.tracks[0].score)


def test_none_from_a_model_with_credit_lowers_belief_until_the_target_is_lost():
    rig = rig_with(Slipping(), model_period=0.25)
    follow(rig, 60)
    states = [report.tracks[0].state for report in follow(rig, 60, said, status=ReplyStatus.ABSENT)]
    assert TrackState.LOST in states
    assert [event.kind for event in rig.events] == [EventKind.STARTED, EventKind.LOST]
    last = follow(rig, 60)[-1].tracks[0]
    assert (last.id, last.state) == (1, TrackState.TRACKED)
    assert rig.events[-1].kind is EventKind.REACQUIRED


def test_a_lost_target_is_found_by_its_phrase_under_its_old_id():
    rig = rig_with(Slipping(after=30, score=0.1))
    follow(rig, 60, said, status=ReplyStatus.ABSENT)
    assert rig.events[-1].kind is EventKind.LOST
    report = follow(rig, 60)[-1]
    assert Task.FOLLOW in {request.task for request in rig.asked[-2:]}, "it is verified again"
    assert [request.text for request in rig.asked if request.task is Task.FIND] == ["mug"] * sum(
        request.task is Task.FIND for request in rig.asked
    )
    (track,) = report.tracks
    assert (track.id, track.state) == (1, TrackState.TRACKED)
    assert abs(offset([report])[0]) < 1
    assert "model" in rig.events[-1].text and rig.events[-1].kind is EventKind.REACQUIRED


@pytest.mark.parametrize(("likeness", "is_found"), [(0.2, False), (0.8, True)])
def test_a_lost_target_is_only_found_where_something_looks_like_it(likeness, is_found):
    rig = rig_with(Slipping(after=60, score=0.1, likeness=likeness))
    follow(rig, 45)
    follow(rig, 60, said, status=ReplyStatus.ABSENT)
    follow(rig, 60)
    assert (rig.events[-1].kind is EventKind.REACQUIRED) is is_found


def test_what_was_named_once_and_is_lost_gives_way_to_what_is_named_twice():
    """Nothing looks like it: it was another thing."""
    rig, made = Rig(), iter([Slipping(after=3, score=0.1, likeness=0.2)])
    rig.pipeline = CameraPipeline(
        PipelineConfig(), lambda: next(made, None) or Slipping(), itertools.count(1), model_frames=8
    )
    rig.add()
    rig.run()
    rig.answer(elsewhere)
    reports = follow(rig, 90)
    (before,), (after,) = reports[8].tracks, reports[-1].tracks
    assert before.box_xyxy[1] == 300 and not before.is_seen
    assert after.id == before.id and after.is_seen
    np.testing.assert_allclose(after.box_xyxy, true_box(rig.index - 1), atol=1)


def gone(request, **values):
    """The target is there but for the second half of the clip."""
    boxes = found(request).boxes_xyxy.copy()
    boxes[len(boxes) // 2 + 1 :] = np.nan
    return replaced(found(request), boxes_xyxy=boxes, **values)


def without_motion(request):
    boxes = copying(request).boxes_xyxy
    boxes[len(boxes) // 2 + 1 :] = np.nan
    return replaced(found(request), boxes_xyxy=boxes)


def test_a_tracker_that_stays_where_its_target_has_gone_is_told_to_look_elsewhere():
    trackers = [Slipping(likeness=0.1), Slipping(likeness=0.1)]
    by_name, by_box = rig_with(trackers[0]), rig_with(trackers[1], by_model=False)
    follow(by_name, 60)
    follow(by_name, 30, gone)
    follow(by_box, 90, without_motion)
    assert [tracker.rejections > 0 for tracker in trackers] == [True, False], "a stranger's word is not enough"


def test_what_is_taken_up_after_a_target_has_gone_is_asked_for_by_its_name():
    rig = rig_with(Slipping(likeness=0.1))
    follow(rig, 60)
    while not rig.open:
        rig.run()
    rig.answer(gone)
    asked = len(rig.asked)
    while len(rig.asked) == asked:
        rig.run()
    assert rig.asked[asked].task is Task.FIND


def test_a_model_that_named_another_thing_at_first_is_put_right_by_itself():
    rig = Rig()
    rig.pipeline = CameraPipeline(PipelineConfig(), Slipping, itertools.count(1), model_frames=8)
    rig.add()
    rig.run()
    rig.answer(elsewhere)
    reports = follow(rig, 90)
    assert reports[0].tracks[0].box_xyxy[1] == 300
    assert abs(offset(reports)[-1]) < 1 and reports[-1].tracks[0].id == 1


def test_boxes_are_drawn_where_the_model_draws_them_on_the_whole():
    """The first box was too narrow by a tenth, and so is the tracker's for ever; later ones err to both sides."""
    rig = rig_with(Slipping())
    width = BOX[2] - BOX[0]
    rng = np.random.default_rng(0)

    def drawn(request):
        noise = rng.normal(0, 0.06, (len(request.frames), 4)) * width
        return replaced(
            found(request), boxes_xyxy=found(request).boxes_xyxy + np.array([-0.1, 0, 0, 0]) * width + noise
        )

    for report in follow(rig, 300, drawn)[-30:]:
        np.testing.assert_allclose(
            report.tracks[0].box_xyxy - true_box(report.frame.index), [-0.1 * width, 0, 0, 0], atol=0.06 * width
        )


def test_a_lost_target_does_not_take_the_place_of_another():
    """Two goals, and the phrase of the lost one now describes the other target, too."""
    rig = rig_with(Slipping(after=30, score=0.1), prompt="mug")
    rig.run()
    rig.add("other", TrackRequest(prompt="cup", region=Region.from_box([200, 200, 240, 240])))
    follow(rig, 70, said, status=ReplyStatus.ABSENT)

    def the_other(request):
        boxes = np.array(
            [np.array([200, 200, 240, 240.0]) + np.tile([item.index - 2, 0], 2) for item in request.frames]
        )
        return replaced(found(request), boxes_xyxy=boxes)

    report = follow(rig, 90, the_other)[-1]
    assert {track.id: track.state for track in report.tracks} == {1: TrackState.LOST, 2: TrackState.TRACKED}


def test_of_two_lost_targets_with_one_phrase_the_nearer_is_found():
    def apart(request):
        """The second goal's mug is further down."""
        return lower(request) if request.id.split()[1] == "1" else found(request)

    def lower(request):
        return replaced(found(request), boxes_xyxy=found(request).boxes_xyxy + np.array([0, 250, 0, 250]))

    rig = Rig()
    made = iter([Slipping(after=30, score=0.1), Slipping(after=30, score=0.1)])
    rig.pipeline = CameraPipeline(
        PipelineConfig(), lambda: next(made, None) or ScriptedTracker(), itertools.count(1), model_frames=8
    )
    rig.add("0")
    rig.add("1")
    follow(rig, 8, apart)
    follow(rig, 55, said, status=ReplyStatus.ABSENT)

    report = follow(rig, 60, lower)[-1]
    assert [track.state for track in report.tracks] == [TrackState.LOST, TrackState.TRACKED]
    assert report.tracks[1].box_xyxy[1] == BOX[1] + 250


def test_each_period_asks_about_as_many_targets_as_it_may_and_each_has_its_turn():
    rig = Rig(max_targets=5, model_period=0.5, model_targets=1)
    for number in range(5):
        rig.add(str(number), TrackRequest(region=Region.from_box(BOX)))
    follow(rig, 200)
    subjects = [request.id.split("#")[0] for request in rig.asked]
    assert 10 <= len(subjects) <= 14, "one every half second and keyframe"
    for first in range(0, 10, 5):
        assert len(set(subjects[first : first + 5])) == 5


def test_the_least_sure_go_first_and_a_new_round_begins_when_all_were_asked():
    turns = RoundRobin()
    scores = [(1, 0.9), (2, 0.2), (3, 0.5)]
    order = []
    for _ in range(4):
        order.append(turns.next(scores)[0])
        turns.ask(order[-1])
    assert order == [2, 3, 1, 2]
    assert turns.next([]) == []


def test_ending_a_goal_withdraws_the_questions_about_its_target():
    rig = rig_with(Slipping())
    while not rig.open:
        rig.run()
    (request,) = rig.open.values()
    rig.pipeline.cancel("0")
    assert request.is_cancelled()
    rig.pipeline.receive(request, found(request))
    assert all(track.state is TrackState.ENDED for track in rig.run().tracks)


def test_failures_and_late_replies_leave_targets_alone():
    rig = rig_with(Slipping())
    for status in (
        ReplyStatus.FAILED,
        ReplyStatus.DEADLINE,
        ReplyStatus.UNREADABLE,
        ReplyStatus.CANCELLED,
        ReplyStatus.UNKNOWN,
    ):
        follow(rig, 20, said, status=status)
    assert rig.run().tracks[0].state is TrackState.TRACKED
    assert rig.finished == {}
