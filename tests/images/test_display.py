"""A window on the screen, by way of an OpenCV that has one or does not."""

import cv2
import numpy as np
import pytest

from vitron_ros.errors import ConfigError
from vitron_ros.images import display
from vitron_ros.images.display import DisplayWindow

RGB = np.zeros((4, 6, 3), np.uint8)
RGB[..., 0] = 200


@pytest.fixture
def screen(monkeypatch):
    """What is shown, and the delays in ms; `keys` are pressed one after another, then none."""
    seen = {"images": [], "delays": [], "keys": [], "visible": 1.0}
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *words: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, bgr: seen["images"].append(bgr))
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *words: seen["visible"])

    def wait(delay):
        seen["delays"].append(delay)
        return seen["keys"].pop(0) if seen["keys"] else -1

    monkeypatch.setattr(cv2, "waitKey", wait)
    monkeypatch.setattr(display.time, "monotonic_ns", lambda: 5_000_000_000)
    return seen


def test_images_are_shown_in_their_colours_no_faster_than_recorded(screen):
    window = DisplayWindow("clip")
    for stamp_ns in (0, 40_000_000, 90_000_000_000):
        window.show(RGB, stamp_ns)
    assert screen["images"][0][0, 0].tolist() == [0, 0, 200]
    assert screen["delays"] == [1, 40, 1000]


@pytest.mark.parametrize("key", [27, ord("q")])
def test_a_key_closes_it_for_good(screen, key):
    screen["keys"] += [-1, key]
    window = DisplayWindow("clip")
    for index in range(4):
        window.show(RGB, index)
    assert window.is_closed and len(screen["images"]) == 2


def test_so_does_its_own_button(screen):
    screen["visible"] = 0.0
    window = DisplayWindow("clip")
    window.show(RGB, 0)
    assert window.is_closed


def test_an_opencv_without_windows_is_named_with_the_remedy(monkeypatch):
    def fail(*words):
        raise cv2.error("not implemented")

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", fail)
    with pytest.raises(ConfigError, match="pip install opencv-contrib-python`"):
        DisplayWindow("clip")
