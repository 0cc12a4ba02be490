"""Images and videos with captions or a class: COCO captions, MSR-VTT and UCF101, which generation is measured on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitron_ros.errors import SourceError
from vitron_ros.evaluation.datasets.files import read_json, read_lines, required, value
from vitron_ros.natural_sort import natural_sorted

COCO_HOW = "COCO's captions and images are at cocodataset.org"
MSRVTT_HOW = "MSR-VTT is at ms-multimedia-challenge.com"
UCF101_HOW = "UCF101 and its train and test lists are at crcv.ucf.edu/data/UCF101.php"
UCF101_SPLITS = ("testlist01", "testlist02", "testlist03", "trainlist01", "trainlist02", "trainlist03", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Captioned:
    """An image or a video, the sentences that describe it, and its class; what the set does not have is empty."""

    name: str
    media: Path
    captions: tuple[str, ...] = ()
    category: str = ""


def read_coco_captions(root: Path, split: str) -> list[Captioned]:
    """COCO, "val2014" and so on: the images with captions, in the order of the file.

    Raises:
        SourceError: a file or image is missing or damaged, or a caption is of no image.
    """
    found = captioned_coco(root, split)
    for image in found:
        required(image.media, COCO_HOW)
    return found


def captioned_coco(root: Path, split: str) -> list[Captioned]:
    """As `read_coco_captions`; images are not looked for.

    Raises:
        SourceError: the file is missing or damaged, or a caption is of no image.
    """
    file = required(root / "annotations" / f"captions_{split}.json", COCO_HOW)
    table, where = read_json(file, dict), str(file)
    names = {value(item, "id", int, where): item for item in value(table, "images", list, where)}
    captions = _grouped(value(table, "annotations", list, where), "image_id", names, where)
    return [
        Captioned(
            name=str(number),
            media=root / split / value(item, "file_name", str, where),
            captions=tuple(captions[number]),
        )
        for number, item in names.items()
        if captions[number]
    ]


def read_msrvtt(root: Path, split: str) -> list[Captioned]:
    """MSR-VTT, "test", "train" or "validate"; videos are found by name anywhere below the folder.

    Raises:
        SourceError: a file is missing or damaged, or a caption is of no video.
    """
    file = required(root / f"{'test' if split == 'test' else 'train_val'}_videodatainfo.json", MSRVTT_HOW)
    table, where = read_json(file, dict), str(file)
    videos = {value(item, "video_id", str, where): item for item in value(table, "videos", list, where)}
    captions = _grouped(value(table, "sentences", list, where), "video_id", videos, where)
    found = {path.stem: path for path in root.rglob("*.mp4")}
    if not found:
        raise SourceError(f"{root} holds no video; {MSRVTT_HOW}")
    return [
        Captioned(
            name=name,
            media=found.get(name, root / f"{name}.mp4"),
            captions=tuple(captions[name]),
            category=str(item.get("category", "")),
        )
        for name, item in videos.items()
        if item.get("split", split) == split
    ]


def read_ucf101(root: Path, split: str) -> list[Captioned]:
    """UCF101: the clips of testlist01.txt or another list, or "all"; the class is that of the folder.

    Raises:
        SourceError: a file is missing, or a class is not in classInd.txt.
    """
    videos, lists = required(root / "UCF-101", UCF101_HOW), root / "ucfTrainTestlist"
    lines = [line.split() for line in read_lines(required(lists / "classInd.txt", UCF101_HOW))]
    classes = {line[-1] for line in lines if line}
    if split == "all":
        names = [f"{path.parent.name}/{path.name}" for path in natural_sorted(videos.glob("*/*.avi"))]
    else:
        names = [line.split()[0] for line in read_lines(required(lists / f"{split}.txt", UCF101_HOW)) if line.strip()]
    if odd := [name for name in names if name.partition("/")[0] not in classes or ".." in name]:
        raise SourceError(f"{lists / split}: {odd[0]} is of no class of classInd.txt; {UCF101_HOW}")
    return [
        Captioned(name=Path(name).stem, media=required(videos / name, UCF101_HOW), category=name.partition("/")[0])
        for name in names
    ]


def _grouped(items: list[Any], key: str, names: dict[Any, Any], where: str) -> dict[Any, list[str]]:
    captions: dict[Any, list[str]] = {name: [] for name in names}
    for item in items:
        if not isinstance(item, dict) or item.get(key) not in captions:
            raise SourceError(f"{where}: a caption is of {key} {str(item)[:60]}, which the file does not have")
        captions[item[key]].append(value(item, "caption", str, where))
    return captions
