"""The frames of a video file, with the times that the file gives them.

What a container says of its rate and its number of frames is an estimate or counts something else (the sound, the
longest stream), so neither is believed: a frame's time is its own, and a file is whole when one of its streams reaches
the end that its header names.
"""

import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame, Image
from vitron_ros.images.headers import check_size
from vitron_ros.recordings.bags import OnBad

_SAMPLE = 32  # the first packets say how many frames there are a second
_MAX_MISSING = 0.05  # of a file's length, before it counts as broken off
_TIMED = ("video", "audio", "subtitle")  # streams whose packets last as long as they say


@dataclass(frozen=True, slots=True)
class VideoTiming:
    """What a video says of its times before it is decoded.

    Attributes:
        fps: frames a second, from the times of the first; None: they have none.
        count: about how many frames there are; None: the file does not say.
    """

    fps: float | None
    count: int | None


def read_timing(path: Path) -> VideoTiming:
    """Rate and number of frames of a video.

    Raises:
        SourceError: the file is not a video.
    """
    with _open(path) as (container, stream):
        try:
            packets = list(islice((packet for packet in container.demux(stream) if packet.size), _SAMPLE))
        except av.FFmpegError:  # whoever reads the frames gets those before the damage, and then the error
            packets = []
        times = sorted(packet.pts for packet in packets if packet.pts is not None)
        periods = [later - earlier for earlier, later in pairwise(times) if later > earlier]
        fps = float(1 / (statistics.median(periods) * _time_base(stream))) if periods else None
        if times and not periods and stream.average_rate:  # one frame alone
            fps = float(stream.average_rate)
        count = stream.frames
        if not count and container.duration and fps:
            count = round(container.duration / av.time_base * fps)
        return VideoTiming(fps, count or None)


def read_video(path: Path, start_ns: int, fps: float, on_bad: OnBad) -> Iterator[Frame]:
    """Every frame, upright, in order. The first has the stamp `start_ns`.

    A frame without a time of its own comes 1 / fps after the one before, and so does the first one after the clock of
    the file went back. Frames that cannot be decoded, or only with holes, keep their place and go to `on_bad`.

    Raises:
        SourceError: the file is not a video; or, after the last frame, that it breaks off before its end.
    """
    with _open(path) as (container, stream):
        clock, reached, index = _Clock(start_ns, round(SECOND_NS / fps)), _Reached(), 0
        for item in _decoded(path, container, stream, reached):
            try:
                yield Frame(rgb=_rgb(item), stamp_ns=clock.stamp(_time_ns(item)), index=index)
            except ImageError as error:
                on_bad(index, error)
            index += 1
        length_s = _length_s(container, stream)
        missing_s = length_s - reached.end_s
        if missing_s > _MAX_MISSING * length_s + 2 * reached.period_s:
            raise SourceError(
                f"{path} breaks off after {index} frames, {missing_s:.1f} s before the end of its {length_s:.1f} s; "
                "what came before was read"
            )


