"""RefCOCO, RefCOCO+, RefCOCOg (Yu et al., ECCV 2016; Mao et al., CVPR 2016) and gRefCOCO (Liu et al., CVPR 2023).

<root>/<set>/refs(<split by>).p, a pickle, and instances.json in the form of COCO. The pickles hold plain containers, so
they are read by an unpickler that refuses every class; refs(<split by>).json with the same content is preferred. A
sample is one sentence. Images are COCO's train2014, found by their number: the files' names in the data do not exist.
"""

import pickle
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from vitron_ros.boxes import Boxes, xyxy_from_ltwh
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.catalogue import Entries
from vitron_ros.evaluation.datasets.expression import Expression
from vitron_ros.evaluation.datasets.files import read_json, required, value
from vitron_ros.lfs import lfs_problem

HOW_TO_GET = (
    "links to the annotations are in issues of github.com/lichengunc/refer (RefCOCO) and in the README of "
    "github.com/henghuiding/gRefCOCO"
)
IMAGES_HOW = "the images are train2014 of cocodataset.org"
IMAGE_FOLDERS = ("images/mscoco/images/train2014", "images/train2014", "train2014")
NO_TARGET = -1


def read_refcoco(name: str, split_by: str, root: Path, split: str) -> list[Expression]:
    """The sentences of a split. As the data set's own loader: "testA" takes every split with an A, "test" every test.

    Args:
        name: "refcoco", "refcoco+", "refcocog" or "grefcoco".
        split_by: "unc", "umd" or "google".

    Raises:
        SourceError: a file or an image is missing or damaged, a pickle has more than plain containers, or an
            annotation that is referred to does not exist.
    """
    found = [expression for read in refcoco_entries(name, split_by, root, split) for expression in read()]
    for image in {expression.image for expression in found}:
        required(image, IMAGES_HOW)
    return found


def refcoco_entries(name: str, split_by: str, root: Path, split: str) -> Entries[list[Expression]]:
    """The references of a split, as `read_refcoco`, one at a time: the sentences of each. Images are not looked for.

    Raises:
        SourceError: a file is missing or damaged, or has no sentence of the split.
    """
    folder = required(root / name, HOW_TO_GET)
    refs, file = _refs(folder, "grefs" if name == "grefcoco" else "refs", split_by)
    instances = required(folder / "instances.json", HOW_TO_GET)
    table = read_json(instances, dict)
    annotations, images = (
        {item.get("id"): item for item in value(table, key, list, str(instances)) if isinstance(item, Mapping)}
        for key in ("annotations", "images")
    )
    image_folder = next((root / place for place in IMAGE_FOLDERS if (root / place).is_dir()), root / IMAGE_FOLDERS[0])
    required(image_folder, IMAGES_HOW)
    found = []
    for number, ref in enumerate(refs):
        where = f"{file}, ref {number}"
        if _is_in(value(ref, "split", str, where), split):
            found.append(partial(_expressions, ref, annotations, images, image_folder, where))
    if not found:
        raise SourceError(f"{file} has no sentence of the split {split}; fetch it again")
    return found


def read_plain_pickle(path: Path) -> Any:
    """The lists, tables, numbers and texts of a pickle of Python 2 or 3; nothing of it is run.

    Raises:
        SourceError: it is damaged, or names a class or function.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="utf-8", errors="replace").load()
    except SourceError as error:
        raise SourceError(f"{path} {error}") from error
    except Exception as error:  # a cut or foreign pickle fails in any way
        raise SourceError(lfs_problem(path) or f"{path} is not a readable pickle: {error}; fetch it again") from error


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> NoReturn:
        raise SourceError(f"names {module}.{name}; such a pickle could run a program and is not read")

    def persistent_load(self, _: Any) -> NoReturn:
        raise SourceError("refers to an object outside of it; such a pickle is not read")


def _refs(folder: Path, stem: str, split_by: str) -> tuple[list[Any], Path]:
    plain, pickled = (folder / f"{stem}({split_by}).{ending}" for ending in ("json", "p"))
    if plain.is_file() or stem == "grefs":
        return read_json(required(plain, HOW_TO_GET), list), plain
    refs = read_plain_pickle(required(pickled, HOW_TO_GET))
    if not isinstance(refs, list):
        raise SourceError(f"{pickled} should hold a list; fetch it again")
    return refs, pickled


def _is_in(named: str, split: str) -> bool:
    if split in ("testA", "testB"):
        return named.startswith("test") and split[-1] in named[4:]
    return "test" in named if split == "test" else named == split


def _expressions(
    ref: Any, annotations: Mapping[Any, Any], images: Mapping[Any, Any], folder: Path, where: str
) -> list[Expression]:
    image_id, ids = value(ref, "image_id", int, where), ref.get("ann_id")
    ids = [number for number in (ids if isinstance(ids, list) else [ids]) if number != NO_TARGET]
    targets = [annotations.get(number) for number in ids]
    if image_id not in images or None in targets:
        raise SourceError(f"{where} refers to image {image_id} and annotations {ids}, which instances.json lacks")
    image = images[image_id]
    size = value(image, "width", int, where), value(image, "height", int, where)
    boxes = _boxes(targets, where)
    return [
        Expression(
            name=str(value(sentence, "sent_id", int, where)),
            image=folder / f"COCO_train2014_{image_id:012d}.jpg",
            text=value(sentence, "sent", str, where),
            boxes_xyxy=boxes,
            target=str(value(ref, "ref_id", int, where)),
            size=size,
            segmentations=tuple(target.get("segmentation") for target in targets if target),
        )
        for sentence in value(ref, "sentences", list, where)
    ]


def _boxes(targets: list[Any], where: str) -> Boxes:
    try:
        ltwh = np.array([target["bbox"] for target in targets], np.float64).reshape(-1, 4)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{where}: bbox of an annotation is not x,y,w,h; fetch instances.json again") from error
    if not np.isfinite(ltwh).all() or not (ltwh[:, 2:] > 0).all():
        raise SourceError(f"{where}: bbox of an annotation is {ltwh.tolist()}; fetch instances.json again")
    return xyxy_from_ltwh(ltwh)
