"""A phrase that refers to something in an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.sequence import read_frame
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Expression:
    """A phrase and what it refers to.

    Attributes:
        name: unique within its data set.
        image: the file.
        text: the phrase.
        boxes_xyxy: (N, 4) px; N is 0 where the image does not have what is meant.
        target: names what is meant; expressions with one target are captions of one region.
        sentence: the one that the phrase stands in; empty: it stands alone.
        size: width and height of the image, px; None: the set does not say.
        segmentations: N masks as COCO writes them, polygons or runs; empty: the set has boxes only.
    """

    name: str
    image: Path
    text: str
    boxes_xyxy: Boxes
    target: str
    sentence: str = ""
    size: tuple[int, int] | None = None
    segmentations: tuple[Any, ...] = ()

    def frame(self) -> Frame:
        """The image, decoded.

        Raises:
            SourceError: it cannot be.
        """
        return read_frame(self.image)

    def mask(self) -> Flags:
        """The pixels of all targets together, (H, W).

        Raises:
            SourceError: the set has no masks, one of them is damaged, or pycocotools is not installed.
        """
        if self.size is None:
            raise SourceError(f"{self.name} of {self.image} has no mask; the data set has boxes only")
        width, height = self.size
        masks = [coco_mask(segmentation, width, height, self.name) for segmentation in self.segmentations]
        return np.any(masks, axis=0) if masks else np.zeros((height, width), bool)


def coco_mask(segmentation: Any, width: int, height: int, where: str) -> Flags:
    """The mask (H, W) of an annotation of COCO: a list of polygons, or runs, as numbers or compressed.

    Raises:
        SourceError: it is neither, or pycocotools is not installed.
    """
    try:
        from pycocotools import mask as coco
    except ImportError as error:
        raise SourceError(f"COCO's masks need pycocotools ({error}); run: pip install pycocotools") from error
    try:
        if isinstance(segmentation, Mapping) and isinstance(segmentation["counts"], str):
            runs = [{"size": segmentation["size"], "counts": segmentation["counts"].encode()}]
        elif isinstance(segmentation, Mapping):
            runs = [coco.frPyObjects(segmentation, height, width)]
        elif isinstance(segmentation, Sequence) and segmentation:
            runs = coco.frPyObjects(segmentation, height, width)
        else:
            raise ValueError("it is neither polygons nor runs")
        mask = np.asarray(coco.decode(coco.merge(runs)), bool)
        if mask.shape != (height, width):
            raise ValueError(f"it has the size {mask.shape[::-1]}, not {width, height}")
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: the mask is damaged: {error}; fetch the annotations again") from error
    return mask
