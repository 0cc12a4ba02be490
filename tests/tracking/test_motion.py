"""Robust similarities and dense flow against motions that are known."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.scenes import scene
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.crop import crop_scale, take_crop
from vitron_ros.tracking.motion import FlowEstimator, fit_similarity

POINTS = np.stack(np.meshgrid(np.arange(-40, 41, 8.0), np.arange(-40, 41, 8.0)), axis=-1).reshape(-1, 2)


def turned(angle: float, scale: float) -> np.ndarray:
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@given(st.floats(-0.3, 0.3), st.floats(0.85, 1.15), st.floats(-20, 20), st.floats(-20, 20), st.integers(0, 1000))
def test_a_third_of_wild_points_changes_nothing(angle, scale, dx, dy, seed):
    rng = np.random.default_rng(seed)
    end = POINTS @ turned(angle, scale).T + [dx, dy]
    wild = rng.random(len(POINTS)) < 0.33
    wild_end = np.where(wild[:, None], POINTS + rng.uniform(-60, 60, POINTS.shape), end)
    fitted = fit_similarity(POINTS, wild_end, np.ones(len(POINTS)), rounds=8)
    np.testing.assert_allclose(POINTS @ fitted.matrix.T + fitted.shift, end, atol=1.0)
    assert fitted.scale == pytest.approx(scale, abs=0.02)


def test_without_noise_the_fit_agrees_with_opencv():
    end = POINTS @ turned(0.2, 1.1).T + [3, -5]
    fitted = fit_similarity(POINTS, end, np.ones(len(POINTS)), rounds=8)
    oracle, _ = cv2.estimateAffinePartial2D(POINTS, end)
    np.testing.assert_allclose(np.column_stack([fitted.matrix, fitted.shift]), oracle, atol=1e-3)


def test_weights_decide_between_two_motions():
    left = POINTS[:, 0] < 0
    end = POINTS + np.where(left[:, None], [4.0, 0.0], [-3.0, 2.0])
    fitted = fit_similarity(POINTS, end, np.where(left, 1.0, 0.2), rounds=5)
    np.testing.assert_allclose(fitted.shift, [4, 0], atol=0.6)


def test_flow_of_a_pan_is_the_pan_and_trusts_nothing_beyond_the_image():
    center, size = np.array([30.0, 120.0]), np.array([60.0, 60.0])
    scale = crop_scale(size)
    crops = [take_crop(View(scene(index, None, pan=4 * index)), center, scale) for index in range(2)]
    flow = FlowEstimator()(*crops)
    moved = (flow.end - flow.start)[flow.reliability > 0.5]
    np.testing.assert_allclose(np.median(moved, axis=0) / scale, [-4, 0], atol=0.3)
    beyond = crops[0].to_image(flow.start + 64)[:, 0] < 0
    assert beyond.any()
    assert (flow.reliability[beyond] == 0).all()
