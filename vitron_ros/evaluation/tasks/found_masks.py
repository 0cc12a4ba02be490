"""Masks for a phrase in an image (RES, referring expression segmentation)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import Expression
from vitron_ros.evaluation.mask_rows import mask_from_json
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.referring import MaskOverlap, mask_overlap, referring_segmentation
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import NO_MODEL, ask, segmenter_of
from vitron_ros.evaluation.tasks.found_boxes import DECIMALS, MODEL_INPUTS, found
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.module_registry import Module
from vitron_ros.modules.module import EMBEDDED, ModuleJob, Progress
from vitron_ros.offline.coco_rle import encode_mask
from vitron_ros.region import Region


@dataclass(frozen=True, slots=True)
class FoundMask(SuiteTask[Expression]):
    """RES: the model finds a box, and the segmenter cuts out what is in it."""

    inputs: ClassVar[Mapping[str, str]] = {**MODEL_INPUTS, "segmenter": EMBEDDED}
    legend = "Green is the truth, the other mask the prediction."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "The model finds a box for each sentence, and the segmenter is told the box and the sentence. With --model "
            f"{NO_MODEL} it is told the sentence alone. Where nothing is found the mask is empty.",
        )

    def files(self, record: Expression) -> tuple[Path, ...]:
        return (record.image,)

    def truth(self, record: Expression) -> bytes:
        return repr((record.text, record.size, record.segmentations)).encode()

    def predict(self, settings: Mapping[str, str], record: Expression, *, is_drawn: bool) -> Result:
        frame, true = record.frame(), record.mask()
        boxes, status, ms = np.empty((0, 4)), ReplyStatus.OK, []
        if settings["model"] != NO_MODEL:
            (reply,) = ask(settings, [ModelRequest(id="", task=Task.FIND, frames=(frame,), text=record.text)])
            boxes, status, ms = found(reply)[0][:1], reply.status, [1000 * reply.seconds]
        says_none = settings["model"] != NO_MODEL and not len(boxes)
        mask = np.zeros(true.shape, bool) if says_none else _mask(settings, frame, record.text, boxes)
        row: Row = {
            "name": record.name,
            "image": record.image.name,
            "text": record.text,
            "status": status.value,
            "box_xyxy": boxes.round(DECIMALS).tolist(),
            "mask": encode_mask(mask),
            "says_no_target": says_none or not mask.any(),
            "true_mask": encode_mask(true),
        }
        if is_drawn:
            shown = case_picture(frame.rgb, {}, {"truth": true, "prediction": mask})
            row["picture"] = {"jpeg": shown, "text": f"{record.name}: {record.text}"}
        return row, ms

    def variants(self, run: Run) -> tuple[str, ...]:
        return ("rela",)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: {"iou": _overlap(row).iou} for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        return dict(referring_segmentation([_overlap(row) for row in run.predicted]))

    def cluster(self, row: Row) -> str:
        return str(row["image"])

    def groups(self, row: Row) -> Iterable[str]:
        return (f"reply: {row['status']}",)


def _mask(settings: Mapping[str, str], frame: Frame, text: str, boxes: Boxes) -> Flags:
    region = Region.from_box(boxes[0]) if len(boxes) else None
    job = ModuleJob(module=Module.IMAGE_SEGMENTATION, action="segment", text=text, frames=(frame,), region=region)
    result = segmenter_of(settings).run(job, Progress())
    return np.asarray(result.masks[0] > 127)


def _overlap(row: Row) -> MaskOverlap:
    masks = (mask_from_json(row.get(key), f"{row['name']}, {key}") for key in ("mask", "true_mask"))
    return mask_overlap(*masks, says_no_target=row["says_no_target"])
