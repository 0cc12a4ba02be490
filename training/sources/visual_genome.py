"""Visual Genome (Krishna et al., IJCV 2017): region_descriptions.json, and images in VG_100K/ and VG_100K_2/.

The file, {regions: [{image_id, phrase, x, y, width, height}, ...]} for each image, takes several GB of memory: write
the set as shards once.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from training.annotations import AnnotatedMedia, Phrase, Regions, fractions
from training.errors import RecordError
from training.media import image_size
from vitron_ros.boxes import xyxy_from_ltwh
from vitron_ros.evaluation.datasets.files import read_json, required, value

HOW_TO_GET = "Visual Genome is at homes.cs.washington.edu/~ranjay/visualgenome"
FOLDERS = ("VG_100K", "VG_100K_2")


def visual_genome(root: Path, _: str) -> list[Callable[[], AnnotatedMedia]]:
    """The images of the set, which has no splits, each read when it is called.

    Raises:
        SourceError: the file is missing or damaged.
    """
    file = required(root / "region_descriptions.json", HOW_TO_GET)
    return [
        partial(_image, root, entry, f"{file}, entry {number}") for number, entry in enumerate(read_json(file, list))
    ]


def _image(root: Path, entry: Any, where: str) -> AnnotatedMedia:
    regions = value(entry, "regions", list, where)
    if not regions:
        raise RecordError("it has no region")
    number = value(regions[0], "image_id", int, where)
    paths = [root / folder / f"{number}.jpg" for folder in FOLDERS]
    image = next((path for path in paths if path.is_file()), paths[0])
    size = image_size(image)
    return AnnotatedMedia(
        id=str(number), media=(image,), annotation=Regions(tuple(_phrase(one, size, where) for one in regions))
    )


def _phrase(region: Any, size: tuple[int, int], where: str) -> Phrase:
    text = value(region, "phrase", str, where).strip()
    ltwh = [value(region, key, int, where) for key in ("x", "y", "width", "height")]
    box = fractions(xyxy_from_ltwh(ltwh), *size)
    if np.isnan(box).any():
        raise RecordError(f"the box of {text!r}, {ltwh}, is outside the image of {size[0]}x{size[1]}")
    x_min, y_min, x_max, y_max = box.tolist()
    return Phrase(text, ((x_min, y_min, x_max, y_max),))
