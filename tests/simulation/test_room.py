"""The simulated camera: what it draws, where, how far away, and the same every time."""

import numpy as np
import pytest

from vitron_ros.simulation.room import CameraPose, Card, Lens, Room
from vitron_ros.worlds.clip import ObjectSpec

MUG = Card(ObjectSpec("mug", "purple", "medium", "plain"), 0.36)
SQUARE = Card(ObjectSpec("square", "green", "large", "plain"), 0.6)
EYE = CameraPose(0.0, 0.0, 0.35, 0.0)


@pytest.fixture(scope="module")
def room():
    return Room([MUG, SQUARE], Lens(), seed=2)


@pytest.mark.parametrize("place", [(2.0, 0.0, 0.35), (3.0, 0.3, 0.5), (1.8, -0.1, 0.25)])
@pytest.mark.parametrize("yaw", [-0.2, 0.0, 0.3])
def test_a_card_is_drawn_where_the_pinhole_projects_it_at_its_depth(room, place, yaw):
    camera = CameraPose(0.1, -0.1, 0.35, yaw)
    view = room.view(camera, np.array([(-5, -5, 0), place]))
    rows, columns = np.nonzero(view.instances == 2)
    right, down, ahead = camera.position_of(np.array(place))
    u, v, _ = room.lens.matrix @ [right / ahead, down / ahead, 1]
    half = room.lens.focal * SQUARE.side / ahead / 2
    assert abs((columns.min() + columns.max()) / 2 - u) <= 1
    assert abs((rows.min() + rows.max()) / 2 - v) <= 1
    assert abs((columns.max() - columns.min() + 1) / 2 - half) <= 1
    assert np.allclose(view.depth[rows, columns], ahead)
    assert view.visible[1] == pytest.approx(1, abs=0.05)


def test_a_nearer_card_hides_a_farther_one(room):
    view = room.view(EYE, np.array([(2.5, 0, 0.35), (1.5, 0, 0.35)]))
    assert view.visible.tolist() == [0, pytest.approx(1, abs=0.05)]


def test_what_is_behind_the_camera_or_outside_its_view_is_not_seen(room):
    view = room.view(EYE, np.array([(-2, 0, 0.35), (2, 4, 0.35)]))
    assert view.visible.tolist() == [0, 0]


def test_walls_and_floor_are_as_far_as_they_are(room):
    view = room.view(CameraPose(1.0, 0.0, 0.35, 0.0), np.array([(-5, 0, 0), (-5, 0, 0)]))
    middle = room.lens.height // 2
    assert np.allclose(view.depth[middle], 5.0)  # the wall at x = 6
    down = (room.lens.height - 1 - (room.lens.height - 1) / 2) / room.lens.focal
    assert np.allclose(view.depth[-1], 0.35 / down)


def test_the_same_seed_gives_the_same_image(room):
    places = np.array([(2.0, 0.2, 0.35), (2.5, -0.5, 0.35)])
    again = Room([MUG, SQUARE], Lens(), seed=2).view(EYE, places)
    assert np.array_equal(room.view(EYE, places).rgb, again.rgb)
