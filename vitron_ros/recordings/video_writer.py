"""Videos of what was seen: H.264 in MP4, which browsers play, each image shown for as long as its stamps say."""

import contextlib
import os
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import av
import cv2
import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError
from vitron_ros.frame import Image

MAX_GAP_S = 60.0  # between two images; what is longer is a leap of the clock and not worth waiting for

_TICKS = 90_000  # a second, in the file
# Without B-frames: with them the length that the file states counts from the order of decoding, and is short.
_OPTIONS = {"preset": "veryfast", "crf": "21", "bf": "0"}


class VideoWriter:
    """A new MP4; an older file of that name is replaced. Use it as a context manager.

    Args:
        fps: pace where the stamps give none: they stand still, go back, or leap by more than `MAX_GAP_S`.
        size: width and height of the video, px; odd ones are made even, as the codec needs.

    Raises:
        SourceError: it cannot be opened; while writing or on closing: it cannot be completed, as on a full disk. There
            is not a file then.
    """

    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self.path = path
        self._size = (size[0] // 2 * 2, size[1] // 2 * 2)
        self._period_ns = round(SECOND_NS / fps)
        self._time_ns, self._ticks = 0, -1
        self._last_ns: int | None = None
        self._is_open = False
        if not all(self._size):
            raise SourceError(f"images of {size[0]}x{size[1]} make no video; it needs 2 pixels in each direction")
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise SourceError(
                f"{path} cannot be written; make the folder {path.parent}, or choose one you may write to"
            )
        try:
            self._container = av.open(f"file:{path}", "w", format="mp4", options={"movflags": "+faststart"})
            self._stream = self._container.add_stream("libx264", rate=_rate(fps), options=_OPTIONS)
        except av.FFmpegError as error:
            raise SourceError(f"{path} cannot be opened as an MP4: {error.strerror}; choose another place") from error
        except ValueError as error:
            self._container.close()
            raise SourceError(f"{path} cannot be coded: {error}; install av with libx264, as pip's has it") from error
        self._stream.width, self._stream.height = self._size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = Fraction(1, _TICKS)
        self._is_open = True

    def write(self, rgb: Image, stamp_ns: int) -> None:
        """Add a frame, (H, W, 3) uint8. One of another size (a camera that changed) is scaled to the video's."""
        if (rgb.shape[1], rgb.shape[0]) != self._size:
            rgb = np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        picture.pts, picture.time_base = self._advance(stamp_ns), Fraction(1, _TICKS)
        self._encode(picture)

    def close(self) -> None:
        """Finish the file."""
        if self._is_open:
            self._encode(None)
            self._is_open = False
            try:
                self._container.close()
            except av.FFmpegError as error:
                self._give_up(error)

    def _advance(self, stamp_ns: int) -> int:
        """The time of the next image, ticks."""
        if self._last_ns is not None:
            gap_ns = stamp_ns - self._last_ns
            self._time_ns += gap_ns if 0 < gap_ns <= MAX_GAP_S * SECOND_NS else self._period_ns
        self._last_ns = stamp_ns
        self._ticks = max(self._ticks + 1, round(self._time_ns * _TICKS / SECOND_NS))
        return self._ticks

    def _encode(self, picture: av.VideoFrame | None) -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except av.FFmpegError as error:
            self._give_up(error)

    def _give_up(self, error: av.FFmpegError) -> NoReturn:
        self._is_open = False
        with contextlib.suppress(av.FFmpegError):
            self._container.close()
        self.path.unlink(missing_ok=True)
        raise SourceError(
            f"{self.path} cannot be completed ({error.strerror}); the disk may be full: free space and run again"
        ) from error

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Completes the file; after an error there is none, since a film that ends early looks whole."""
        self.close()
        if error_type is not None:
            self.path.unlink(missing_ok=True)


def _rate(fps: float) -> Fraction:
    """A rate that MP4 can hold; it is a hint alone, since every image has its own time."""
    return Fraction(min(max(fps, 0.01), 1000.0)).limit_denominator(1000)
