"""The box trackers by name."""

from vitron_ros.errors import ConfigError
from vitron_ros.tracking import opencv_trackers
from vitron_ros.tracking.box_tracker import BoxTracker
from vitron_ros.tracking.default_tracker import DefaultTracker

TRACKERS = {"default": DefaultTracker, "csrt": opencv_trackers.csrt, "kcf": opencv_trackers.kcf}


def make_tracker(name: str) -> BoxTracker:
    """A fresh tracker.

    Raises:
        ConfigError: no tracker has that name, or this OpenCV lacks it.
    """
    if name not in TRACKERS:
        raise ConfigError(f"there is no tracker {name!r}; choose one of {', '.join(TRACKERS)}")
    return TRACKERS[name]()
