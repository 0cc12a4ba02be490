"""One id across cameras: hand-over in an overlap and across a gap, look-alikes, tracks that slip away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.clock import SECOND_NS
from vitron_ros.rig.matcher import FORGET_S, STRANGE_LIMIT, Observation, RigMatcher

PERIOD_NS = SECOND_NS // 10
SURE = np.eye(3) * 0.03**2


def seen(camera, track_id, position, phrase="the mug", covariance=SURE):
    return Observation(camera, track_id, phrase, np.array(position, float), covariance)


def walk(matcher, steps, position, cameras, start=0, track_id=1, rng=None, phrase="the mug"):
    """Ids that the cameras which see a step give to a target that walks."""
    ids = []
    for step in range(start, start + steps):
        for camera in cameras(step):
            place = np.array(position(step), float) + (0 if rng is None else rng.normal(0, 0.03, 3))
            (target,) = matcher.update(camera, [seen(camera, track_id, place, phrase)], step * PERIOD_NS)
            ids.append(target.id)
    return ids


def test_a_target_keeps_its_id_from_camera_to_camera_where_their_views_overlap():
    matcher, rng = RigMatcher(), np.random.default_rng(0)

    def cameras(step):
        return [name for name, first, last in (("left", 0, 29), ("right", 20, 60)) if first <= step <= last]

    ids = walk(matcher, 60, lambda step: (2, 2 - 0.06 * step, 0), cameras, rng=rng)
    assert set(ids) == {1}


def test_a_target_keeps_its_id_across_a_gap_that_its_speed_explains():
    matcher, rng = RigMatcher(), np.random.default_rng(1)
    ids = walk(matcher, 15, lambda step: (2, 2 - 0.06 * step, 0), lambda step: ["left"], rng=rng)
    ids += walk(matcher, 15, lambda step: (2, 2 - 0.06 * step, 0), lambda step: ["right"], start=25, rng=rng)
    assert set(ids) == {1}


def test_where_time_begins_anew_the_same_thing_has_a_new_id_in_both_cameras():
    matcher = RigMatcher()

    def position(step):
        return (2, 2 - 0.06 * step, 0)

    def both(step):
        return ["left", "right"]

    assert set(walk(matcher, 30, position, both)) == {1}
    assert set(walk(matcher, 30, position, both)) == {2}
    assert len(matcher.targets) == 1


def test_images_of_a_camera_that_come_out_of_order_change_no_id():
    matcher = RigMatcher()
    stamps_ns = [step * PERIOD_NS for step in (1, 2, 4, 3, 6, 5, 7)]
    ids = [matcher.update("left", [seen("left", 1, (2, 0, 0))], stamp_ns)[0].id for stamp_ns in stamps_ns]
    assert set(ids) == {1}


def test_two_things_of_one_phrase_that_are_apart_are_two():
    matcher = RigMatcher()
    left = matcher.update("left", [seen("left", 1, (2, 1, 0))], 0)
    right = matcher.update("right", [seen("right", 2, (2, -1, 0))], 0)
    assert [left[0].id, right[0].id] == [1, 2]


def test_each_of_two_targets_that_pass_into_the_next_camera_keeps_its_own_id():
    matcher = RigMatcher()
    for step in range(20):
        places = [(2, 1 - 0.05 * step, 0), (3, 1 - 0.05 * step, 0)]
        left = matcher.update("left", [seen("left", 1 + i, place) for i, place in enumerate(places)], step * PERIOD_NS)
    right = matcher.update("right", [seen("right", 8, places[1]), seen("right", 9, places[0])], step * PERIOD_NS)
    assert [target.id for target in left] == [1, 2]
    assert [target.id for target in right] == [2, 1]


def test_another_phrase_at_the_same_place_is_another_target():
    matcher = RigMatcher()
    matcher.update("left", [seen("left", 1, (2, 0, 0), "the mug")], 0)
    assert matcher.update("right", [seen("right", 2, (2, 0, 0), "the star")], 0)[0].id == 2


def test_one_outlier_changes_no_id_and_a_track_that_stays_elsewhere_parts():
    matcher = RigMatcher()
    walk(matcher, 5, lambda step: (2, 0, 0), lambda step: ["left", "right"])
    far, near = seen("right", 1, (2, 3.5, 0)), seen("right", 1, (2, 0, 0))
    assert matcher.update("right", [far], 5 * PERIOD_NS)[0].id == 1
    assert matcher.update("right", [near], 6 * PERIOD_NS)[0].id == 1
    ids = [matcher.update("right", [far], (7 + step) * PERIOD_NS)[0].id for step in range(STRANGE_LIMIT + 3)]
    assert ids == [1] * (STRANGE_LIMIT - 1) + [2] * 4
    assert matcher.update("left", [seen("left", 1, (2, 0, 0))], 20 * PERIOD_NS)[0].id == 1


def test_a_place_is_forgotten_after_a_long_time():
    matcher = RigMatcher()
    matcher.update("left", [seen("left", 1, (2, 0, 0))], 0)
    later = matcher.update("right", [seen("right", 2, (2, 0, 0))], int((FORGET_S + 1) * SECOND_NS))
    assert later[0].id == 2
    assert list(matcher.targets) == [2]


def test_an_unsure_camera_is_matched_more_widely_than_a_sure_one():
    first, second = RigMatcher(), RigMatcher()
    for matcher, covariance in ((first, SURE), (second, np.eye(3) * 0.3**2)):
        walk(matcher, 5, lambda step: (2, 0, 0), lambda step: ["left"])
        matcher.update("right", [seen("right", 2, (2.6, 0, 0), covariance=covariance)], 4 * PERIOD_NS)
    assert (len(first.targets), len(second.targets)) == (2, 1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["left", "right", "rear"]),
            st.lists(
                st.tuples(st.integers(1, 4), st.tuples(*[st.floats(-50, 50)] * 3)), max_size=4, unique_by=lambda o: o[0]
            ),
            st.integers(0, 3000),
        ),
        max_size=25,
    )
)
def test_whatever_is_seen_no_two_tracks_of_one_image_share_an_id(images):
    matcher, now_ns = RigMatcher(), 0
    for camera, tracks, passed_ms in images:
        now_ns += passed_ms * 1_000_000
        targets = matcher.update(camera, [seen(camera, number, place) for number, place in tracks], now_ns)
        assert len({target.id for target in targets}) == len(tracks)
        for target in targets:
            assert np.isfinite(target.state).all()
            assert np.linalg.eigvalsh(target.covariance).min() > -1e-9


@pytest.mark.parametrize("stamp_ns", [0, -SECOND_NS])
def test_an_image_that_is_older_than_the_newest_is_taken_where_its_target_is(stamp_ns):
    matcher = RigMatcher()
    matcher.update("left", [seen("left", 1, (2, 0, 0))], SECOND_NS)
    assert matcher.update("right", [seen("right", 2, (2, 0, 0))], SECOND_NS + stamp_ns)[0].id == 1
