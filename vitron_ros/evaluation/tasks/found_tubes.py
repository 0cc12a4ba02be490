"""A sentence in a video: when what it says is seen, and where (VidSTG, HC-STVG)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import MetricError, PredictionError, SourceError
from vitron_ros.evaluation.box_rows import boxes_from_json, boxes_to_json
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import VideoExpression
from vitron_ros.evaluation.metrics.checks import Flags
from vitron_ros.evaluation.metrics.spatio_temporal import (
    Span,
    TubeScore,
    mean_spatial_iou,
    spatio_temporal,
    tube_score,
)
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ask, model_of
from vitron_ros.evaluation.tasks.found_boxes import DECIMALS, MODEL_INPUTS
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.evaluation.video_frames import frames_at
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, Task

SAMPLED_FPS, MOST_FRAMES = 5.0, 200
TUBEDETR, PG_VIDEO_LLAVA = "tubedetr", "pg-video-llava"


@dataclass(frozen=True, slots=True)
class FoundTube(SuiteTask[VideoExpression]):
    """Boxes in the sampled frames of the used part of a video."""

    inputs = MODEL_INPUTS
    legend = "A frame in the middle of the true span: green is the truth, the other box the prediction."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            f"The model is shown {SAMPLED_FPS:g} frames a second of the used part, {MOST_FRAMES} at most, so many at a "
            "time as it takes. The predicted span is the longest run of frames with a box, the earliest of equal ones; "
            "no box is made up between others.",
            "pg-video-llava is the mean spatial IoU within the true span. VITRON's table 5, on grounding in "
            "video, is missing in the text of the paper that was read.",
        )

    def files(self, record: VideoExpression) -> tuple[Path, ...]:
        return (record.video,)

    def truth(self, record: VideoExpression) -> bytes:
        return repr((record.text, record.span, record.used, record.frames, record.fps)).encode()

    def predict(self, settings: Mapping[str, str], record: VideoExpression, *, is_drawn: bool) -> Result:
        """`frames` that were shown, with boxes or null, and `true_xyxy` of the same frames."""
        if record.span is None:
            raise SourceError("the truth of this split is with its authors; choose another")
        indices = _sampled(record)
        frames = frames_at(record.video, tuple(indices))
        replies = _ask(settings, record, frames)
        predicted = np.concatenate([_boxes(reply) for reply in replies])
        true = record.boxes_xyxy[indices]
        row: Row = {
            "name": record.name,
            "video": record.video.name,
            "text": record.text,
            "kind": record.kind,
            "statuses": sorted({reply.status.value for reply in replies}),
            "frames": indices,
            "predicted_xyxy": boxes_to_json(predicted, DECIMALS),
            "span": record.span,
            "true_xyxy": boxes_to_json(true, DECIMALS),
        }
        if is_drawn:
            seen = np.flatnonzero(np.isfinite(true).all(axis=1))
            middle = int(seen[len(seen) // 2]) if len(seen) else 0
            shown = {"truth": true[middle], "prediction": predicted[middle]}
            text = f"{record.name}, frame {indices[middle]}: {record.text}"
            row["picture"] = {"jpeg": case_picture(frames[middle].rgb, shown), "text": text}
        return row, [1000 * reply.seconds for reply in replies]

    def variants(self, run: Run) -> tuple[str, ...]:
        return TUBEDETR, PG_VIDEO_LLAVA

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        if variant == PG_VIDEO_LLAVA:
            return {row["name"]: {"mean_spatial_iou": _spatial_iou(row)} for row in run.predicted}
        scores = {row["name"]: _tube(row) for row in run.predicted}
        return {name: {"m_viou": score.viou, "m_tiou": score.tiou} for name, score in scores.items()}

    def figures(self, run: Run, variant: str) -> Figures:
        if variant == PG_VIDEO_LLAVA:
            return {"mean_spatial_iou": float(np.mean([_spatial_iou(row) for row in run.predicted]))}
        return dict(spatio_temporal([_tube(row) for row in run.predicted]))

    def cluster(self, row: Row) -> str:
        return str(row["video"])

    def groups(self, row: Row) -> Iterable[str]:
        return (row["kind"], *(f"replies: {status}" for status in row["statuses"]))


def _sampled(record: VideoExpression) -> list[int]:
    """The numbers of the frames that are shown: at SAMPLED_FPS, or MOST_FRAMES of them evenly."""
    first, end = record.used
    count = min(MOST_FRAMES, max(1, round((end - first) * SAMPLED_FPS / record.fps)), end - first)
    return [first + int(place * (end - first) / count) for place in range(count)]


def _ask(settings: Mapping[str, str], record: VideoExpression, frames: tuple[Frame, ...]) -> list[ModelReply]:
    model = model_of(settings)
    most = 1 if model.uses_newest_frame_only else model.max_frames
    parts = [frames[first : first + most] for first in range(0, len(frames), most)]
    requests = [
        ModelRequest(id=str(number), task=Task.FIND, frames=part, text=record.text) for number, part in enumerate(parts)
    ]
    return ask(settings, requests)


def _boxes(reply: ModelReply) -> Boxes:
    """(T, 4) px; nan where there is none."""
    return np.full((len(reply.stamps_ns), 4), np.nan) if reply.boxes_xyxy is None else reply.boxes_xyxy


def _arrays(row: Row) -> tuple[Boxes, Boxes, Span]:
    """Predicted and true boxes (T, 4) of the frames that were shown, and the true span in them."""
    predicted, true = (boxes_from_json(row, key) for key in ("predicted_xyxy", "true_xyxy"))
    try:
        frames, (first, end) = np.array(row["frames"]), row["span"]
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionError(f"{row['name']} has no span: {error}; run it again") from error
    within = np.flatnonzero((frames >= first) & (frames < end))
    if not len(within):
        raise MetricError(f"{row['name']}: no frame of the true span {first}..{end} was shown")
    return predicted, true, (int(within[0]), int(within[-1]) + 1)


def _tube(row: Row) -> TubeScore:
    predicted, true, span = _arrays(row)
    try:
        return tube_score(predicted, longest_run(np.asarray(np.isfinite(predicted).all(axis=1))), true, span)
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def _spatial_iou(row: Row) -> float:
    predicted, true, span = _arrays(row)
    boxes = [box[None] if np.isfinite(box).all() else np.empty((0, 4)) for box in predicted[slice(*span)]]
    try:
        return mean_spatial_iou(boxes, true[slice(*span)])
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def longest_run(has_box: Flags) -> Span:
    """First and end of the longest run of frames with a box, (T,); the first of equal ones, and 0, 0 without any."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has_box, [False]]).astype(int))).reshape(-1, 2)
    if not len(edges):
        return 0, 0
    first, end = edges[int((edges[:, 1] - edges[:, 0]).argmax())].tolist()
    return first, end
