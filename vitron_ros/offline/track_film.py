"""The film of a replay: every image with the tracks in it."""

from pathlib import Path
from typing import TYPE_CHECKING

from vitron_ros.errors import SourceError
from vitron_ros.images.draw import draw_tracks
from vitron_ros.streaming.overlays import overlays
from vitron_ros.streaming.pipeline import Report

if TYPE_CHECKING:
    from vitron_ros.recordings.video_writer import VideoWriter


class TrackFilm:
    """Films the reports that it is shown. A film that cannot be made costs nobody the tracks.

    Attributes:
        path: where the film is written; None: nowhere.
        problem: why there is no film although one is wanted; empty: nothing went wrong.
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
            self.problem = f"films are written with PyAV ({error}); run: pip install 'av>=14'"
        except SourceError as error:
            self.problem = str(error)

    def show(self, report: Report) -> None:
        if self._writer is None or report.frame is None:
            return
        try:
            self._writer.write(draw_tracks(report.frame.rgb, overlays(report.tracks)), report.frame.stamp_ns)
        except SourceError as error:
            self._writer, self.problem = None, str(error)

    def close(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.close()
        except SourceError as error:
            self.problem = str(error)
