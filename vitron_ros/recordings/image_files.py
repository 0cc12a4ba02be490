"""The image files of a recording: which they are, in which order, and the picture in each."""

from pathlib import Path

from vitron_ros.errors import ImageError
from vitron_ros.frame import Image
from vitron_ros.images.compressed import decode_file
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.lfs import lfs_problem
from vitron_ros.natural_sort import natural_sorted

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_OTHER_SUFFIXES = (".avif", ".bmp", ".gif", ".heic", ".heif", ".jp2", ".pgm", ".pnm", ".ppm", ".webp")
_SUBFOLDERS = ("frames", "img", "color")  # ours, that of OTB and LaSOT, that of VOT


def image_files(folder: Path) -> list[Path]:
    """The images of a sequence, in the order of their names with numbers counted as numbers.

    Those in `frames/`, `img/` or `color/`, else those in the folder itself. Images of a kind that is not read are
    among them, so that they keep their place and are named when it is their turn. Names that begin with a dot are
    not: systems put notes of their own beside the files of a person (`._001.jpg`).
    """
    for place in (*(folder / name for name in _SUBFOLDERS), folder):
        found = [path for path in place.iterdir() if _is_image(path)] if place.is_dir() else []
        if found:
            return natural_sorted(found)
    return []


def read_image(path: Path, window: IntensityWindow | None = None) -> Image:
    """The picture in a file, (H, W, 3) uint8, upright: the orientation in its EXIF data is applied.

    Args:
        window: that of the sequence that the file belongs to; None: the file is alone.

    Raises:
        ImageError: as `decode_file`, or the file cannot be read; it names the file.
    """
    try:
        return decode_file(path.read_bytes(), window)
    except OSError as error:
        raise ImageError(f"{path.name}: {error.strerror}") from error
    except ImageError as error:
        raise ImageError(lfs_problem(path) or f"{path.name}: {error}") from error


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in (*SUFFIXES, *_OTHER_SUFFIXES) and not path.name.startswith(".")
