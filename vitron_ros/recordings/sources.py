"""What frames come from, by a word on the command line: a video file, a folder, a webcam's number, a bag."""

import logging
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError, SourceError, UsageError
from vitron_ros.frame import Frame, Image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.lfs import lfs_problem
from vitron_ros.recordings.bag_files import is_bag
from vitron_ros.recordings.bags import Bag, OnBad, log_bad_frame
from vitron_ros.recordings.frame_rates import DEFAULT_FPS, MAX_FPS
from vitron_ros.recordings.image_files import SUFFIXES, image_files, read_image

_START_NS = SECOND_NS
_FPS_SAMPLE = 31  # the first images of a bag say how many it has a second
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Source:
    """A stream of frames that has been opened once to see what it is. Iterating starts it from its beginning.

    Attributes:
        name: what the user called it.
        width, height: px of the first frame; later frames of a bag or folder may differ.
        fps: frames a second, as recorded or as told.
        count: about how many frames there are; None: it is live, or its file does not say.
        frames: opens the stream; it raises SourceError where it breaks off.
        paths: the image files of a folder, by index; empty for anything else.
        is_live: it never ends by itself, and it cannot be had twice.
    """

    name: str
    width: int
    height: int
    fps: float
    count: int | None
    frames: Callable[[], Iterator[Frame]]
    paths: tuple[Path, ...] = ()
    is_live: bool = False

    def __iter__(self) -> Iterator[Frame]:
        return self.frames()


def open_source(
    text: str, *, fps: float | None = None, topic: str | None = None, on_bad: OnBad = log_bad_frame
) -> Source:
    """The source that `text` names.

    A number is a webcam. A directory or file of a recording is a bag. A folder with image files, directly or in its
    `frames/` or `img/`, is played in the order of their names; one image file is such a folder. Any other is a video.

    Stamps are a video's own times, or index / fps, on a clock that starts at 1 s with the first image that can be
    decoded, since a stamp of 0 means "none"; a bag's are its headers', a webcam's are the time of capture by the
    system's clock.

    Args:
        fps: rate of a folder (default 25) or of a webcam, or the rate to assume instead of a video's own.
        topic: the image topic of a bag that has several.
        on_bad: takes the index of each image that cannot be decoded, and why.

    Raises:
        SourceError: nothing there, nothing to see in it, or more than one thing to choose from.
        UsageError: a rate for a bag, or a topic for anything else.
    """
    if fps is not None and not 1 / MAX_FPS <= fps <= MAX_FPS:
        raise SourceError(
            f"{fps} frames a second is not a frame rate; give a number from {1 / MAX_FPS:g} to {MAX_FPS:g}"
        )
    path = Path(text)
    if re.fullmatch(r"\d+", text) and not path.exists():
        if topic is not None:
            raise UsageError(f"webcam {text} has no topics; leave the topic {topic} out")
        return _webcam(int(text), fps)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise SourceError(f"{text} is a URL, and those are not taken; save it as a file, or run a camera's node")
    if not path.exists():
        raise SourceError(f"{text} does not exist; give a video, a folder of images, a bag or a webcam's number")
    if problem := lfs_problem(path):
        raise SourceError(problem)
    if is_bag(path):
        if fps is not None:
            raise UsageError(f"{path} is a bag, whose images have their own times; leave the frame rate out")
        return _bag(path, topic, on_bad)
    if topic is not None:
        raise UsageError(f"{path} is not a bag, and has no topics; leave the topic {topic} out")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return _images_of(path, DEFAULT_FPS if fps is None else fps, on_bad)
    return _video(path, fps, on_bad)


def stamp_ns(index: int, fps: float) -> int:
    """The stamp of the frame of this number in a video or folder; frame 0 has 1 s."""
    return _START_NS + round(index * SECOND_NS / fps)


def _images_of(path: Path, fps: float, on_bad: OnBad) -> Source:
    """A folder with images, or one image."""
    paths = tuple(image_files(path)) if path.is_dir() else (path,)
    if not paths:
        raise SourceError(f"{path} has no images; put {', '.join(SUFFIXES)} files there or in {path}/frames")
    reasons: list[ImageError] = []
    first = next(_images(paths, fps, lambda index, error: reasons.append(error)), None)
    if first is None:
        what = f"none of the {len(paths)} images of {path} can" if path.is_dir() else f"{path} cannot"
        raise SourceError(f"{what} be read; {reasons[0]}")
    return Source(
        name=str(path),
        width=first.width,
        height=first.height,
        fps=fps,
        count=len(paths),
        frames=lambda: _images(paths, fps, on_bad),
        paths=paths,
    )


