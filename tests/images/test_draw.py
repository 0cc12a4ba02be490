"""What a person sees on a debug image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitron_ros.images.draw import Overlay, colour_of, draw_tracks, shade_unselected
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.track import TrackState

GREY = np.full((120, 160, 3), 128, np.uint8)
BOX = np.array([40.0, 50, 120, 100])


def overlay(**changes) -> Overlay:
    return Overlay(**({"id": 1, "box_xyxy": BOX, "label": "cup", "state": "tracked", "score": 0.9} | changes))


def is_coloured(image, track_id=1):
    return (image == np.array(colour_of(track_id))).all(axis=-1)


def test_the_input_stays_as_it_is():
    frame = GREY.copy()
    frame.flags.writeable = False
    drawn = draw_tracks(frame, [overlay()], "30 fps")
    assert not np.array_equal(drawn, frame)
    assert (frame == 128).all()


def test_the_box_is_drawn_on_its_edges_and_nowhere_inside():
    drawn = draw_tracks(GREY, [overlay()])
    coloured = is_coloured(drawn)
    assert coloured[60:95, 40].all() and coloured[60:95, 119].all() and coloured[99, 45:115].all()
    assert (drawn[60:95, 50:110] == 128).all()


def side_of(state: str) -> np.ndarray:
    return is_coloured(draw_tracks(GREY, [overlay(state=state)]))[55:97, 38:43].any(axis=1)


def test_a_tracked_box_is_solid_and_a_predicted_one_dashed():
    assert side_of("tracked").all()
    dashed = side_of("predicted")
    assert 0.2 < dashed.mean() < 0.9


def test_a_lost_box_is_fainter_than_any_other():
    contrast = {
        state: np.abs(draw_tracks(GREY, [overlay(state=state)])[55:97, 36:46].astype(int) - 128).sum()
        for state in ("tracked", "predicted", "lost")
    }
    assert contrast["lost"] < contrast["predicted"] < contrast["tracked"]


def test_every_state_of_a_track_can_be_drawn_and_looks_different():
    drawn = [draw_tracks(GREY, [overlay(state=state.name.lower())]).tobytes() for state in TrackState]
    assert len(set(drawn)) == len(TrackState)


def test_colours_are_stable_and_those_of_neighbours_far_apart():
    assert colour_of(7) == colour_of(7)
    for number in range(1, 12):
        assert np.abs(np.subtract(colour_of(number), colour_of(number + 1))).sum() > 150


def test_a_mask_tints_its_pixels_only_and_has_an_outline():
    pixels = np.zeros((30, 40), np.uint8)
    pixels[5:25, 5:35] = 255
    drawn = draw_tracks(GREY, [overlay(mask=CroppedMask(pixels, x=60, y=60))])
    assert (drawn[65:85, 65:95] != 128).any(axis=-1).all()
    assert (drawn[86:95, 60:100] == 128).all() and (drawn[60:95, 55:64] == 128).all()
    assert is_coloured(drawn)[65, 65:95].all() and not is_coloured(drawn)[66:84, 66:94].any()


@pytest.mark.parametrize(("x", "y"), [(0, 0), (120, 90)])
def test_a_mask_at_the_edge_of_the_image_is_drawn(x, y):
    drawn = draw_tracks(GREY, [overlay(mask=CroppedMask(np.full((30, 40), 255, np.uint8), x, y))])
    assert is_coloured(drawn)[y, x] and is_coloured(drawn)[y + 29, x + 39]


def test_a_label_stays_inside_the_image():
    """A box in the lower right corner, with words that are wider than what is left of the image."""
    drawn = draw_tracks(GREY, [overlay(box_xyxy=np.array([120.0, 2, 158, 118]), label="a long phrase")])
    background = is_coloured(drawn)
    assert background[:, :110].sum() > 200  # pushed to the left, so that all of it can be read


def test_the_status_is_written_at_the_lower_edge():
    drawn = draw_tracks(GREY, [], "29.8 fps")
    assert (drawn[:90] == 128).all()
    assert drawn[-12:].max() > 200


coordinates = st.floats(-1e9, 1e9)


@settings(max_examples=60)
@given(
    box=st.tuples(coordinates, coordinates, coordinates, coordinates),
    label=st.text(max_size=200),
    state=st.sampled_from([state.name.lower() for state in TrackState]),
    shape=st.sampled_from([(1, 1), (8, 8), (20, 400), (120, 160)]),
)
def test_any_box_and_any_words_can_be_drawn(box, label, state, shape):
    frame = np.zeros((*shape, 3), np.uint8)
    drawn = draw_tracks(frame, [overlay(box_xyxy=np.array(box), label=label, state=state)], "status")
    assert drawn.shape == frame.shape


def test_an_unknown_state_is_a_bug_and_not_drawn_as_something_else():
    with pytest.raises(KeyError):
        draw_tracks(GREY, [overlay(state="sleeping")])


def test_a_region_is_labelled_without_number_or_state():
    drawn = [
        draw_tracks(GREY, [overlay(state="region", id=number, score=score)]) for number, score in ((1, 0.9), (1, 0.2))
    ]
    assert np.array_equal(*drawn)
    assert side_of("region").all()
    assert not np.array_equal(drawn[0], draw_tracks(GREY, [overlay(state="tracked")]))


def test_labels_of_boxes_that_share_a_corner_do_not_hide_each_other():
    marks = [overlay(state="region", id=number, label=str(number), box_xyxy=BOX + number) for number in range(1, 6)]
    together = draw_tracks(GREY, marks)
    for mark in marks:
        label = is_coloured(draw_tracks(GREY, [mark]), mark.id)[: int(mark.box_xyxy[1]) - 2].sum()
        assert label > 50
        assert is_coloured(together, mark.id).sum() >= label


def test_dropped_patches_are_dark_and_grey_and_kept_ones_as_they_were():
    rgb = np.zeros((96, 128, 3), np.uint8)
    rgb[:] = (200, 100, 50)
    kept = np.zeros((4, 4), bool)
    kept[1, 2] = True
    shaded = shade_unselected(rgb, kept)
    inside = np.zeros((96, 128), bool)
    inside[24:48, 64:96] = True
    assert (shaded[inside] == (200, 100, 50)).all()
    assert (shaded[~inside] < 60).all()
    assert (np.ptp(shaded[~inside].astype(int), axis=-1) == 0).all()
    assert (rgb == (200, 100, 50)).all()


def test_a_trajectory_fades_towards_the_past():
    path = np.array([[10.0, 20], [50, 20], [90, 20], [130, 20]])
    drawn = draw_tracks(GREY, [overlay(trajectory=path)])
    contrast = np.abs(drawn[20].astype(int) - 128).sum(axis=-1)
    assert 0 < contrast[30] < contrast[70] < contrast[110]
    assert is_coloured(drawn)[20, 110]
    assert (drawn[5] == 128).all()


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.full((1, 2), 30.0), np.array([[-1e9, 5], [1e9, 5]])])
def test_a_trajectory_of_any_points_can_be_drawn(points):
    assert draw_tracks(GREY, [overlay(trajectory=points)]).shape == GREY.shape
