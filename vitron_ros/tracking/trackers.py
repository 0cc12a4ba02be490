"""The box trackers by name."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.home_folder import expanded
from vitron_ros.tracking import opencv_trackers
from vitron_ros.tracking.box_tracker import BoxTracker
from vitron_ros.tracking.default_tracker import DefaultTracker

if TYPE_CHECKING:
    from vitron_ros.model.sam2 import Sam2Network

PLAIN: dict[str, Callable[[], BoxTracker]] = {
    "default": DefaultTracker,
    "csrt": opencv_trackers.csrt,
    "kcf": opencv_trackers.kcf,
}


@lru_cache(maxsize=1)
def _sam2_network(folder: Path) -> "Sam2Network":
    """On the GPU where torch sees one, and the same for all targets of all cameras."""
    import torch

    from vitron_ros.model.checkpoint import find_checkpoint
    from vitron_ros.model.sam2 import Sam2Network, check_kind

    directory = find_checkpoint(folder, check_kind)
    return Sam2Network.load(directory, torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def _sam2(folder: Path) -> BoxTracker:
    """SAM 2 or EdgeTAM, by a folder in transformers' layout or a hub id; torch is imported here and nowhere before."""
    try:
        network = _sam2_network(folder)
    except ModelError as error:
        raise ConfigError(str(error)) from error
    from vitron_ros.tracking.sam2_tracker import Sam2Tracker

    return Sam2Tracker(network)


WITH_MODEL: dict[str, Callable[[Path], BoxTracker]] = {
    "nano": opencv_trackers.nano,
    "vit": opencv_trackers.vit,
    "sam2": _sam2,
}
TRACKERS = (*PLAIN, *(f"{name}:FOLDER" for name in WITH_MODEL))


def make_tracker(name: str) -> BoxTracker:
    """A fresh tracker: "default", "csrt", "kcf", or "nano:FOLDER", "vit:FOLDER" and "sam2:FOLDER" with their model's.

    sam2 takes a hub id in place of a folder, too, and fetches it if need be.

    Raises:
        ConfigError: no tracker has that name, this OpenCV lacks it, or its model is not in the folder.
    """
    word, _, folder = name.partition(":")
    if name in PLAIN:
        return PLAIN[name]()
    if word in WITH_MODEL and folder:
        return WITH_MODEL[word](expanded(folder))
    raise ConfigError(f"there is no tracker {name!r}; choose one of {', '.join(TRACKERS)}")