@contextmanager
def _open(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    # The name is a path, whatever it looks like, and nothing that the file names is opened. FFmpeg's words are kept in
    # its errors only while the level is set.
    av.logging.set_level(av.logging.PANIC)
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except av.FFmpegError as error:
        raise SourceError(
            f"{path} is not a readable video ({_words(error)}); give mp4, mkv, avi or webm, or a bag"
        ) from error
    finally:
        av.logging.set_level(None)
    with container:
        stream = container.streams.best("video")
        is_text = container.format.name == "tty"  # FFmpeg draws the letters
        if is_text or not isinstance(stream, VideoStream):
            kinds = ["text"] if is_text else sorted({str(stream.type) for stream in container.streams})
            raise SourceError(f"{path} holds no pictures, only {', '.join(kinds) or 'nothing'}; give a video")
        yield container, stream


def _decoded(
    path: Path, container: InputContainer, stream: VideoStream, reached: "_Reached"
) -> Iterator[VideoFrame | ImageError]:
    """Frames in order, and an error for each one that is missing."""
    waiting: list[int] | None = []  # times of the packets before the first frame
    packets = container.demux()
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            raise SourceError(f"{path} breaks off ({_words(error)}); what came before was read") from error
        if packet.size:
            reached.note(packet, is_picture=packet.stream is stream)
        if packet.stream is not stream:
            continue
        if waiting is not None and packet.size and packet.pts is not None and not packet.is_discard:
            waiting.append(packet.pts)
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            yield ImageError(_words(error))
            continue
        if frames and waiting is not None:
            first = frames[0].pts
            early = [time for time in waiting if first is not None and time < first]
            yield from (ImageError("there is no key frame before it") for _ in early)
            waiting = None
        yield from frames


@dataclass(slots=True)
class _Reached:
    """How far the packets of a file go, s."""

    end_s: float = 0.0
    first_s: float | None = None
    last_s: float = 0.0
    pictures: int = 0

    def note(self, packet: "av.Packet[Any]", *, is_picture: bool) -> None:
        if packet.pts is None or packet.time_base is None:
            return
        time_s = float(packet.pts * packet.time_base)
        lasts = packet.duration if packet.duration and packet.stream.type in _TIMED else 0
        self.end_s = max(self.end_s, time_s + float(lasts * packet.time_base))
        if is_picture:
            self.first_s = time_s if self.first_s is None else self.first_s
            self.last_s = max(self.last_s, time_s)
            self.pictures += 1

    @property
    def period_s(self) -> float:
        """Between two pictures, on average."""
        return 0.0 if self.first_s is None or self.pictures < 2 else (self.last_s - self.first_s) / (self.pictures - 1)


@dataclass(slots=True)
class _Clock:
    """Stamps that advance, from the times of frames."""

    start_ns: int
    period_ns: int
    _last_ns: int | None = None
    _own_ns: int | None = None
    _offset_ns: int = field(default=0)

    def stamp(self, own_ns: int | None) -> int:
        following = self.start_ns if self._last_ns is None else self._last_ns + self.period_ns
        if own_ns is None or own_ns == self._own_ns:
            stamp_ns = following
        elif self._own_ns is None or own_ns < self._own_ns:
            self._offset_ns, stamp_ns = following - own_ns, following
        else:
            stamp_ns = own_ns + self._offset_ns
            if self._last_ns is not None:
                stamp_ns = max(stamp_ns, self._last_ns + 1)
        self._last_ns, self._own_ns = stamp_ns, self._own_ns if own_ns is None else own_ns
        return stamp_ns


def _rgb(item: VideoFrame | ImageError) -> Image:
    if isinstance(item, ImageError):
        raise item
    check_size(item.width, item.height)
    if item.is_corrupt:
        raise ImageError("the video is damaged here, and the decoder filled the holes")
    try:
        rgb = item.to_ndarray(format="rgb24")
    except (av.FFmpegError, ValueError) as error:
        raise ImageError(f"pixels of the kind {item.format.name} cannot be converted: {error}") from error
    return np.ascontiguousarray(np.rot90(rgb, item.rotation // 90), dtype=np.uint8)


def _time_ns(item: VideoFrame | ImageError) -> int | None:
    if isinstance(item, ImageError) or item.pts is None or item.time_base is None:
        return None
    return round(item.pts * item.time_base * SECOND_NS)


def _length_s(container: InputContainer, stream: VideoStream) -> float:
    """How long the header says that the file is; 0: it does not."""
    length_s = (container.duration or 0) / av.time_base
    if container.format.name == "avi" and stream.frames and stream.average_rate:
        # The length of a cut AVI is guessed from its size; its header still counts the pictures.
        length_s = max(length_s, float(stream.frames / stream.average_rate))
    return length_s


def _time_base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _words(error: av.FFmpegError) -> str:
    """What the demuxer or decoder said, else FFmpeg's sentence for its code."""
    log: Any = error.log  # level, name of the part, its words; the stub says otherwise
    return (log[2].strip() if log else "") or error.strerror or type(error).__name__
