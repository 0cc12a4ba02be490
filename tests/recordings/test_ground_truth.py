"""True boxes come out of a recording as they were put in, and what is no box is refused."""

from dataclasses import replace

import numpy as np
import pytest

from vitron_ros.errors import SourceError
from vitron_ros.recordings import bag_messages
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.ground_truth import TrueBox, read_ground_truth
from vitron_ros.tracking.track import TrackState

TOPIC, SIZE = "/ground_truth", (64, 48)


def true(number=1, visibility=1.0, box_xyxy=(1, 2, 30, 40.5)):
    return TrueBox(number, f"thing {number}", np.array(box_xyxy, np.float64), visibility)


def write(path, messages):
    """messages: stamp -> tracks, recorded one ns apart."""
    with BagWriter(path) as bag:
        for log_ns, (stamp_ns, tracks) in enumerate(messages, 1):
            bag.write(TOPIC, bag_messages.track_array(tracks, stamp_ns, SIZE), log_ns)
    return path


def test_they_come_back_by_stamp(tmp_path):
    put = [true(1), true(2, 0.25, (2, 2, 30, 40.5)), true(3, 0.0)]
    truth = read_ground_truth(write(tmp_path / "bag", [(70, [box.as_track(70) for box in put]), (80, [])]))
    assert list(truth) == [70, 80]
    assert truth[80] == ()
    for box, expected in zip(truth[70], put, strict=True):
        assert (box.id, box.label, box.visibility) == (expected.id, expected.label, expected.visibility)
        assert box.box_xyxy.tolist() == expected.box_xyxy.tolist()


def test_a_stamp_that_is_no_time_is_an_error(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        message = bag_messages.track_array([], 70, SIZE)
        message.header.stamp.nanosec = 10**9
        bag.write(TOPIC, message, 70)
    with pytest.raises(SourceError, match="true boxes on /ground_truth cannot be used: its stamp"):
        read_ground_truth(tmp_path / "bag")


def test_two_messages_with_one_stamp_are_an_error(tmp_path):
    path = write(tmp_path / "bag", [(70, []), (70, [])])
    with pytest.raises(SourceError, match=r"has two messages of 0\.000000070 s; which is true"):
        read_ground_truth(path)


@pytest.mark.parametrize("state", [TrackState.PREDICTED, TrackState.LOST, TrackState.ENDED])
def test_of_an_object_that_is_not_seen_nothing_is_in_sight(state, tmp_path):
    track = replace(true(1, 0.9).as_track(70), state=state)
    assert read_ground_truth(write(tmp_path / "bag", [(70, [track])]))[70][0].visibility == 0


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        ([true(box_xyxy=(np.nan, 2, 30, 40))], r"/ground_truth: object 1 at 0\.000000070 s is \[nan, 2"),
        ([true(box_xyxy=(1, 2, np.inf, 40))], "which is not a box"),
        ([true(box_xyxy=(1, 2, 1, 40))], "has no area"),
        ([true(visibility=1.5)], r"has the visibility 1\.5"),
        ([true(), true()], r"object 1 is twice at 0\.000000070 s"),
    ],
)
def test_what_is_no_box_is_refused_with_its_stamp(boxes, says, tmp_path):
    path = write(tmp_path / "bag", [(60, [true().as_track(60)]), (70, [box.as_track(70) for box in boxes])])
    with pytest.raises(SourceError, match=says):
        read_ground_truth(path)


def test_a_bag_without_true_boxes_says_so(tmp_path):
    with BagWriter(tmp_path / "bag") as bag:
        bag.write("/tracks", bag_messages.track_array([], 70, SIZE), 70)
    with pytest.raises(SourceError, match="no true boxes: there is no topic /ground_truth"):
        read_ground_truth(tmp_path / "bag")
