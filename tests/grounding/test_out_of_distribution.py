"""What looks like the footage that a model was trained on."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.fakes import frame
from vitron_ros.errors import ModelError
from vitron_ros.grounding.out_of_distribution import FIRST_FRAMES, FirstFrames, OutOfDistributionDetector


def features(count: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    """Correlated features (count, 6) of very different spread; `shift` spreads away in the direction of least."""
    rng = np.random.default_rng(seed)
    mix = np.linalg.qr(np.random.default_rng(99).normal(size=(6, 6)))[0]
    spread = np.array([10, 5, 3, 2, 1, 0.5])
    points = rng.normal(size=(count, 6)) * spread
    points[:, 5] += shift * spread[5]
    return (points @ mix + 3).astype(np.float32)


@pytest.fixture(scope="module")
def known() -> OutOfDistributionDetector:
    return OutOfDistributionDetector.fit(features(2000))


def test_few_of_what_it_knows_is_strange_and_all_of_what_lies_apart(known):
    share = 1 - known.knows(features(4000, seed=1)).mean()
    assert 0.005 < share < 0.05  # 0.02 is set
    # Far in the direction that hardly varies, and near by any plain distance.
    assert not known.knows(features(200, seed=2, shift=12)).any()


def test_distances_are_mahalanobis_of_the_shrunk_covariance(known):
    data = features(2000).astype(np.float64)
    covariance = np.cov(data.T)
    shrunk = 0.95 * covariance + 0.05 * np.trace(covariance) / 6 * np.eye(6)
    points = features(5, seed=3)
    wanted = [(p - data.mean(0)) @ np.linalg.solve(shrunk, p - data.mean(0)) for p in points.astype(np.float64)]
    np.testing.assert_allclose(known.distances(points), wanted, rtol=1e-4)


def test_more_channels_than_frames_still_give_a_limit():
    data = np.random.default_rng(0).normal(size=(40, 100)).astype(np.float32)
    known = OutOfDistributionDetector.fit(data)
    assert np.isfinite(known.limit) and known.knows(data).all()
    assert known.knows(np.random.default_rng(1).normal(size=(100, 100)).astype(np.float32)).mean() > 0.8


def test_saved_and_loaded_it_is_the_same(known, tmp_path):
    known.save(tmp_path)
    again = OutOfDistributionDetector.load(tmp_path, 6)
    assert again.limit == known.limit
    np.testing.assert_array_equal(again.precision, known.precision)
    assert OutOfDistributionDetector.load(tmp_path / "nowhere", 6) is None


def test_too_few_frames_are_refused():
    with pytest.raises(ValueError, match="9 frames are too few"):
        OutOfDistributionDetector.fit(features(9))


GOOD = {"mean": np.zeros(3, np.float32), "precision": np.eye(3, dtype=np.float32), "limit": np.array(1.0)}


@pytest.mark.parametrize(
    "tensors",
    [
        b"no safetensors",
        {"mean": GOOD["mean"]},
        GOOD | {"precision": np.eye(2, dtype=np.float32)},
        GOOD | {"mean": np.zeros((3, 1), np.float32)},
        GOOD | {"limit": np.array(np.nan)},
        GOOD | {"limit": np.zeros(2)},
        GOOD | {"limit": np.array(-1.0)},
        GOOD | {"precision": np.full((3, 3), np.inf, np.float32)},
        GOOD | {"mean": np.zeros(3, np.int32)},
        GOOD | {"mean": np.zeros(2, np.float32), "precision": np.eye(2, dtype=np.float32)},
    ],
    ids=["damaged", "incomplete", "misshaped", "mean", "nan", "limits", "negative", "infinite", "whole", "another"],
)
def test_a_file_that_does_not_fit_is_refused(tensors, tmp_path):
    path = tmp_path / "out_of_distribution.safetensors"
    path.write_bytes(tensors) if isinstance(tensors, bytes) else save_file(tensors, path)
    with pytest.raises(ModelError, match="fetch or export the model again"):
        OutOfDistributionDetector.load(tmp_path, 3)


HOME, AWAY = features(1)[0] * 0 + features(2000).mean(0), features(1, shift=50)[0]


@pytest.mark.parametrize(
    ("looks", "are_out_of_distribution"),
    [
        ([], False),
        ([AWAY], True),
        ([HOME, AWAY], False),
        ([AWAY, AWAY, HOME], True),
        ([HOME] * FIRST_FRAMES + [AWAY] * 50, False),
    ],
    ids=["none", "one", "half", "most", "later"],
)
def test_most_of_a_cameras_first_frames_decide(known, looks, are_out_of_distribution):
    first = FirstFrames(known)
    for index, look in enumerate(looks):
        first.add(frame(index), look)
    assert first.are_out_of_distribution is are_out_of_distribution


def test_each_camera_is_looked_at_by_itself_and_each_frame_once(known):
    first = FirstFrames(known)
    for index in range(4):
        first.add(frame(index, camera="left"), HOME)
    first.add(frame(0, camera="right"), HOME)
    for _ in range(3):
        first.add(frame(1, camera="right"), AWAY)
    assert not first.are_out_of_distribution
    first.add(frame(2, camera="right"), AWAY)
    assert first.are_out_of_distribution


def test_without_a_file_nothing_is_strange():
    first = FirstFrames(None)
    assert not first.wants(frame())
    first.add(frame(), AWAY)
    assert not first.are_out_of_distribution
