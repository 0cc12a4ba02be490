"""Whose is which box: the same as a plain search over all pairs, and as fast as many targets need it."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitron_ros.boxes import area, center, iou
from vitron_ros.clock import SECOND_NS
from vitron_ros.streaming.association import Detection, assign, nearest
from vitron_ros.streaming.fusion_decision import AGREEMENT_IOU
from vitron_ros.tracking.box_history import Entry
from vitron_ros.tracking.track import Track

NOW_NS = 3 * SECOND_NS
BOX = np.array([0.0, 0, 20, 20])
places = arrays(np.float64, 2, elements=st.integers(0, 60))
tracks_of = st.lists(st.tuples(places, st.sampled_from(["seen", "lost", "unknown"])), max_size=6)


def track(number, place, state="seen"):
    """Seen at a place now, seen there a second ago and lost since, or of a time that nobody remembers."""
    made = Track(number, BOX, 1)
    made.history.put(Entry(1, BOX, 0.9, state != "unknown"))
    if state != "unknown":
        box = BOX + np.tile(place, 2)
        made.history.put(Entry(NOW_NS - SECOND_NS, box, 0.9, True))
        made.history.put(Entry(NOW_NS, box, 0.9, state == "seen"))
    return made


def by_pairs(boxes, tracks):
    """The rule, one pair at a time."""
    owners = {}

    def give(pairs):
        for _, track_id, index in sorted(pairs):
            if track_id not in owners and index not in owners.values():
                owners[track_id] = index

    def speed(box, one):
        last = one.history.last_seen()
        if last is None:
            return np.inf
        size = max(np.sqrt(area(last.box_xyxy)), 1)
        return (
            np.linalg.norm(center(box) - center(last.box_xyxy)) / size / max((NOW_NS - last.time_ns) / SECOND_NS, 0.1)
        )

    here = {one.id: one.history.at([NOW_NS]) for one in tracks}
    seen = [one for one in tracks if here[one.id].is_seen[0]]
    pairs = list(itertools.product(seen, range(len(boxes))))
    overlaps = [(float(iou(here[one.id].boxes_xyxy[0], boxes[index])), one.id, index) for one, index in pairs]
    give([(-overlap, *pair) for overlap, *pair in overlaps if overlap >= AGREEMENT_IOU])
    for group in ([one for one in tracks if one not in seen], seen):
        give([(speed(boxes[index], one), one.id, index) for one in group for index in range(len(boxes))])
    return owners


@given(tracks_of, st.lists(places, max_size=6))
def test_boxes_go_to_the_targets_that_a_search_over_all_pairs_gives_them_to(targets, found):
    tracks = [track(number, *values) for number, values in enumerate(targets, 1)]
    boxes = np.array([BOX + np.tile(place, 2) for place in found]).reshape(-1, 4)
    assert assign(boxes, NOW_NS, tracks) == by_pairs(boxes, tracks) == assign(boxes, NOW_NS, tracks[::-1])


def test_the_nearest_of_several_lost_targets_is_the_one_that_needs_the_least_speed():
    far, near, unknown = track(1, (50, 50), "lost"), track(2, (0, 5), "lost"), track(3, (0, 0), "unknown")
    detection = Detection(BOX, NOW_NS)
    assert nearest(detection, [far, near, unknown]) is near
    assert nearest(detection, [unknown, track(4, (0, 0), "unknown")]) is unknown, "the older of two that are alike"
