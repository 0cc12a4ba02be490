"""The expert modules of VITRON (arXiv 2412.19806, section 3.3): the only place that knows which there are.

A module is added by an entry here and a backend that does its actions, see docs/extending.md.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from vitron_ros.region import RegionKind

Action = Literal["segment", "remove", "replace", "recolour", "move", "background", "style", "generate", "animate"]
"""What a module can be asked to do."""
Node = Literal["segmentation", "editing", "generation"]
Input = Literal["none", "image", "clip"]
Output = Literal["images", "masks", "boxes"]

ANY_REGION = frozenset(RegionKind)
EDITS: frozenset[Action] = frozenset(("remove", "replace", "recolour", "move", "background", "style"))
SEGMENTERS_BY_WORDS = ("clipseg", "sam3", "sam3_video")
"""Types of models that cut out what a text means, and run in the node segmentation alone."""
INSTRUCTION_VERBS: dict[str, Action] = {
    "segmentation": "segment", "segment": "segment", "remove": "remove", "replace": "replace",
    "recolour": "recolour", "recolor": "recolour", "move": "move", "background": "background", "style": "style",
    "foreground": "replace", "generate": "generate", "animate": "animate",
}  # fmt: skip
"""What an invocation's instruction begins with: "recolour: the red ring to blue"."""


class Module(IntEnum):
    """The values of vitron_msgs/Invocation.module."""

    TEXT = 0
    IMAGE_GENERATION = 1
    IMAGE_SEGMENTATION = 2
    IMAGE_EDITING = 3
    VIDEO_GENERATION = 4
    IMAGE_TO_VIDEO = 5
    VIDEO_SEGMENTATION = 6
    VIDEO_EDITING = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleEntry:
    """What is known of a module.

    Attributes:
        letter: what VITRON's released code calls it; its paper writes the name.
        node: the ROS node that serves it, and the folder of `vitron_ros/modules` that holds its backends.
        actions: what it can be asked to do.
        input: what it works on: nothing, one image, or a clip of one image or more.
        regions: kinds of region that it takes; empty: none.
        outputs: what it gives back.
        makes_clip: its images are a clip, in order of time.
        changes_pictures: its images are the given ones, changed: to be done only where a user said so.
    """

    module: Module
    letter: str
    node: Node
    actions: frozenset[Action]
    input: Input
    regions: frozenset[RegionKind]
    outputs: frozenset[Output]
    makes_clip: bool = False
    changes_pictures: bool = False

    @property
    def name(self) -> str:
        """As VITRON's paper writes it, such as "Image Segmentation"."""
        return module_name(self.module)


def module_name(module: Module) -> str:
    """A module's name as VITRON's paper writes it."""
    return module.name.replace("_", " ").title()


REGISTRY: dict[Module, ModuleEntry] = {
    entry.module: entry
    for entry in (
        ModuleEntry(
            module=Module.IMAGE_GENERATION,
            letter="A",
            node="generation",
            actions=frozenset(("generate",)),
            input="none",
            regions=frozenset(),
            outputs=frozenset(("images", "masks", "boxes")),
        ),
        ModuleEntry(
            module=Module.IMAGE_SEGMENTATION,
            letter="B",
            node="segmentation",
            actions=frozenset(("segment",)),
            input="image",
            regions=ANY_REGION,
            outputs=frozenset(("masks", "boxes")),
        ),
        ModuleEntry(
            module=Module.IMAGE_EDITING,
            letter="C",
            node="editing",
            actions=EDITS,
            input="image",
            regions=ANY_REGION,
            outputs=frozenset(("images", "masks")),
            changes_pictures=True,
        ),
        ModuleEntry(
            module=Module.VIDEO_GENERATION,
            letter="D",
            node="generation",
            actions=frozenset(("generate",)),
            input="none",
            regions=frozenset(),
            outputs=frozenset(("images", "masks", "boxes")),
            makes_clip=True,
        ),
        ModuleEntry(
            module=Module.VIDEO_SEGMENTATION,
            letter="E",
            node="segmentation",
            actions=frozenset(("segment",)),
            input="clip",
            regions=ANY_REGION,
            outputs=frozenset(("masks", "boxes")),
        ),
        ModuleEntry(
            module=Module.VIDEO_EDITING,
            letter="F",
            node="editing",
            actions=EDITS,
            input="clip",
            regions=ANY_REGION,
            outputs=frozenset(("images", "masks")),
            makes_clip=True,
            changes_pictures=True,
        ),
        ModuleEntry(
            module=Module.IMAGE_TO_VIDEO,
            letter="G",
            node="generation",
            actions=frozenset(("animate",)),
            input="image",
            regions=ANY_REGION,
            outputs=frozenset(("images", "masks", "boxes")),
            makes_clip=True,
        ),
    )
}
"""Every module but TEXT, which is the language model itself."""
