"""The recent paths of targets."""

import numpy as np

from tests.offline.test_track_export import track
from vitron_ros.clock import SECOND_NS
from vitron_ros.streaming.overlays import Trajectories, overlays
from vitron_ros.tracking.track import TrackState

CENTRE = [25.25, 40]


def test_a_path_reaches_back_for_its_time_only():
    trajectories = Trajectories(seconds=1.0)
    for index in range(30):
        paths = trajectories.update([track(1)], index * SECOND_NS // 10)
    assert paths[1].tolist() == [CENTRE] * 11


def test_a_target_out_of_sight_adds_nothing_and_a_lost_one_begins_anew():
    trajectories = Trajectories()
    states = [TrackState.TRACKED, TrackState.PREDICTED, TrackState.TRACKED, TrackState.LOST, TrackState.TRACKED]
    lengths = [len(trajectories.update([track(1, state)], index).get(1, ())) for index, state in enumerate(states)]
    assert lengths == [1, 1, 2, 0, 1]


def test_a_clock_that_jumps_back_leaves_no_path():
    trajectories = Trajectories()
    trajectories.update([track(1)], 10 * SECOND_NS)
    assert trajectories.update([track(1)], SECOND_NS)[1].tolist() == [CENTRE]


def test_paths_are_drawn_only_where_they_are_given():
    paths = {1: np.zeros((3, 2))}
    assert [overlay.trajectory is None for overlay in overlays([track(1), track(2)], paths)] == [False, True]
    assert overlays([track(1)])[0].trajectory is None
