"""Hand-made sequences at 10 frames a second, so that 0.3 s are 3 frames and 1 s is 10."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.long_term import (
    Published,
    TargetTruth,
    hidden_spans,
    is_recovered,
    returns,
    score,
    switches,
    visible_auc,
)
from vitron_ros.evaluation.metrics.visible_frames import success_auc

FPS = 10.0
BOX = np.array([10.0, 10, 30, 30])
OTHER = np.array([60.0, 10, 80, 30])
NOTHING = np.full(4, np.nan)


def truth(visible, *, other=OTHER):
    """A target that stays, seen as much as said, beside another object."""
    visible = np.array(visible, float)
    full = np.tile(BOX, (len(visible), 1))
    return TargetTruth(
        fps=FPS,
        visible=visible,
        boxes_xyxy=np.where(visible[:, None] > 0, full, np.nan),
        full_boxes_xyxy=full,
        others_xyxy=np.tile(other, (len(visible), 1, 1)),
    )


def published(boxes, *, ids=1, seen=True):
    boxes = np.array(boxes, float)
    there = np.isfinite(boxes).all(axis=1)
    return Published(
        ids=np.where(there, ids, 0),
        boxes_xyxy=boxes,
        is_seen=there & np.broadcast_to(seen, len(boxes)),
        ages_ms=np.where(there, 5.0, np.nan),
    )


def test_a_perfect_run_scores_as_in_one_pass_evaluation():
    everything = score(truth([1.0] * 20), published([BOX] * 20))
    assert everything.auc == pytest.approx(20 / 21)
    assert (everything.switches, everything.returns, everything.recovered, everything.ghosts) == (0, 0, 0, None)


def test_a_frame_without_a_box_counts_nothing_and_a_hidden_frame_does_not_count():
    visible = [1.0] * 10 + [0.0] * 10
    half = [BOX] * 5 + [NOTHING] * 5
    assert visible_auc(truth(visible), published(half + [OTHER] * 10)) == pytest.approx(10 / 21)


def test_a_box_whose_id_is_zero_is_not_published():
    assert visible_auc(truth([1.0] * 4), published([BOX] * 4, ids=np.zeros(4, int))) == 0


@given(st.lists(st.tuples(*[st.floats(0, 60)] * 2), min_size=1, max_size=12))
def test_where_all_is_seen_and_published_it_is_the_auc_of_one_pass_evaluation(shifts):
    boxes = np.array([BOX + np.tile(shift, 2) for shift in shifts])
    expected = success_auc(boxes, np.tile(BOX, (len(boxes), 1)))
    assert visible_auc(truth([1.0] * len(boxes)), published(boxes)) == pytest.approx(expected)


def test_a_target_that_is_never_seen_has_no_auc():
    with pytest.raises(MetricError, match="not visible"):
        visible_auc(truth([0.0] * 5), published([BOX] * 5))


HIDE, SHOW, PART = 0.0, 1.0, 0.2


@pytest.mark.parametrize(
    ("visible", "spans", "found"),
    [
        ([SHOW] * 30, [], []),
        ([SHOW] * 5 + [HIDE] * 2 + [SHOW] * 20, [], []),  # 0.2 s is a blink
        ([SHOW] * 5 + [HIDE] * 3 + [SHOW] * 20, [(5, 7)], [(5, 8)]),
        ([SHOW] * 5 + [HIDE] * 3 + [PART] * 4 + [SHOW] * 10, [(5, 7)], [(5, 12)]),  # back when in plain view
        ([SHOW] * 5 + [0.04] * 3 + [0.06] * 2 + [0.4] * 10, [(5, 7)], [(5, 10)]),  # at the thresholds
        ([SHOW] * 5 + [HIDE] * 3 + [SHOW] * 9, [(5, 7)], []),  # the clip ends before 1 s is over
        ([SHOW] * 5 + [HIDE] * 3 + [SHOW] * 6 + [HIDE] * 4 + [SHOW] * 10, [(5, 7), (14, 17)], [(14, 18)]),
        ([SHOW] * 5 + [HIDE] * 3 + [PART] * 5 + [HIDE] * 3 + [SHOW] * 10, [(5, 7), (13, 15)], [(13, 16)]),
        ([SHOW] * 5 + [HIDE] * 20, [(5, 24)], []),  # never comes back
        ([HIDE] * 5 + [SHOW] * 20, [(0, 4)], []),  # was never there before
    ],
)
def test_hiding_and_returning(visible, spans, found):
    assert hidden_spans(np.array(visible), FPS) == spans
    assert returns(np.array(visible), FPS) == found


VISIBLE = [SHOW] * 10 + [HIDE] * 5 + [SHOW] * 15


@pytest.mark.parametrize(
    ("after", "ids", "seen", "recovered"),
    [
        ([BOX] * 15, 1, True, True),
        ([NOTHING] * 9 + [BOX] * 6, 1, True, True),  # in the last frame of the second
        ([NOTHING] * 10 + [BOX] * 5, 1, True, False),  # too late
        ([BOX] * 15, 2, True, False),  # another id
        ([BOX] * 15, 1, False, False),  # predicted, not seen
        ([BOX + 12] * 15, 1, True, False),  # beside it
        ([OTHER] * 15, 1, True, False),
    ],
)
def test_a_return_is_recovered_by_the_same_id_seen_in_place_within_a_second(after, ids, seen, recovered):
    boxes = [BOX] * 10 + [NOTHING] * 5 + after
    shown = published(boxes, ids=np.array([1] * 15 + [ids] * 15), seen=np.array([True] * 15 + [seen] * 15))
    assert is_recovered(truth(VISIBLE), shown, (10, 15)) is recovered
    assert score(truth(VISIBLE), shown).recovered == int(recovered)


def test_what_was_never_published_before_it_hid_is_not_recovered():
    shown = published([NOTHING] * 15 + [BOX] * 15)
    assert score(truth(VISIBLE), shown).returns == 1
    assert score(truth(VISIBLE), shown).recovered == 0


def test_the_id_that_counts_is_the_last_before_the_hiding_even_if_it_was_lost_earlier():
    shown = published([BOX] * 6 + [NOTHING] * 9 + [BOX] * 15)
    assert score(truth(VISIBLE), shown).recovered == 1


@pytest.mark.parametrize(
    ("boxes", "ids", "seen", "count"),
    [
        ([BOX] * 10, [1] * 10, True, 0),
        ([BOX] * 10, [1] * 5 + [2] * 5, True, 1),
        ([BOX] * 3 + [NOTHING] * 4 + [BOX] * 3, [1] * 3 + [0] * 4 + [2] * 3, True, 1),
        ([BOX] * 3 + [NOTHING] * 4 + [BOX] * 3, [1] * 10, True, 0),
        ([BOX] * 5 + [OTHER] * 3 + [BOX] * 2, [1] * 10, True, 1),
        ([BOX] * 5 + [OTHER] * 2 + [BOX] * 3, [1] * 10, True, 0),  # 0.2 s is a slip
        ([BOX] * 5 + [OTHER] * 5, [1] * 10, False, 0),  # said to be predicted, not seen
        ([BOX] * 5 + [OTHER + 30] * 5, [1] * 10, True, 0),  # on nothing
        ([OTHER] * 3 + [BOX] * 3 + [OTHER] * 4, [1] * 10, True, 2),
    ],
)
def test_switches(boxes, ids, seen, count):
    assert switches(truth([1.0] * 10), published(boxes, ids=np.array(ids), seen=seen)) == count


def test_following_what_hides_the_target_is_a_switch_only_far_from_the_target():
    hidden = [SHOW] * 2 + [HIDE] * 8
    over = BOX + np.array([-2, -2, 2, 2])  # the object that hides it: IoU with the target's whole box is 0.69
    assert switches(truth(hidden, other=over), published([BOX] * 2 + [over] * 8)) == 0
    assert switches(truth(hidden, other=OTHER), published([BOX] * 2 + [OTHER] * 8)) == 1


def test_ghosts_are_boxes_said_to_be_seen_while_the_target_hides():
    shown = published([BOX] * 12 + [NOTHING] * 3 + [BOX] * 15)
    assert score(truth(VISIBLE), shown).ghosts == pytest.approx(2 / 5)
    predicted = published([BOX] * 30, seen=np.array(VISIBLE) > 0)
    assert score(truth(VISIBLE), predicted).ghosts == 0


def test_alone_in_the_picture_nothing_can_be_mistaken_for_it():
    alone = truth([1.0] * 10)
    alone = TargetTruth(
        fps=FPS,
        visible=alone.visible,
        boxes_xyxy=alone.boxes_xyxy,
        full_boxes_xyxy=alone.full_boxes_xyxy,
        others_xyxy=np.empty((10, 0, 4)),
    )
    assert switches(alone, published([OTHER] * 10)) == 0
