"""How 16-bit values become grey levels: enough of them for each sensor, and the same ones from image to image."""

import numpy as np
import pytest

from vitron_ros.images.decode import decode_image
from vitron_ros.images.intensity_window import IntensityWindow


def ramp(low, high, shape=(40, 60)) -> np.ndarray:
    return np.linspace(low, high, shape[0] * shape[1]).astype(np.uint16).reshape(shape)


SENSORS = {
    "8 bits": (0, 255, 0, 8),
    "10 bits": (0, 1023, 0, 10),
    "12 bits": (16, 4080, 0, 12),
    "14 bits": (100, 16000, 0, 14),
    "16 bits": (0, 65535, 0, 16),
    "12 bits, none of them dark": (2500, 3900, 0, 12),
    "12 bits in the upper ones": (0, 4095 * 16, 0, 16),
    "thermal": (7000, 8020, 5120, 12),
    "thermal, in hundredths of a kelvin": (29315, 29900, 29184, 10),
    "all one value": (40000, 40000, 39872, 8),
    "at the upper end": (65300, 65535, 65280, 8),
}


@pytest.mark.parametrize(("low", "high", "start", "bits"), SENSORS.values(), ids=SENSORS.keys())
def test_a_sensor_has_its_grey_levels(low, high, start, bits):
    window, words = IntensityWindow(), ramp(low, high)
    grey = window.to_8_bits(words, keeps_zero=False)
    assert (window.low, window.bits) == (start, bits)
    assert np.array_equal(grey, (words - window.low) >> (window.bits - 8))
    assert grey.dtype == np.uint8
    assert len(np.unique(grey)) >= min(60, high - low + 1)


def test_what_comes_into_view_does_not_change_the_rest():
    window, background = IntensityWindow(), ramp(300, 3000)
    before = window.to_8_bits(background, keeps_zero=False)
    for value in (0, 1500, 4000):
        image = background.copy()
        image[10:20, 10:20] = value
        after = window.to_8_bits(image, keeps_zero=False)
        assert np.array_equal(after[30:], before[30:])
        assert (after[10:20, 10:20] == value >> 4).all()


def test_dead_pixels_do_not_count():
    window, image = IntensityWindow(), ramp(7000, 7500, (200, 300))
    image[7, 9], image[50, 60] = 0, 65535
    grey = window.to_8_bits(image, keeps_zero=False)
    assert (window.low, window.bits) == (6656, 10)
    assert (grey[7, 9], grey[50, 60]) == (0, 255)


def test_a_stream_changes_four_times_at_most_and_never_back():
    window, seen = IntensityWindow(), []
    generator = np.random.default_rng(3)
    for low in (*range(0, 60000, 700), *range(60000, 0, -900)):
        window.to_8_bits(ramp(low, low + int(generator.integers(1, 4000))), keeps_zero=False)
        seen.append((window.low, window.bits))
    sizes = [bits for _, bits in seen]
    assert sizes == sorted(sizes)
    assert len(set(seen)) <= 5
    window.to_8_bits(ramp(0, 3), keeps_zero=False)
    assert (window.low, window.bits) == seen[-1]


def test_colours_keep_their_ratios():
    """0 stays black in every channel, or a red would lose its blue."""
    window = IntensityWindow()
    window.to_8_bits(ramp(7000, 8000), keeps_zero=True)
    assert (window.low, window.bits) == (0, 14)


@pytest.mark.parametrize("is_bigendian", [False, True])
@pytest.mark.parametrize(("encoding", "channels"), [("rgb16", 3), ("bgr16", 3), ("rgba16", 4), ("bgra16", 4)])
def test_12_bit_colour_is_as_bright_as_8_bit_colour(encoding, channels, is_bigendian):
    """An alpha of 65535 says nothing about the colours."""
    colours = np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    words = np.full((12, 16, channels), 65535, ">u2" if is_bigendian else "<u2")
    words[..., :3] = colours.astype(np.uint16) * 16
    decoded = decode_image(encoding, 16, 12, 32 * channels, is_bigendian, words.tobytes())
    assert np.array_equal(decoded, colours if encoding.startswith("rgb") else colours[..., ::-1])


def test_it_is_told_once_and_not_of_a_full_range():
    told: list[str] = []
    window = IntensityWindow(told.append)
    window.to_8_bits(ramp(7000, 7400), keeps_zero=False)
    window.to_8_bits(ramp(2000, 9000), keeps_zero=False)
    assert len(told) == 1
    assert "between 7000 and 7399" in told[0]
    IntensityWindow(told.append).to_8_bits(ramp(0, 65000), keeps_zero=False)
    assert len(told) == 1
