"""A window on the screen."""

import os
import sys
import time

import cv2

from vitron_ros.errors import ConfigError
from vitron_ros.frame import Image

MAX_DELAY_MS = 1000  # between two images; longer gaps are not waited for
_ESCAPE = 27
_HAS_OTHER_DISPLAY = ("darwin", "win32")


class DisplayWindow:
    """Shows images no faster than their stamps say. Esc, q or the window's own button close it.

    Attributes:
        is_closed: the user has closed it; no more images are shown.

    Raises:
        ConfigError: there is no display, or this OpenCV has no windows.
    """

    def __init__(self, title: str) -> None:
        self.is_closed = False
        self._title = title
        self._start: tuple[int, int] | None = None  # time and stamp of the first image, ns
        # Looked at first: an OpenCV with Qt ends the process where there is no display.
        if sys.platform not in _HAS_OTHER_DISPLAY and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise ConfigError(
                "there is no display for --show; run it on a desktop or with `ssh -X`, or write a video with --out"
            )
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
        except cv2.error as error:
            raise ConfigError(
                "this OpenCV has no windows for --show; run `pip uninstall opencv-contrib-python-headless`, "
                "then `pip install opencv-contrib-python`"
            ) from error

    def show(self, rgb: Image, stamp_ns: int) -> None:
        """Show an image, (H, W, 3) uint8, and wait until the next may be due."""
        if self.is_closed:
            return
        cv2.imshow(self._title, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(self._delay_ms(stamp_ns)) & 0xFF
        is_gone = cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        if key in (_ESCAPE, ord("q")) or is_gone:
            self.is_closed = True
            self.close()

    def close(self) -> None:
        cv2.destroyAllWindows()

    def _delay_ms(self, stamp_ns: int) -> int:
        now_ns = time.monotonic_ns()
        if self._start is None:
            self._start = now_ns, stamp_ns
        ahead_ns = (stamp_ns - self._start[1]) - (now_ns - self._start[0])
        if ahead_ns < 0:  # slower than the recording: go on from here
            self._start = now_ns, stamp_ns
        return min(max(1, round(ahead_ns / 1e6)), MAX_DELAY_MS)
