"""Segmentation by words: CLIPSeg (Lüddecke and Ecker, arXiv 2112.10003) and SAM 3, each frame by itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import CLIPSegForImageSegmentation, Sam3Model

from vitron_ros.boxes import Boxes
from vitron_ros.config import ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Image
from vitron_ros.model.device import find_device
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.square_image import PREPROCESSORS, SquareImage, read_normalisation
from vitron_ros.model.transformers_directory import load_pretrained, load_tokenizer, read_part
from vitron_ros.modules.module import BackendDescription, BadJob, ModuleJob, ModuleResult, Progress
from vitron_ros.modules.segmentation.marks import mask_result
from vitron_ros.modules.segmentation.sam2 import segmentation_description
from vitron_ros.tracking.soft_mask import Flags

Probability = NDArray[np.float32]

MARGIN = 0.1  # of a box's sides: how far what it marks may reach beyond it
MIN_INSTANCE_SCORE = 0.3  # of SAM 3's own post-processing
MAX_TOKENS = {"clipseg": 77, "sam3": 32}
CLASSES = {"clipseg": CLIPSegForImageSegmentation, "sam3": Sam3Model, "sam3_video": Sam3Model}
"""By model_type; of SAM 3 for video, which is how it was published, the part for images is taken."""


class SegmentationFromWords:
    """Cuts out all that a text means, in each frame; inside a box alone, where the job has one."""

    def __init__(self, network: Any, tokenizer: Any, pixels: SquareImage, description: BackendDescription) -> None:
        self._network = network
        self._tokenizer = tokenizer
        self._pixels = pixels
        self._kind = str(network.config.model_type)
        self._description = description

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> "SegmentationFromWords":
        directory = Path(source)
        kind = str(read_json(directory / "config.json").get("model_type"))
        pixels, side = read_normalisation(directory), _side(directory)
        tokenizer = load_tokenizer(directory)
        network = load_pretrained(CLASSES[kind], directory, find_device(run.device))
        made = cls(network, tokenizer, SquareImage(side, pixels, network), segmentation_description(directory))
        blank = np.zeros((32, 32, 3), np.uint8)  # what does not fit together shows in a first pass
        read_part("model", directory, lambda: made._probability(blank, "a"))
        return made

    def describe(self) -> BackendDescription:
        return self._description

    def run(self, job: ModuleJob, progress: Progress) -> ModuleResult:
        """A mask and a box for each frame. See ModuleBackend."""
        text = job.text.strip()
        if not text:
            raise BadJob(f"{self._description.name} is told by words what to cut out; give a text, such as the red mug")
        if job.region is not None and len(job.frames) > 1:
            raise BadJob(
                f"{self._description.name} follows no region through a clip; give the boxes of a track, or none"
            )
        return mask_result(self._masks(job, text), len(job.frames), progress)

    def _masks(self, job: ModuleJob, text: str) -> Iterator[Flags]:
        for index, frame in enumerate(job.frames):
            where = _where(job, index)
            mask = self._probability(frame.rgb, text) > 0.5
            yield mask if where is None else mask & where

    @torch.inference_mode()
    def _probability(self, rgb: Image, text: str) -> Probability:
        """(H, W) that each pixel is what the text means."""
        network = self._network
        tokens = self._tokenizer(text, truncation=True, max_length=MAX_TOKENS[self._kind], return_tensors="pt")
        tokens = {name: tokens[name].to(network.device) for name in ("input_ids", "attention_mask")}
        output = network(pixel_values=self._pixels(rgb), **tokens)
        if self._kind == "sam3":
            scores = output.pred_logits[0].sigmoid() * output.presence_logits[0].sigmoid()  # (N,)
            instances = output.pred_masks[0].sigmoid() * (scores > MIN_INSTANCE_SCORE)[:, None, None]  # (N, h, w)
            found = instances.amax(0)
        else:
            found = output.logits.reshape(output.logits.shape[-2:]).sigmoid()
        heat = np.ascontiguousarray(found.float().cpu().numpy())
        return np.asarray(cv2.resize(heat, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))


def _where(job: ModuleJob, index: int) -> Flags | None:
    """(H, W): where the object of a frame may be; None: anywhere."""
    height, width = job.frames[index].rgb.shape[:2]
    if job.masks:
        mask = job.masks[index]
        return np.zeros((height, width), bool) if mask is None else np.asarray(mask > 127)
    box: Boxes | None = None
    if job.region is not None:
        box = job.region.bounding_box(width, height)
    elif not job.boxes:
        return None
    else:
        box = job.boxes[index]
    where = np.zeros((height, width), bool)
    if box is not None:
        margin = MARGIN * (box[2:] - box[:2])
        left, top = np.maximum(np.floor(box[:2] - margin), 0).astype(int)
        right, bottom = np.ceil(box[2:] + margin).astype(int)
        where[top:bottom, left:right] = True
    return where


def _side(directory: Path) -> int:
    """The side in px of the images that a model was trained on.

    Raises:
        ModelError: no file of its processor says it.
    """
    for path in [directory / name for name in PREPROCESSORS if is_file(directory / name)]:
        values = read_json(path)
        nested = values.get("image_processor", values)
        size = nested.get("size") if isinstance(nested, dict) else None
        side = size.get("height") if isinstance(size, dict) else size
        if isinstance(side, int) and 0 < side <= 4096:
            return side
    raise ModelError(f"{directory} has no image processor that says the size of its images; fetch it again")
