"""Boxes for a phrase in an image (REC; GREC, where there may be none or several; phrases of Flickr30k Entities)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.box_rows import boxes_from_json
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import Expression
from vitron_ros.evaluation.metrics.referring import (
    GREC_SCORE,
    PhraseRule,
    RecRule,
    flickr30k_recall,
    grec,
    grec_f1,
    rec_accuracy,
)
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ask
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.models import BUNDLED

DECIMALS = 3  # of pixels
PUBLISHED, OWN = "score >= 0.7, as published", "the model's own cut-off"
MODEL_INPUTS = {"model": BUNDLED, "checks": "off"}


class _FoundBoxes(SuiteTask[Expression]):
    inputs: ClassVar[Mapping[str, str]] = MODEL_INPUTS
    legend = "Green is the truth, the other box the prediction."

    @property
    def protocol(self) -> tuple[str, ...]:
        return ("The model is asked once for each sentence, with the whole image. A reply without a box is wrong.",)

    def files(self, record: Expression) -> tuple[Path, ...]:
        return (record.image,)

    def truth(self, record: Expression) -> bytes:
        return record.text.encode() + b"\0" + record.boxes_xyxy.tobytes()

    def predict(self, settings: Mapping[str, str], record: Expression, *, is_drawn: bool) -> Result:
        """`boxes_xyxy` of candidates, best first, with `scores`; `kept` are those that the model stands by."""
        frame = record.frame()
        (reply,) = ask(settings, [ModelRequest(id=record.name, task=Task.FIND, frames=(frame,), text=record.text)])
        boxes, scores = found(reply)
        row: Row = {
            "name": record.name,
            "image": record.image.name,
            "text": record.text,
            "status": reply.status.value,
            "message": reply.message,
            "boxes_xyxy": boxes.round(DECIMALS).tolist(),
            "scores": scores.round(6).tolist(),
            "kept": [reply.status is ReplyStatus.OK and bool(score >= reply.needed_score(0)) for score in scores],
            "true_xyxy": record.boxes_xyxy.tolist(),
        }
        if is_drawn:
            shown = {"truth": record.boxes_xyxy, "prediction": boxes[:1]}
            row["picture"] = {"jpeg": case_picture(frame.rgb, shown), "text": f"{record.name}: {record.text}"}
        return row, [1000 * reply.seconds]

    def cluster(self, row: Row) -> str:
        return str(row["image"])

    def groups(self, row: Row) -> Iterable[str]:
        return (f"reply: {row['status']}",)


@dataclass(frozen=True, slots=True)
class OneBox(_FoundBoxes):
    """REC: the best box counts."""

    def variants(self, run: Run) -> tuple[str, ...]:
        return "minigpt-v2", "lmms-eval"

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: _one_box(row, variant) for row in run.predicted}


@dataclass(frozen=True, slots=True)
class AnyBoxes(_FoundBoxes):
    """GREC: none, one or several."""

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "The model is asked once for each sentence, with the whole image, and may find nothing, or several things.",
            "The published cut-off is on the scale of the published models' scores; those of other models may differ.",
        )

    def variants(self, run: Run) -> tuple[str, ...]:
        return PUBLISHED, OWN

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: _grec([row], variant) for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        return _grec(run.predicted, variant)


@dataclass(frozen=True, slots=True)
class RankedBoxes(_FoundBoxes):
    """Flickr30k Entities: one of the best boxes lies on one of the phrase's, or on their hull."""

    @property
    def protocol(self) -> tuple[str, ...]:
        return ("The model is asked once for each phrase, without the sentence around it.",)

    def variants(self, run: Run) -> tuple[str, ...]:
        return "any-box", "merged-box"

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        rule: PhraseRule = "any-box" if variant == "any-box" else "merged-box"
        return {row["name"]: {f"recall@{k}": _recall(row, rule, k) for k in (1, 5, 10)} for row in run.predicted}


def found(reply: ModelReply) -> tuple[Boxes, Boxes]:
    """Boxes (N, 4) px in the newest frame with scores (N,), best first; no more than one of most models."""
    if len(reply.candidates_xyxy):
        return reply.candidates_xyxy, reply.candidate_scores
    box = None if reply.boxes_xyxy is None else reply.boxes_xyxy[-1]
    if box is None or not np.isfinite(box).all():
        return np.empty((0, 4)), np.empty(0)
    return box[None], np.array([reply.score])


def _recall(row: Row, rule: PhraseRule, k: int) -> float:
    return flickr30k_recall([boxes_from_json(row, "boxes_xyxy")], [boxes_from_json(row, "true_xyxy")], rule, k)


def _one_box(row: Row, variant: str) -> Figures:
    best = boxes_from_json(row, "boxes_xyxy")[:1]
    true = boxes_from_json(row, "true_xyxy")
    is_parsed = np.array([len(best) > 0])
    try:
        rule: RecRule = "minigpt-v2" if variant == "minigpt-v2" else "lmms-eval"
        return dict(rec_accuracy(best if len(best) else np.zeros((1, 4)), true, is_parsed, rule))
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _grec(rows: list[Row], variant: str) -> Figures:
    f1, says_none = [], []
    for row in rows:
        boxes, scores = boxes_from_json(row, "boxes_xyxy"), np.array(row["scores"], np.float64)
        if variant == OWN:
            scores = np.array(row["kept"], np.float64)
        f1.append(grec_f1(boxes, scores, boxes_from_json(row, "true_xyxy")))
        says_none.append(not (scores >= GREC_SCORE).any())
    is_none = np.array([not row["true_xyxy"] for row in rows])
    return {**grec(np.array(f1), np.array(says_none), is_none), "f1": float(np.mean(f1))}
