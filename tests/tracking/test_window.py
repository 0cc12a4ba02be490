"""What the filter sees: the same in another light and at another size, and not the same of another thing."""

import cv2
import numpy as np
import pytest

from tests.tracking.scenes import scene
from vitron_ros.frame import Frame
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.window import CELL_PX, CELLS, CHANNELS, cells_per_px, cut_square, window_spectra

PLACE, SIZE = np.array([160.0, 120.0]), np.array([48.0, 48.0])


def features(view, center=PLACE, size=SIZE):
    return np.fft.irfft2(window_spectra(view, center, [size])[0], (CELLS, CELLS))


def alike(first, second):
    """Correlation of two windows, channel means removed."""
    first, second = ((part - part.mean(axis=(1, 2), keepdims=True)).ravel() for part in (first, second))
    return first @ second / np.linalg.norm(first) / np.linalg.norm(second)


def test_every_window_has_the_same_energy():
    for view in (View(scene(0, (160, 120))), View(Frame(rgb=np.full((60, 80, 3), 7, np.uint8), stamp_ns=1))):
        seen = features(view)
        assert seen.shape == (CHANNELS, CELLS, CELLS)
        assert (seen**2).mean() == pytest.approx(1, rel=1e-3)


def test_half_the_light_changes_little():
    frame = scene(0, (160, 120))
    dark = Frame(rgb=frame.rgb // 2, stamp_ns=1)
    assert alike(features(View(frame))[:5], features(View(dark))[:5]) > 0.95


@pytest.mark.parametrize("factor", [2, 3])
def test_a_larger_image_of_the_same_gives_the_same_window(factor):
    frame = scene(0, (160, 120))
    large = Frame(rgb=frame.rgb.repeat(factor, axis=0).repeat(factor, axis=1), stamp_ns=1)
    seen = features(View(large), PLACE * factor, SIZE * factor)
    assert (
        alike(features(View(frame)), seen) > 0.9 > 0.5 > alike(features(View(frame)), features(View(frame), PLACE - 60))
    )


def test_stripes_of_each_direction_are_told_apart():
    y, x = np.mgrid[:120, :120]
    waves = {angle: np.cos((x * np.cos(angle) + y * np.sin(angle)) / 3) for angle in np.arange(4) * np.pi / 4}
    windows = {}
    for angle, wave in waves.items():
        rgb = (127 + 100 * wave).astype(np.uint8)[..., None].repeat(3, axis=-1)
        windows[angle] = features(View(Frame(rgb=rgb, stamp_ns=1)), np.array([60.0, 60]), np.array([25.0, 25]))
    for angle, seen in windows.items():
        means = seen[:5, 10:30, 10:30].mean(axis=(1, 2))
        expected = [1, np.cos(2 * angle), np.sin(2 * angle), np.cos(4 * angle), np.sin(4 * angle)]
        np.testing.assert_allclose(means / means[0], expected, atol=0.15)


def test_the_gradients_are_those_of_the_definition():
    """Computed with OpenCV and whole arrays, as the definition reads."""
    view, scale = View(scene(0, (160, 120))), cells_per_px(SIZE)
    grey = cut_square(view, PLACE, scale * CELL_PX, CELLS * CELL_PX, is_grey=True)[..., 0]
    x, y = (cv2.Sobel(grey, cv2.CV_64F, *axis, ksize=1) for axis in ((1, 0), (0, 1)))
    gradient = x + 1j * y
    direction = gradient**2 / (abs(gradient) ** 2 + 1)
    double = abs(gradient) * direction.real, abs(gradient) * direction.imag
    four = abs(gradient) * (2 * direction.real**2 - 1), abs(gradient) * 2 * direction.real * direction.imag
    waves = [cv2.resize(wave, (CELLS, CELLS), interpolation=cv2.INTER_AREA) for wave in (abs(gradient), *double, *four)]
    taper = np.hanning(CELLS + 2)[1:-1]
    expected = np.array(waves) / (cv2.blur(waves[0], (3, 3)) + 2) * np.outer(taper, taper)
    seen = features(view)[:5]
    np.testing.assert_allclose(seen / seen[0].max(), expected / expected[0].max(), atol=1e-4)
