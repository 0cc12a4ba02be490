"""The box trackers by name."""

from collections.abc import Callable
from pathlib import Path

from vitron_ros.errors import ConfigError
from vitron_ros.tracking import opencv_trackers
from vitron_ros.tracking.box_tracker import BoxTracker
from vitron_ros.tracking.default_tracker import DefaultTracker

PLAIN: dict[str, Callable[[], BoxTracker]] = {
    "default": DefaultTracker,
    "csrt": opencv_trackers.csrt,
    "kcf": opencv_trackers.kcf,
}
WITH_MODEL: dict[str, Callable[[Path], BoxTracker]] = {"nano": opencv_trackers.nano, "vit": opencv_trackers.vit}
TRACKERS = (*PLAIN, *(f"{name}:FOLDER" for name in WITH_MODEL))


def make_tracker(name: str) -> BoxTracker:
    """A fresh tracker: "default", "csrt", "kcf", or "nano:FOLDER" and "vit:FOLDER" with the folder of their ONNX files.

    Raises:
        ConfigError: no tracker has that name, this OpenCV lacks it, or its model is not in the folder.
    """
    word, _, folder = name.partition(":")
    if name in PLAIN:
        return PLAIN[name]()
    if word in WITH_MODEL and folder:
        return WITH_MODEL[word](Path(folder).expanduser())
    raise ConfigError(f"there is no tracker {name!r}; choose one of {', '.join(TRACKERS)}")
