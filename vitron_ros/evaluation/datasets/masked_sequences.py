"""Sequences whose target has a mask in every frame: those of `folders` with PNG or JPEG files in <name>/masks/."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitron_ros.errors import ImageError, SourceError
from vitron_ros.evaluation.datasets.folders import box_file, load_sequence
from vitron_ros.evaluation.datasets.sequence import Sequence
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.natural_sort import natural_sorted
from vitron_ros.recordings.image_files import read_image


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskedSequence:
    """A sequence and its T mask files, in order."""

    sequence: Sequence
    mask_paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.sequence.name

    def mask(self, index: int) -> Flags:
        """The true mask of a frame, (H, W): where the file is not black.

        Raises:
            SourceError: the file cannot be decoded.
        """
        path = self.mask_paths[index]
        try:
            return np.asarray(read_image(path).any(axis=-1))
        except ImageError as error:
            raise SourceError(f"{path.parent}: {error}") from error


def load_masked_sequences(root: Path) -> list[MaskedSequence]:
    """Those of the folders in `root`, or `root` itself, that have boxes and masks, by name.

    Raises:
        SourceError: there is none, one of them cannot be read, or its frames and masks differ in number.
    """
    if not root.is_dir():
        raise SourceError(f"{root} is not a folder; give a data set of <name>/frames/ and <name>/masks/")
    folders = [path for path in (root, *natural_sorted(root.iterdir())) if box_file(path) and (path / "masks").is_dir()]
    if not folders:
        raise SourceError(f"{root} holds no sequence with masks; one is a folder with frames/, masks/, groundtruth.txt")
    return [_load(folder) for folder in folders]


def _load(folder: Path) -> MaskedSequence:
    sequence = load_sequence(folder)
    masks = tuple(natural_sorted(path for path in (folder / "masks").iterdir() if path.suffix in (".png", ".jpg")))
    if len(masks) != len(sequence):
        raise SourceError(f"{folder} has {len(sequence)} frames but {len(masks)} masks; each frame needs one")
    if not sequence.is_visible.all():
        raise SourceError(f"{folder}: a frame has no box; segmentation is measured where the target is seen")
    return MaskedSequence(sequence=sequence, mask_paths=masks)
