"""Flickr30k Entities (Plummer et al., ICCV 2015): Sentences/<id>.txt, Annotations/<id>.xml, {train,val,test}.txt.

A sentence has phrases, [/EN#<chain>/<type>/... words]; a chain is one entity, which may have several boxes, in the
coordinates of PASCAL, whose first pixel is 1 and whose last pixel is inside. A sample is a phrase whose chain has a
box; chain 0 is not visual. Images are in flickr30k-images/.
"""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.expression import Expression
from vitron_ros.evaluation.datasets.files import read_lines, read_text, required

HOW_TO_GET = "Flickr30k Entities is at github.com/BryanPlummer/flickr30k_entities, in annotations.zip"
IMAGES_HOW = "the images are given on request by shannon.cs.illinois.edu/DenotationGraph"
_PHRASE = re.compile(r"\[/EN#(\d+)(?:/[^\s\]]+)+ ([^\]]*)\]")
_SIDES = ("xmin", "ymin", "xmax", "ymax")


def read_flickr30k(root: Path, split: str) -> list[Expression]:
    """The phrases of a split that have boxes, sentence by sentence.

    Raises:
        SourceError: a file or an image is missing or damaged.
    """
    return [expression for read in flickr30k_entries(root, split) for expression in read()]


def flickr30k_entries(root: Path, split: str) -> Entries[list[Expression]]:
    """The images of a split, one at a time: the phrases of each that have boxes, sentence by sentence.

    Raises:
        SourceError: the list of the split is missing.
    """
    names = read_lines(required(root / f"{split}.txt", HOW_TO_GET))
    return [partial(_expressions, root, name.strip()) for name in names]


def _expressions(root: Path, name: str) -> list[Expression]:
    boxes = _boxes(required(root / "Annotations" / f"{name}.xml", HOW_TO_GET))
    image = required(root / "flickr30k-images" / f"{name}.jpg", IMAGES_HOW)
    return [
        Expression(
            name=f"{name}-{line}-{number}",
            image=image,
            text=phrase[2],
            boxes_xyxy=np.array(boxes[phrase[1]], np.float64),
            target=f"{name}-{phrase[1]}",
            sentence=_PHRASE.sub(r"\2", text).strip(),
        )
        for line, text in enumerate(read_lines(required(root / "Sentences" / f"{name}.txt", HOW_TO_GET)))
        for number, phrase in enumerate(_PHRASE.finditer(text))
        if phrase[1] in boxes
    ]


def _boxes(path: Path) -> dict[str, list[list[float]]]:
    """xyxy px of each chain that has boxes."""
    boxes = defaultdict(list)
    try:
        for item in ElementTree.fromstring(read_text(path)).iter("object"):
            if (found := item.find("bndbox")) is not None:
                x_min, y_min, x_max, y_max = (float(found.findtext(side, "")) for side in _SIDES)
                if not (1 <= x_min <= x_max < np.inf and 1 <= y_min <= y_max < np.inf):
                    raise ValueError(f"the box {[x_min, y_min, x_max, y_max]} has no area, or begins before 1")
                for chain in item.iter("name"):
                    boxes[str(chain.text)].append([x_min - 1, y_min - 1, x_max, y_max])
    except (ElementTree.ParseError, ValueError) as error:
        raise SourceError(f"{path} is damaged: {error}; fetch it again") from error
    boxes.pop("0", None)
    return dict(boxes)
