"""Two cameras and the mug that goes from one to the other: one id, whatever each camera calls its own track."""

import numpy as np
import pytest

from tests.ros.colour_model import ColourModel
from vitron_ros.simulation.rig import CROSSING_S, WAIT_S, run_rig

CROSSINGS = 10


@pytest.fixture(scope="module")
def moments():
    return run_rig(ColourModel(), CROSSINGS)


def seen(moments, camera, first_s, last_s):
    """Ids that a camera's tracks had in that time."""
    return {moment.rig_id for moment in moments if moment.camera == camera and first_s <= moment.time_s < last_s}


def test_ten_of_ten_hand_overs_keep_the_id(moments):
    kept = 0
    for crossing in range(CROSSINGS):
        begin_s = WAIT_S + crossing * CROSSING_S
        before, after = ("left", "right") if crossing % 2 == 0 else ("right", "left")
        first = seen(moments, before, begin_s, begin_s + CROSSING_S / 2)
        second = seen(moments, after, begin_s + CROSSING_S / 2, begin_s + CROSSING_S)
        kept += first == second == {1}
    assert kept == CROSSINGS


def test_each_camera_alone_loses_the_mug_in_between(moments):
    for camera in ("left", "right"):
        times = np.array([moment.time_s for moment in moments if moment.camera == camera])
        assert np.count_nonzero(np.diff(times) > 0.5) >= CROSSINGS // 2 - 1


def test_the_place_is_right_while_the_mug_is_seen(moments):
    errors = np.array([moment.error for moment in moments if moment.visible > 0.9])
    assert len(errors) > 150
    assert np.percentile(errors, 95) < 0.15
