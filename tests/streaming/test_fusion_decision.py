"""Whom to believe: hand-made cases, and what must hold whatever a model says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.boxes import iou
from vitron_ros.streaming.fusion_decision import (
    CONFIRMATION_IOU,
    HIGH_RELIABILITY,
    RELIABILITY_FROM_MODEL,
    RELIABILITY_NEEDED,
    SURE_SCORE,
    FusionDecision,
    ModelPrediction,
    ModelReliability,
    decide,
    is_reachable,
    newest_shown,
)
from vitron_ros.tracking.box_history import TrackHistory

SECOND = 1_000_000_000
BOX = np.array([100.0, 100, 140, 140])
NOWHERE = np.full(4, np.nan)
EARNED = ModelReliability(0.9)


def prediction(*boxes, score=0.9):
    times = np.arange(len(boxes), dtype=np.int64) * SECOND // 4
    return ModelPrediction(np.array(boxes, np.float64), times, score)


def track_history(*boxes, scores=None, seen=None):
    array = np.array(boxes, np.float64)
    known = np.isfinite(array).all(1)
    return TrackHistory(
        array,
        np.where(known, 0.9, np.nan) if scores is None else np.array(scores),
        known if seen is None else np.array(seen),
    )


def moved(x):
    return BOX + np.array([x, 0, x, 0])


@pytest.mark.parametrize(
    ("said", "believed", "reliability", "decision", "frame"),
    [
        pytest.param(
            prediction(BOX, BOX), track_history(BOX, BOX), ModelReliability(), FusionDecision.CONFIRM, 1, id="agree"
        ),
        pytest.param(
            prediction(BOX, BOX, score=0.3),
            track_history(BOX, BOX),
            EARNED,
            FusionDecision.IGNORE,
            1,
            id="not confident",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            EARNED,
            FusionDecision.CORRECT,
            1,
            id="slipped",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            ModelReliability(),
            FusionDecision.IGNORE,
            1,
            id="a stranger",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX, scores=[0.9, 0.4]),
            EARNED,
            FusionDecision.CORRECT,
            1,
            id="proved, doubted",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX, scores=[0.9, 0.4]),
            ModelReliability(0.7),
            FusionDecision.OBJECTION,
            1,
            id="doubted",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX),
            EARNED,
            FusionDecision.OBJECTION,
            1,
            id="first objection",
        ),
        pytest.param(
            prediction(BOX, moved(80)),
            track_history(BOX, BOX),
            ModelReliability(0.9, 1),
            FusionDecision.CORRECT,
            1,
            id="second objection",
        ),
        pytest.param(
            prediction(moved(80), moved(80)),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            EARNED,
            FusionDecision.IGNORE,
            1,
            id="no common ground",
        ),
        pytest.param(
            prediction(BOX, moved(400)),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            EARNED,
            FusionDecision.IGNORE,
            1,
            id="out of reach",
        ),
        pytest.param(
            prediction(moved(12), moved(12)),
            track_history(BOX, BOX),
            ModelReliability(0.9, 1),
            FusionDecision.CORRECT,
            1,
            id="a box drawn anew",
        ),
        pytest.param(prediction(BOX, NOWHERE), track_history(BOX, BOX), EARNED, FusionDecision.GONE, 1, id="gone"),
        pytest.param(
            prediction(NOWHERE, NOWHERE), track_history(BOX, BOX), EARNED, FusionDecision.ABSENT, 1, id="absent"
        ),
        pytest.param(
            prediction(moved(80), moved(80)),
            track_history(BOX, BOX),
            ModelReliability(0.9, 1),
            FusionDecision.IGNORE,
            1,
            id="from nowhere",
        ),
        pytest.param(
            prediction(NOWHERE, NOWHERE),
            track_history(BOX, BOX),
            ModelReliability(),
            FusionDecision.IGNORE,
            1,
            id="a stranger's none",
        ),
        pytest.param(
            prediction(NOWHERE, NOWHERE),
            track_history(BOX, BOX, seen=[False, False]),
            EARNED,
            FusionDecision.ABSENT,
            1,
            id="both: gone",
        ),
        pytest.param(
            prediction(BOX, moved(10)),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            EARNED,
            FusionDecision.CORRECT,
            1,
            id="seen by the model through a gap",
        ),
        pytest.param(
            prediction(BOX, NOWHERE),
            track_history(BOX, BOX, scores=[0.9, 0.1], seen=[True, False]),
            EARNED,
            FusionDecision.CONFIRM,
            0,
            id="agree while it was there",
        ),
    ],
)
def test_verdicts(said, believed, reliability, decision, frame):
    fusion = decide(said, believed, reliability, min_score=0.5)
    assert (fusion.decision, fusion.frame) == (decision, frame)


def test_a_lost_target_may_be_found_within_its_reach_of_where_it_was_last_seen():
    lost = track_history(NOWHERE, NOWHERE)
    seen = (-2 * SECOND, BOX)
    near, far = prediction(moved(200), moved(200)), prediction(moved(2000), moved(2000))
    assert decide(near, lost, EARNED, min_score=0.5, last_seen=seen).decision is FusionDecision.CORRECT
    assert decide(far, lost, EARNED, min_score=0.5, last_seen=seen).decision is FusionDecision.IGNORE
    assert decide(near, lost, EARNED, min_score=0.5).decision is FusionDecision.IGNORE, "nothing to start from"
    assert decide(near, lost, ModelReliability(), min_score=0.5, last_seen=seen).decision is FusionDecision.IGNORE


def test_what_a_correction_must_look_like_depends_on_whether_the_tracker_sees_its_target():
    said, reliability = prediction(BOX, moved(80)), ModelReliability(0.9, 1)
    overruled = decide(said, track_history(BOX, BOX), reliability, min_score=0.5)
    helped = decide(said, track_history(BOX, BOX, seen=[True, False]), reliability, min_score=0.5)
    assert overruled.decision is helped.decision is FusionDecision.CORRECT
    assert overruled.likeness > helped.likeness > 0


def test_a_model_that_found_the_target_stays_trusted_and_one_that_earned_its_trust_may_lose_it():
    trusts = [ModelReliability.begin(RELIABILITY_FROM_MODEL), ModelReliability(RELIABILITY_FROM_MODEL)]
    for _ in range(5):
        trusts = [
            decide(prediction(BOX, moved(400)), track_history(BOX, BOX), reliability, min_score=0.5).reliability
            for reliability in trusts
        ]
    assert [reliability.is_earned for reliability in trusts] == [True, False]
    assert trusts[0].value < RELIABILITY_FROM_MODEL
    for _ in range(5):
        trusts = [
            decide(prediction(BOX, BOX), track_history(BOX, BOX), reliability, min_score=0.5).reliability
            for reliability in trusts
        ]
    assert trusts[0].value <= RELIABILITY_FROM_MODEL, "it may win back what it had, no more"


def test_where_the_model_named_the_target_both_saw_it_in_one_place():
    """The tracker has been on another object for the whole clip, so that nothing in it is common ground."""
    said, believed, reliability = (
        prediction(moved(80), moved(80)),
        track_history(BOX, BOX),
        ModelReliability(0.9, 0, RELIABILITY_FROM_MODEL),
    )
    known = (-SECOND, moved(60))
    first = decide(said, believed, reliability, min_score=0.5, confirmed=[known])
    second = decide(said, believed, first.reliability, min_score=0.5, confirmed=[known])
    assert (first.decision, second.decision) == (FusionDecision.OBJECTION, FusionDecision.CORRECT)
    far = decide(said, believed, first.reliability, min_score=0.5, confirmed=[(-SECOND, moved(2000))])
    assert far.decision is FusionDecision.IGNORE


def test_until_the_model_has_named_a_target_twice_two_replies_count_for_more_than_the_first():
    said, believed, reliability = (
        prediction(moved(900), moved(900)),
        track_history(BOX, BOX),
        ModelReliability.begin(RELIABILITY_FROM_MODEL),
    )
    first = decide(said, believed, reliability, min_score=0.5, is_proven=False)
    second = decide(said, believed, first.reliability, min_score=0.5, is_proven=False)
    assert (first.decision, second.decision) == (FusionDecision.OBJECTION, FusionDecision.CORRECT)
    assert decide(said, believed, first.reliability, min_score=0.5).decision is FusionDecision.IGNORE


def test_a_box_that_wobbles_around_a_target_that_stays_costs_no_trust_and_one_that_leaves_it_does():
    wobbling = prediction(*[moved(dx) for dx in (0, 3, -3, 4, -2)])
    leaving = prediction(*[moved(dx) for dx in (0, 12, 18, 18, 0)])
    still = track_history(*[BOX] * 5)
    assert decide(wobbling, still, ModelReliability(0.8), min_score=0.5).reliability.value == 0.8
    assert decide(leaving, still, ModelReliability(0.8), min_score=0.5).reliability.value < 0.8


def trust_after(said, believed, count):
    reliability = ModelReliability()
    for _ in range(count):
        reliability = decide(prediction(*said), track_history(*believed), reliability, min_score=0.5).reliability
    return reliability


def test_trust_is_earned_by_seeing_the_target_move_more_than_once():
    path = [moved(10 * step) for step in range(5)]
    assert not trust_after(path, path, 1).is_earned
    assert trust_after(path, path, 2).is_earned


@pytest.mark.parametrize("step", [0, 3, 6])
def test_repeating_the_box_earns_nothing(step):
    path = [moved(step * index) for index in range(5)]
    assert trust_after([path[0]] * 5, path, 20).value == 0


def test_a_box_that_is_drawn_otherwise_but_moves_along_earns_trust_too():
    path = [moved(6 * step) for step in range(5)]
    wider = [box + np.array([0, 0, 14, 0]) for box in path]
    assert trust_after(wider, path, 3).is_earned


@pytest.mark.parametrize(
    ("boxes", "index"),
    [
        ([BOX, BOX], 1),
        ([BOX, NOWHERE], 0),
        ([NOWHERE], None),
        ([[1, 1, 1, 5]], None),
        ([[5, 5, 1, 1]], None),
        ([[0, 0, np.inf, 1]], None),
    ],
)
def test_the_newest_box_with_an_area(boxes, index):
    assert newest_shown(np.array(boxes, np.float64)) == index


coordinate = st.one_of(st.floats(-2000, 2000), st.sampled_from([np.nan, np.inf, -np.inf, 1e300]))
any_box = st.lists(coordinate, min_size=4, max_size=4)
good_box = st.tuples(
    st.floats(0, 600), st.floats(0, 400), st.floats(4, 200), st.floats(4, 200)
).map(lambda item: [item[0], item[1], item[0] + item[2], item[1] + item[3]])  # fmt: skip
trusts = st.builds(ModelReliability, st.floats(0, 1), st.integers(0, 3))


@st.composite
def situations(draw, boxes=any_box):
    count = draw(st.integers(1, 8))
    many = st.lists(boxes, min_size=count, max_size=count)
    seen = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    believed = draw(st.lists(good_box, min_size=count, max_size=count))
    scores = draw(st.lists(st.floats(0, 1), min_size=count, max_size=count))
    said = prediction(*draw(many), score=draw(st.floats(0, 1)))
    return said, track_history(*believed, scores=scores, seen=seen), draw(trusts)


@given(situations())
def test_every_reply_has_a_verdict_and_trust_stays_in_bounds(situation):
    said, believed, reliability = situation
    with np.errstate(all="ignore"):
        fusion = decide(said, believed, reliability, min_score=0.5, last_seen=(0, BOX))
    assert 0 <= fusion.reliability.value <= 1
    assert 0 <= fusion.frame < len(said.times_ns)
    if said.score < 0.5:
        assert (fusion.decision, fusion.reliability) == (FusionDecision.IGNORE, reliability)


@given(situations(good_box))
def test_a_correction_needs_trust_a_disagreement_and_a_reachable_box(situation):
    said, believed, reliability = situation
    last = (-SECOND, BOX)
    fusion = decide(said, believed, reliability, min_score=0.5, last_seen=last)
    index = fusion.frame
    if fusion.decision is FusionDecision.CONFIRM:
        assert believed.is_seen[index]
        assert iou(said.boxes_xyxy[index], believed.boxes_xyxy[index]) >= CONFIRMATION_IOU
    if fusion.decision in (FusionDecision.CORRECT, FusionDecision.OBJECTION, FusionDecision.ABSENT):
        assert fusion.reliability.value >= RELIABILITY_NEEDED
    if fusion.decision is FusionDecision.CORRECT:
        if believed.is_seen[index]:
            is_doubted = believed.scores[index] < SURE_SCORE and fusion.reliability.value >= HIGH_RELIABILITY
            assert reliability.objections >= 1 or is_doubted
            assert iou(said.boxes_xyxy[index], believed.boxes_xyxy[index]) < CONFIRMATION_IOU
        starts = [*said.boxes_xyxy[:index], BOX]
        assert any(is_reachable(said.boxes_xyxy[index], start, 3.0) for start in starts)


@given(situations(good_box))
def test_one_reply_of_a_model_without_a_record_changes_nothing(situation):
    said, believed, reliability = situation
    fusion = decide(said, believed, ModelReliability(0.0, reliability.objections), min_score=0.0, last_seen=(0, BOX))
    assert fusion.decision in (FusionDecision.CONFIRM, FusionDecision.IGNORE)


@given(good_box, good_box, st.floats(0, 5), st.floats(0, 5))
def test_reach_grows_with_time_and_is_mutual(here, there, sooner, more):
    here, there = np.array(here), np.array(there)
    assert is_reachable(here, here, 0.0)
    assert is_reachable(here, there, sooner) == is_reachable(there, here, sooner)
    if is_reachable(here, there, sooner):
        assert is_reachable(here, there, sooner + more)
