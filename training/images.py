"""Real images, as backgrounds and to calibrate with. Never trained on."""

import logging
from pathlib import Path

import cv2
import numpy as np

from vitron_ros.errors import ConfigError
from vitron_ros.frame import Image
from vitron_ros.natural_sort import natural_sorted

SUFFIXES = (".jpg", ".jpeg", ".png")

logger = logging.getLogger(__name__)


def read_images(folder: Path, most: int) -> list[Image]:
    """The JPEG and PNG images below a folder, evenly chosen.

    Raises:
        ConfigError: there is none.
    """
    paths = image_paths(folder)
    paths = paths[:: max(1, len(paths) // most)][:most]
    images = [cv2.imread(str(path), cv2.IMREAD_COLOR_RGB) for path in paths]
    found = [np.asarray(image, np.uint8) for image in images if image is not None]
    if not found:
        raise ConfigError(f"{folder} holds no JPEG or PNG image; give a folder of real frames")
    if lost := len(paths) - len(found):
        logger.warning("%d of %d images in %s cannot be read and are left out", lost, len(paths), folder)
    return found


def image_paths(folder: Path) -> list[Path]:
    """The JPEG and PNG files below a folder, in the order of their names."""
    return natural_sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
