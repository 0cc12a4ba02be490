"""YouTube-VOS 2019 (Xu et al., ECCV 2018): {train,valid,test}/ with JPEGImages/, Annotations/ and meta.json.

Objects may begin in the middle, and their ids may have gaps. valid and test have a label image where an object begins,
and no others; there, 0 on an older object says nothing. Which categories are unseen is known where train/meta.json is
there: those that it lacks.
"""

from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json, required, value
from vitron_ros.evaluation.datasets.labels import LabelledObject, LabelledVideo
from vitron_ros.recordings.image_files import image_files

HOW_TO_GET = "YouTube-VOS is at youtube-vos.org, after registration"


def read_youtube_vos(root: Path, split: str) -> list[LabelledVideo]:
    """The videos of a split in the order of its meta.json.

    Raises:
        SourceError: a file is missing, or meta.json names a frame or an object that is not there.
    """
    file = required(root / split / "meta.json", HOW_TO_GET)
    train = root / "train" / "meta.json"
    seen = _categories(train) if train.is_file() else None
    videos = value(read_json(file, dict), "videos", dict, str(file))
    return [_load(root / split, name, entry, seen, f"{file}, {name}") for name, entry in videos.items()]


def _categories(file: Path) -> set[str]:
    return {
        value(item, "category", str, str(file))
        for video in value(read_json(file, dict), "videos", dict, str(file)).values()
        for item in value(video, "objects", dict, str(file)).values()
    }


def _load(folder: Path, name: str, entry: Any, seen: set[str] | None, where: str) -> LabelledVideo:
    paths = image_files(required(folder / "JPEGImages" / name, HOW_TO_GET))
    labels = {path.stem: path for path in image_files(required(folder / "Annotations" / name, HOW_TO_GET))}
    stems = [path.stem for path in paths]
    if odd := sorted(labels.keys() - set(stems)):
        raise SourceError(
            f"{folder / 'Annotations' / name} has labels of frame {odd[0]}, which is missing; {HOW_TO_GET}"
        )
    objects = {}
    for number, item in value(entry, "objects", dict, where).items():
        frames, category = value(item, "frames", list, where), value(item, "category", str, where)
        if not number.isdecimal() or not frames or frames[0] not in stems or frames[0] not in labels:
            raise SourceError(f"{where}: object {number} begins in frame {frames[:1]}, which has no image or no labels")
        objects[int(number)] = LabelledObject(
            first=stems.index(frames[0]), category=category, is_seen=None if seen is None else category in seen
        )
    return LabelledVideo(
        name=name,
        paths=tuple(paths),
        label_paths=tuple(labels.get(stem) for stem in stems),
        objects=objects,
    )
