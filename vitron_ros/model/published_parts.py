"""What a published checkpoint takes from other repositories: a tokenizer, an adapter, vision towers.

A part lies in a folder of its name inside the checkpoint's directory or beside it, or in the hub's cache; else it is
fetched there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vitron_ros.errors import ModelError
from vitron_ros.model import hub
from vitron_ros.model.files import is_file
from vitron_ros.model.hub import Download
from vitron_ros.model.tokenizer import JSON_NAME, SENTENCEPIECE_NAME
from vitron_ros.model.weights import ADAPTER_CONFIG

Layout = Literal["elysium", "vitron"]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a published model.

    Attributes:
        id: on the hub.
        name: for a person.
        mark: a file that its folder has.
        files: patterns of what is fetched of it; none: all of a model.
    """

    id: str
    name: str
    mark: str
    files: tuple[str, ...] = ()

    def plan(self) -> Download:
        """What of it is to be fetched. Raises ModelError where the hub or the repository cannot be reached."""
        if self.files:
            return hub.plan_files(self.id, self.files)
        return hub.plan_download(self.id, takes_pickles=lambda config: True)


TOKENIZER = Part("lmsys/vicuna-7b-v1.5", "tokenizer", SENTENCEPIECE_NAME, (SENTENCEPIECE_NAME,))
ADAPTER = Part(
    "Vitron/vitron-lora", "adapter", ADAPTER_CONFIG, (ADAPTER_CONFIG, "adapter_model.*", "non_lora_trainables.*")
)
IMAGE_TOWER = Part("LanguageBind/LanguageBind_Image", "image tower", hub.CONFIG)
VIDEO_TOWER = Part("LanguageBind/LanguageBind_Video_merge", "video tower", hub.CONFIG)
WEIGHT_PARTS = {  # of VITRON, by the beginning of the names of the weights that a base has if it needs no such part
    ADAPTER: "model.region_extractor.",
    IMAGE_TOWER: "model.image_tower.",
    VIDEO_TOWER: "model.video_tower.",
}


def parts_of(layout: Layout, files: Collection[str], weights: Collection[str]) -> list[Part]:
    """The parts that a checkpoint lacks.

    Args:
        files, weights: names of those that it has; no weights: unknown, so that all but the adapter are taken to be
            there.
    """
    parts = [] if {JSON_NAME, SENTENCEPIECE_NAME} & set(files) else [TOKENIZER]
    if layout == "vitron":
        has = {part: any(name.startswith(prefix) for name in weights) for part, prefix in WEIGHT_PARTS.items()}
        parts += [part for part in WEIGHT_PARTS if not has[part] and (weights or part is ADAPTER)]
    return parts


def part_folder(part: Part, beside: Path) -> Path:
    """The folder of a part of the checkpoint in a directory.

    Raises:
        ModelError: it is not there and cannot be fetched.
    """
    name = part.id.rpartition("/")[2]
    for folder in (beside / name, beside.parent / name, hub.cached_folder(part.id)):
        if folder is not None and is_file(folder / part.mark):
            return folder
    try:
        download = part.plan()
        hub.announce(download)
        return hub.fetch(download)
    except ModelError as error:
        raise ModelError(
            f"{beside} needs the {part.name} of {part.id}: {error}; or put it into the folder {beside / name}"
        ) from error


def plan_model(layout: Layout, download: Download) -> list[Download]:
    """The download of a published model, and those of the parts that it lacks."""
    names = [file.name for file in download.files]
    return [download, *(part.plan() for part in parts_of(layout, names, download.weights))]
