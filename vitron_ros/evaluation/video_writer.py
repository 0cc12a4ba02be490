"""Films of what was seen: MP4 files.

H.264, which browsers play, where OpenCV has an encoder for it (the one of apt has; the wheels have none), else MPEG-4
part 2, which players such as VLC and mpv play and browsers do not. `VideoWriter.codec` says which it became.
"""

import os
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.frame import Image

CODECS = {"avc1": "H.264", "mp4v": "MPEG-4 part 2"}


class VideoWriter:
    """A new MP4; an older file of that name is replaced. Use it as a context manager.

    Args:
        size: width and height of the film, px; odd ones are made even, as both codecs need.

    Attributes:
        codec: what the film is coded in.

    Raises:
        SourceError: it cannot be opened; or on closing: it is not complete, as on a full disk.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self.path = path
        self._size = (size[0] // 2 * 2, size[1] // 2 * 2)
        self._count = 0
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise SourceError(
                f"{path} cannot be written; make the folder {path.parent}, or choose one you may write to"
            )
        # A missing encoder is expected here; FFmpeg and OpenCV would each print an error for it.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            for tag, name in CODECS.items():
                self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*tag), fps, self._size)
                if self._writer.isOpened():
                    self.codec = name
                    return
        finally:
            cv2.utils.logging.setLogLevel(level)
        raise SourceError(
            f"{path} cannot be opened as an MP4 of {size[0]}x{size[1]} at {fps} frames a second; "
            "check the name and the free space, and that OpenCV was built with FFmpeg"
        )

    def write(self, rgb: Image) -> None:
        """Add a frame, (H, W, 3) uint8. One of another size than the film's (a camera that changed) is scaled to it."""
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            rgb = np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        self._writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        self._count += 1

    def close(self) -> None:
        """Finish the file and read its index back, since OpenCV reports no error of the disk."""
        if not self._writer.isOpened():
            return
        self._writer.release()
        capture = cv2.VideoCapture(str(self.path))
        found = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) if capture.isOpened() else 0
        capture.release()
        if found < self._count:
            raise SourceError(
                f"{self.path} holds {found} of {self._count} frames; the disk may be full: free space and run again"
            )

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
