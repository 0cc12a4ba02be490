"""The annotated video of a replay."""

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vitron_ros.errors import SourceError
from vitron_ros.frame import Image

if TYPE_CHECKING:
    from vitron_ros.recordings.video_writer import VideoWriter


class AnnotatedVideo:
    """A video that may fail without costing anybody the tracks.

    Attributes:
        path: where it is written; None: nowhere.
        problem: why there is no video although one is wanted; empty: nothing went wrong.
    """

    def __init__(self, path: Path | None, fps: float, size: tuple[int, int]) -> None:
        self.path = path
        self.problem = ""
        self._writer: VideoWriter | None = None
        if path is None:
            return
        try:
            from vitron_ros.recordings import video_writer

            self._writer = video_writer.VideoWriter(path, fps, size)
        except ImportError as error:
            self.problem = f"videos are written with PyAV ({error}); run: pip install 'av>=14'"
        except SourceError as error:
            self.problem = str(error)

    @property
    def is_open(self) -> bool:
        """Whether images are still taken."""
        return self._writer is not None

    def write(self, rgb: Image, stamp_ns: int) -> None:
        """Add an image, (H, W, 3) uint8."""
        if self._writer is None:
            return
        try:
            self._writer.write(rgb, stamp_ns)
        except SourceError as error:
            self._writer, self.problem = None, str(error)

    def __enter__(self) -> "AnnotatedVideo":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Completes the file; after an error there is none."""
        if self._writer is None:
            return
        try:
            self._writer.__exit__(error_type, error, trace)
        except SourceError as failure:
            self.problem = str(failure)