def _images(paths: tuple[Path, ...], fps: float, on_bad: OnBad) -> Iterator[Frame]:
    """The images that can be decoded; time begins with the first of them."""
    first: int | None = None
    window = IntensityWindow()
    for index, path in enumerate(paths):
        try:
            rgb = read_image(path, window)
        except ImageError as error:
            on_bad(index, error)
            continue
        first = index if first is None else first
        yield Frame(rgb=rgb, stamp_ns=stamp_ns(index - first, fps), index=index)


def _bag(path: Path, topic: str | None, on_bad: OnBad) -> Source:
    bag = Bag(path)
    found = bag.image_topic(topic)
    first: list[Frame] = []
    reasons: list[str] = []
    try:
        frames = bag.images(found.name, lambda index, error: reasons.append(str(error)), warn=lambda text: None)
        for frame in islice(frames, _FPS_SAMPLE):
            first.append(frame)
    except SourceError as error:  # it breaks off early; whoever iterates gets the frames first and then the error
        reasons.append(str(error))
    if not first:
        why = next(iter(reasons), "there is none")
        raise SourceError(f"no image on {found.name} of {path} can be used: {why}")
    periods = [b.stamp_ns - a.stamp_ns for a, b in pairwise(first) if b.stamp_ns > a.stamp_ns]
    return Source(
        name=str(path),
        width=first[0].width,
        height=first[0].height,
        fps=SECOND_NS / statistics.median(periods) if periods else DEFAULT_FPS,
        count=found.count,
        frames=lambda: bag.images(found.name, on_bad),
    )


def _video(path: Path, fps: float | None, on_bad: OnBad) -> Source:
    try:
        from vitron_ros.recordings.video_reader import read_timing, read_video
    except ImportError as error:
        raise SourceError(f"{path}: videos are read with PyAV ({error}); run: pip install 'av>=14'") from error

    def frames(on_bad: OnBad) -> Iterator[Frame]:
        """With their own times, or as if they came at the rate that was told."""
        for frame in read_video(path, _START_NS, rate, on_bad):
            yield frame if fps is None else replace(frame, stamp_ns=stamp_ns(frame.index, fps))

    timing = read_timing(path)
    rate = fps or _usable_rate(timing.fps or 0.0, str(path))
    reasons: list[ImageError] = []
    first = next(frames(lambda index, error: reasons.append(error)), None)
    if first is None:
        reason = reasons[0] if reasons else "it is cut off, or its codec is unknown"
        raise SourceError(f"{path} holds no frame that can be decoded: {reason}")
    return Source(
        name=str(path),
        width=first.width,
        height=first.height,
        fps=rate,
        count=timing.count,
        frames=lambda: frames(on_bad),
    )


def _webcam(number: int, fps: float | None) -> Source:
    missing = f"webcam {number} cannot be opened; is it there, is it free, may you read /dev/video{number}?"
    capture = _open_capture(number, missing)
    try:
        is_read, image = capture.read()
        own_fps = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    if not is_read:
        raise SourceError(f"webcam {number} gives no image; close other programs that use it")
    return Source(
        name=f"webcam {number}",
        width=image.shape[1],
        height=image.shape[0],
        fps=fps or _usable_rate(own_fps, f"webcam {number}"),
        count=None,
        frames=lambda: _webcam_frames(number, fps, missing),
        is_live=True,
    )


def _webcam_frames(number: int, fps: float | None, missing: str) -> Iterator[Frame]:
    capture = _open_capture(number, missing)
    if fps is not None:
        capture.set(cv2.CAP_PROP_FPS, fps)
    index = 0
    try:
        while True:
            is_read, image = capture.read()
            if not is_read:
                raise SourceError(f"webcam {number} stopped after {index} frames; plug it in again")
            yield Frame(rgb=_rgb(image), stamp_ns=time.time_ns(), index=index)
            index += 1
    finally:
        capture.release()


def _open_capture(number: int, failure: str) -> cv2.VideoCapture:
    level = cv2.utils.logging.getLogLevel()  # OpenCV would print what each of its backends lacks
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if not capture.isOpened():
        capture.release()
        raise SourceError(failure)
    return capture


def _usable_rate(fps: float, name: str) -> float:
    if np.isfinite(fps) and fps > 0:
        return fps
    _log.warning("%s does not say how many frames a second it has; %g is assumed", name, DEFAULT_FPS)
    return DEFAULT_FPS


def _rgb(bgr: cv2.typing.MatLike) -> Image:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr), np.uint8)
