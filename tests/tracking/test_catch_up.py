import numpy as np
import pytest

from tests.fakes import BOX, ScriptedTracker, frame, true_box
from vitron_ros.tracking.box_history import BoxHistory, Entry
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.catch_up import CatchUp


def views(indices):
    return [(index, View(frame(index))) for index in indices]


def catch_up(**values):
    return CatchUp(ScriptedTracker(), View(frame(0)), BOX, 0, **values)


@pytest.mark.parametrize(
    ("waiting", "budget", "limit", "gone_through"),
    [
        (5, 10, 10, [1, 2, 3, 4, 5]),
        (5, 2, 10, [1, 2]),
        (5, 0, 10, []),
        (0, 4, 10, []),
        (10, 10, 5, [2, 4, 6, 8, 10]),
        (11, 10, 5, [2, 5, 8, 11]),
        (10, 1, 5, [2]),
    ],
)
def test_images_are_gone_through_in_order_and_the_newest_is_one_of_them(waiting, budget, limit, gone_through):
    made = catch_up()
    assert made.advance(views(range(1, waiting + 1)), budget, limit) == len(gone_through)
    assert [time for time, _ in made.path] == [0, *gone_through]


def test_it_arrives_although_images_keep_coming():
    made, newest = catch_up(), 60
    for _ in range(60):
        newest += 1
        made.advance(views(range(made.time_ns + 1, newest + 1)), 4, 12)
        if made.time_ns == newest:
            break
    assert made.time_ns == newest
    assert newest < 75


def test_the_path_holds_the_box_of_each_image():
    made = catch_up(score=0.7)
    made.advance(views([1, 2]), 9, 9)
    assert made.path[0][1].score == 0.7
    np.testing.assert_array_equal(made.estimate.box_xyxy, true_box(2))


@pytest.mark.parametrize(
    ("scores", "followed"),
    [([], True), ([0.9], True), ([0.1], False), ([0.9, 0.9, 0.1], True), ([0.9, 0.1, 0.1], False), ([0.1, 0.9], True)],
)
def test_a_target_that_hid_on_the_way_was_followed_and_one_that_never_was_there_not(scores, followed):
    made = CatchUp(ScriptedTracker(scores), View(frame(0)), BOX, 0)
    made.advance(views(range(1, len(scores) + 1)), 9, 9)
    assert made.was_followed(0.3) is followed


def test_history_gives_what_was_believed_and_nothing_else():
    history = BoxHistory()
    for time in (10, 20, 30):
        history.put(Entry(time, BOX + time, time / 100, time != 30))
    track_history = history.at([20, 25, 30])
    np.testing.assert_array_equal(track_history.boxes_xyxy[0], BOX + 20)
    assert np.isnan(track_history.boxes_xyxy[1]).all() and np.isnan(track_history.scores[1])
    assert track_history.is_seen.tolist() == [True, False, False]
    assert history.last_seen().time_ns == 20
    assert history.at([]).boxes_xyxy.shape == (0, 4)


def test_history_is_rewritten_from_a_time_on_and_bounded():
    history = BoxHistory()
    for time in range(1000):
        history.put(Entry(time, BOX, 1.0, True))
    assert len(history) == 300
    history.put(Entry(900, BOX + 1, 0.5, True))
    assert history.last_seen().time_ns == 900
    assert len(history) == 201
