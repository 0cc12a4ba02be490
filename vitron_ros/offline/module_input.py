"""What a module works on: a video, an image, a recording or a folder of images; a node takes it by its name alone."""

from itertools import islice
from pathlib import Path

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import check_setting
from vitron_ros.errors import SourceError
from vitron_ros.frame import Frame
from vitron_ros.home_folder import expanded
from vitron_ros.modules.module import BadJob, Progress
from vitron_ros.modules.settings import ModuleConfig
from vitron_ros.recordings.sources import open_source

LONGEST_NAME = 200
MOST_FILES = 100_000


def check_name(name: str) -> None:
    """Raises BadJob if a name could mean anything but one file or folder."""
    is_plain = name.isprintable() and not set(name) & {"/", "\\"} and not name.startswith(".")
    if not is_plain or not 0 < len(name) <= LONGEST_NAME:
        raise BadJob(
            f"{name[:80]!r} cannot be a name here: no separators, no dot first, at most {LONGEST_NAME} characters"
        )


def input_path(folder: str, name: str) -> Path:
    """The file or folder of a name.

    Raises:
        BadJob: there is none, or it leads out of the folder by a link.
    """
    check_name(name)
    if not folder:
        raise BadJob("this node opens no files: its parameter input_folder is empty")
    root, path = expanded(folder).resolve(), expanded(folder) / name
    if not path.exists():
        raise BadJob(f"there is no {name} in the input folder")
    inside = list(islice(path.rglob("*"), MOST_FILES + 1)) if path.is_dir() else []
    if len(inside) > MOST_FILES:
        raise BadJob(f"{name} holds more than {MOST_FILES} files")
    if any(not each.resolve().is_relative_to(root) for each in (path, *inside)):
        raise BadJob(f"{name} leads out of the input folder by a link, which is not followed")
    return path


def read_input(
    path: Path,
    config: ModuleConfig,
    progress: Progress,
    *,
    first_ns: int = 0,
    last_ns: int = 0,
    most: int | None = None,
) -> tuple[Frame, ...]:
    """The images from the first to the last stamp; 0: from the beginning, to the end.

    Args:
        progress: of the job; reading does not move it, and stops where it is cancelled.
        most: no more than these are read.

    Raises:
        BadJob: there is nothing to see there.
        TooLarge: they are beyond the limits.
    """
    frames: list[Frame] = []
    try:
        for frame in open_source(str(path)):
            progress.report(0.0)
            if frame.stamp_ns < first_ns:
                continue
            if (last_ns and frame.stamp_ns > last_ns) or len(frames) == most:
                break
            config.check_images(frame.width, frame.height, len(frames) + 1)
            frames.append(frame)
    except SourceError as error:
        if not frames:
            raise BadJob(str(error)) from error
    if not frames:
        raise BadJob(f"{path.name} has no image between the stamps {first_ns} and {last_ns} ns")
    return tuple(frames)


def read_frames(
    source: str, *, fps: float | None = None, topic: str | None = None, at_s: float | None = None
) -> tuple[Frame, ...]:
    """All images of a source, or the one seen at a time after the first.

    Raises:
        ConfigError: `at_s` is not a valid time.
        SourceError: it cannot be read, never ends, or ends before that time.
        TooLarge: there are more than the modules' nodes would take.
    """
    if at_s is not None:
        check_setting("at", at_s, {"low": 0.0})
    limits, opened = ModuleConfig(), open_source(source, fps=fps, topic=topic)
    if opened.is_live:
        raise SourceError(f"{source} never ends; record it first, or use the node command")
    frames: list[Frame] = []
    for frame in opened:
        if at_s is not None and frames and frame.stamp_ns - frames[0].stamp_ns > at_s * SECOND_NS:
            return (frames[-1],)
        if at_s is not None:  # the first, for its stamp, and the newest
            del frames[1:]
        frames.append(frame)
        limits.check_images(frame.width, frame.height, len(frames))
    if not frames:
        raise SourceError(f"{source} has no image that can be decoded")
    seconds = (frames[-1].stamp_ns - frames[0].stamp_ns) / SECOND_NS
    if at_s is not None and at_s > seconds:
        raise SourceError(f"the last image is at {seconds:.3f} s, before {at_s:g} s; give an earlier time")
    return tuple(frames[-1:] if at_s is not None else frames)
