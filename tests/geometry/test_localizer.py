"""Tracks in space from a scene whose truth is known, and a reason wherever there is no position."""

import numpy as np
import pytest

from tests.geometry.flat_scene import CAMERA, SIZE, FlatScene, disc, pole, ring
from vitron_ros.config import DepthConfig
from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.localizer import Localizer
from vitron_ros.geometry.track_3d import Status
from vitron_ros.geometry.transform import Transform
from vitron_ros.tracking.track import TrackState

RNG = np.random.default_rng(0)


def localizer(**changes):
    made = Localizer(DepthConfig(**changes))
    made.set_camera(CAMERA)
    return made


def locate(scene, depth=None, *, made=None, masked=True, **changes):
    """The only track of one image with its depth."""
    made = made or localizer(**changes)
    made.add_depth(scene.depth() if depth is None else depth)
    made.add_image(scene.image(masked=masked))
    (result,) = made.take(is_last=True)
    return result, result.tracks[0]


def error(scene, track):
    return np.linalg.norm(track.position - scene.position) / np.linalg.norm(scene.position)


@pytest.mark.parametrize("distance", [0.4, 1.0, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
def test_a_position_is_within_two_percent_of_the_range(distance, encoding):
    scene = FlatScene((0.15 * distance, -0.1 * distance, distance))
    result, track = locate(scene, scene.depth(encoding=encoding))
    assert track.status is Status.OK
    assert error(scene, track) < 0.01
    assert result.frame_id == "lens"
    assert result.depth_stamp_ns == result.stamp_ns
    np.testing.assert_allclose(track.size[:2], 0.24, rtol=0.1)


@pytest.mark.parametrize("shape", [disc, ring, pole])
@pytest.mark.parametrize("holes", [0.0, 0.3, 0.7])
def test_holes_rings_and_thin_things_do_not_draw_the_background_in(shape, holes):
    """The middle of a ring's box, and nearly all of a pole's, is wall."""
    scene = FlatScene((0.1, 0.05, 2.5), shape=shape)
    metres = np.where(RNG.random(scene.metres.shape) < holes, 0.0, scene.metres)
    _, track = locate(scene, scene.depth(metres=metres))
    assert track.status is Status.OK
    assert error(scene, track) < 0.01


def test_noise_widens_the_covariance_and_the_error_stays_within_it():
    errors = []
    for _ in range(40):
        scene = FlatScene((0.4, -0.2, 3.0))
        metres = scene.metres + RNG.normal(0, 0.03, scene.metres.shape)
        _, track = locate(scene, scene.depth(metres=metres))
        miss = track.position - scene.position
        errors.append(miss @ np.linalg.solve(track.covariance, miss))
        assert (np.linalg.eigvalsh(track.covariance) > 0).all()
    assert np.mean(errors) < 3  # of three dimensions it would be 3 if the covariance were as small as it may be


@pytest.mark.parametrize("size", [(320, 240), (1280, 960), (160, 120)])
@pytest.mark.parametrize("has_info", [False, True])
def test_depth_of_another_size_shows_the_same_view(size, has_info):
    scene, made = FlatScene(), localizer()
    columns, rows = (np.arange(side) * other // side for side, other in zip(size, SIZE, strict=True))
    if has_info:
        made.set_depth_camera(CAMERA.resized(size))
    _, track = locate(scene, scene.depth(metres=scene.metres[np.ix_(rows, columns)]), made=made)
    assert track.status is Status.OK
    assert error(scene, track) < 0.01


def test_depth_with_a_narrower_view_goes_by_its_own_camera_info():
    """The middle 400x300 of the image's view, as the depth sensor sees it."""
    scene, made = FlatScene((0.2, -0.1, 2.0)), localizer()
    made.set_depth_camera(CameraModel(focal=CAMERA.focal, middle=CAMERA.middle - [120, 90], size=(400, 300),
                                      distortion=np.zeros(0)))  # fmt: skip
    part = scene.metres[90:390, 120:520]
    _, track = locate(scene, scene.depth(metres=part), made=made)
    assert error(scene, track) < 0.01
    _, outside = locate(FlatScene((-0.9, 0, 2.0)), scene.depth(metres=part), made=made)
    assert outside.status is Status.NO_VALUES


def test_a_box_alone_will_do_where_the_tracker_makes_no_masks():
    _, track = locate(FlatScene(), masked=False)
    assert track.status is Status.OK
    assert error(FlatScene(), track) < 0.01


def test_a_lens_that_bends_lines_is_straightened():
    bent = CameraModel(
        focal=CAMERA.focal, middle=CAMERA.middle, size=SIZE, distortion=np.array([-0.3, 0.1, 0.0, 0.0, 0.0])
    )
    true = np.array([0.9, 0.6, 2.0])
    shift = bent.project(true[:2] / true[2]) - CAMERA.project([0.0, 0.0])
    moved = FlatScene(np.append(shift / CAMERA.focal * 2.0, 2.0))  # the same disc, drawn where the lens shows it
    made = localizer()
    made.set_camera(bent)
    _, track = locate(moved, made=made)
    assert np.linalg.norm(track.position - true) < 0.01 * np.linalg.norm(true)
    assert np.linalg.norm(moved.position - true) > 0.04, "the test would not notice a lens that is ignored"


def blank(scene, value):
    return scene.depth(metres=np.full_like(scene.metres, value))


@pytest.mark.parametrize(
    ("make_depth", "status", "said"),
    [
        (lambda scene: blank(scene, 0.0), Status.NO_VALUES, ""),
        (lambda scene: scene.depth(metres=np.where(scene.silhouette > 0, 0.0, 3.0)), Status.NO_VALUES, ""),
        (lambda scene: blank(scene, 0.05 + 0.06 * (RNG.random() > 2)), Status.WRONG_UNIT, "look like metres"),
        (lambda scene: scene.depth(metres=np.where(scene.silhouette > 0, 0.05, 3.0)), Status.OUT_OF_RANGE, ""),
        (lambda scene: blank(scene, 30.0), Status.OUT_OF_RANGE, ""),
        (lambda scene: scene.depth(metres=scene.metres / 1000), Status.WRONG_UNIT, "look like metres"),
        (lambda scene: scene.depth(metres=scene.metres * 1000, encoding="32FC1"), Status.WRONG_UNIT, "millimetres"),
        (lambda scene: scene.depth(metres=RNG.uniform(1, 15, scene.metres.shape)), Status.AMBIGUOUS, ""),
        (lambda scene: scene.depth(metres=scene.metres[:, :400]), Status.DEPTH_MISMATCH, "another shape"),
        (lambda scene: scene.depth(frame_id="depth_lens"), Status.DEPTH_MISMATCH, "registered"),
        (lambda scene: scene.depth(stamp_ms=200), Status.NO_DEPTH, "depth_window=0.05"),
        (lambda scene: scene.depth(stamp_ms=-51), Status.NO_DEPTH, "depth_window=0.05"),
    ],
)
def test_nothing_rather_than_a_wrong_position(make_depth, status, said):
    scene, made = FlatScene(), localizer()
    result, track = locate(scene, make_depth(scene), made=made)
    assert track.status is status
    assert said in result.problem
    assert np.isnan([*track.position, *track.covariance.ravel(), *track.velocity, *track.size]).all()
    assert made.counts == {status: 1}


@pytest.mark.parametrize("state", [TrackState.PREDICTED, TrackState.LOST, TrackState.ENDED])
def test_a_target_that_is_not_seen_has_no_position(state):
    scene, made = FlatScene(), localizer()
    made.add_depth(scene.depth())
    made.add_image(scene.image(tracks=(scene.track(state), scene.track(number=2))))
    (result,) = made.take()
    assert [track.status for track in result.tracks] == [Status.NOT_SEEN, Status.OK]


def test_what_is_missing_of_the_camera_is_said():
    scene, made = FlatScene(), Localizer(DepthConfig())
    made.add_depth(scene.depth())
    made.add_image(scene.image())
    made.refuse_depth("never mind")
    (result,) = made.take()
    assert result.tracks[0].status is Status.NO_CAMERA_INFO
    made.refuse_camera("K is zero")
    made.add_image(scene.image(10))
    assert made.take()[0].problem == "K is zero"
    made.set_camera(CAMERA.resized((320, 240)))
    made.add_image(scene.image(20))
    (result,) = made.take()
    assert (result.tracks[0].status, "320x240" in result.problem) == (Status.BAD_CAMERA_INFO, True)


def test_an_unreadable_depth_image_is_named_until_a_good_one_comes():
    scene, made = FlatScene(), localizer()
    made.refuse_depth("encoding 'rgb8' is no depth")
    made.add_image(scene.image())
    (result,) = made.take(is_last=True)
    assert (result.tracks[0].status, result.problem) == (Status.BAD_DEPTH, "encoding 'rgb8' is no depth")
    assert locate(scene, made=made)[1].status is Status.OK


def test_an_image_waits_for_depth_that_arrives_late():
    """Depth 200 ms late, as from a sensor that computes it: the images keep their order and find their own."""
    scene, made, done = FlatScene(), localizer(), []
    for index in range(12):
        made.add_image(scene.image(33 * index))
        if index >= 6:
            made.add_depth(scene.depth(33 * (index - 6)))
        taken = made.take()
        assert len(taken) == (1 if index >= 6 else 0)
        done += taken
    assert all(result.stamp_ns == result.depth_stamp_ns for result in done)
    assert all(result.tracks[0].status is Status.OK for result in done)


def test_an_image_gives_up_waiting_after_depth_wait():
    scene, made, ages = FlatScene(), localizer(depth_wait=0.1), []
    for index in range(9):
        made.add_image(scene.image(33 * index))
        ages += [33 * index - (result.stamp_ns // 1_000_000 - 1000) for result in made.take()]
    assert set(ages) == {132}  # the first image time above 100 ms


def test_an_image_without_a_seen_target_waits_for_nothing():
    made = localizer()
    made.add_image(FlatScene().image(tracks=()))
    (result,) = made.take()
    assert result.tracks == ()


@pytest.mark.parametrize(("period", "expected"), [(66, {0, 33}), (100, {0, 33, 34, 1})])
def test_depth_of_a_lower_rate_serves_the_images_beside_it(period, expected):
    """At once: no image waits for a depth image that could not be nearer."""
    scene, made, away = FlatScene(), localizer(), []
    for stamp in range(2000):
        if stamp % period == 0:
            made.add_depth(scene.depth(stamp))
        if stamp % 33 == 0:
            made.add_image(scene.image(stamp))
        away += [abs(result.depth_stamp_ns - result.stamp_ns) // 1_000_000 for result in made.take()]
    assert max(away) <= period / 2
    assert len(away) >= 60 - 4


def test_memory_stays_bounded_without_depth_and_without_images():
    scene, made = FlatScene(), localizer(depth_wait=10.0)
    for index in range(100):
        made.add_image(scene.image(index))
        made.take()
    assert len(made.take(is_last=True)) <= 33
    for index in range(100):
        made.add_depth(scene.depth(index))
    assert made.counts[Status.NO_DEPTH] == 100


def test_a_recording_that_begins_anew_begins_anew_here():
    scene, made = FlatScene(), localizer()
    locate(FlatScene(), scene.depth(9000), made=made)
    made.add_image(scene.image(9000))
    assert made.take()[0].tracks[0].status is Status.OK
    assert locate(scene, made=made)[1].status is Status.OK


def run(made, path, period_ms=33):
    """The last track of a target on a path of (time in s) -> position."""
    for index in range(30):
        scene = FlatScene(path(index * period_ms / 1000))
        made.add_depth(scene.depth(index * period_ms))
        made.add_image(scene.image(index * period_ms))
        (result,) = made.take()
        yield result.tracks[0]


def test_velocity_is_in_metres_a_second():
    velocity = np.array([0.3, -0.1, 0.8])
    tracks = list(run(localizer(), lambda t: (0.0, 0.1, 1.5) + velocity * t))
    assert np.isnan(tracks[2].velocity).all()
    np.testing.assert_allclose(tracks[-1].velocity, velocity, atol=0.03)


def test_positions_and_velocities_are_those_of_the_target_frame():
    """The optical axis of a camera that looks along x of the robot, 0.5 m above its origin."""
    optical_to_base = Transform.from_quaternion(-0.5, 0.5, -0.5, 0.5, np.array([0.0, 0.0, 0.5]))
    made = Localizer(DepthConfig(), "base_link", lambda frame_id, stamp_ns: optical_to_base)
    made.set_camera(CAMERA)
    tracks = list(run(made, lambda t: (0.2, -0.1, 2.0 + 0.5 * t)))
    np.testing.assert_allclose(tracks[0].position, [2.0, -0.2, 0.6], atol=0.01)
    np.testing.assert_allclose(tracks[-1].velocity, [0.5, 0, 0], atol=0.03)
    assert tracks[0].covariance[0, 0] == pytest.approx(
        locate(FlatScene((0.2, -0.1, 2.0)))[1].covariance[2, 2], rel=1e-6
    )


def test_an_image_waits_for_its_transform_and_goes_without():
    known = {}
    made = Localizer(DepthConfig(), "map", lambda frame_id, stamp_ns: known.get(stamp_ns))
    made.set_camera(CAMERA)
    scene = FlatScene()
    for index in range(14):
        made.add_depth(scene.depth(33 * index))
        made.add_image(scene.image(33 * index))
        results = made.take()
        assert len(results) == (1 if index >= 10 else 0)
    assert results[0].tracks[0].status is Status.NO_TRANSFORM
    assert "'map'" in results[0].problem
    known.update({(1000 + 33 * index) * 1_000_000: Transform.from_quaternion(0, 0, 0, 1, np.zeros(3))
                  for index in range(14)})  # fmt: skip
    assert [result.tracks[0].status for result in made.take()] == [Status.OK] * 10
