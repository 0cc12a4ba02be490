"""Tracked frames as a film."""

from collections.abc import Iterable
from pathlib import Path

import cv2

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.video_writer import VideoWriter
from vitron_ros.frame import Image
from vitron_ros.images.draw import Overlay, draw_tracks


class Film(VideoWriter):
    """An MP4 of frames with overlays, in a folder that is made if need be. Use it as a context manager.

    Args:
        size: width and height of the film, px; frames of another size are stretched to it.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(f"cannot make the folder {path.parent}: {error.strerror}") from error
        super().__init__(path, fps, size)
        self._frame_size = size

    def show(self, rgb: Image, overlays: Iterable[Overlay], status: str = "") -> None:
        """Add one frame, (H, W, 3) uint8."""
        drawn = draw_tracks(rgb, list(overlays), status)
        if (drawn.shape[1], drawn.shape[0]) != self._frame_size:
            drawn = cv2.resize(drawn, self._frame_size)
        self.write(drawn)
