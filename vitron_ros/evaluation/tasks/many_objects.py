"""All objects of a kind in a video, followed under ids (MOT16, MOT17, DanceTrack)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import add
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import ltwh_from_xyxy, xyxy_from_ltwh
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import MetricError, PredictionError, SourceError
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import MultiObjectSequence
from vitron_ros.evaluation.datasets.mot import TrueObjects
from vitron_ros.evaluation.metrics.checks import Values, same_length
from vitron_ros.evaluation.metrics.multi_object import MotCounts, Objects, count, mot16_objects
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import model_of
from vitron_ros.evaluation.stream_modes import SHOWN
from vitron_ros.evaluation.tasks.single_object import DEFAULT_TRACKER
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Frame
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replay import DEFAULT_LATENCY, replay
from vitron_ros.recordings.sources import stamp_ns
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.models import BUNDLED
from vitron_ros.tracking.trackers import make_tracker

DECIMALS = 2  # of pixels
MOST_TARGETS = 100
TRACKEVAL = "trackeval"
HEADLINES = ("hota", "mota", "idf1")


@dataclass(frozen=True, slots=True)
class ManyObjects(SuiteTask[MultiObjectSequence]):
    """The pipeline is told once, in words, to follow all objects of a kind."""

    inputs: ClassVar[Mapping[str, str]] = {
        "tracker": DEFAULT_TRACKER,
        "model": BUNDLED,
        "phrase": "all the people",
    }
    unit = "frame"
    legend = "The middle frame: green are the true boxes that count, the others are those of the pipeline."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "The pipeline is told a phrase and no boxes; a call of the model takes 0.2 s of the video. A model that "
            "names no candidates finds one object at most. Predictions matched to distractors are removed, as "
            "TrackEval does.",
        )

    def check(self, settings: Mapping[str, str]) -> None:
        make_tracker(settings["tracker"])

    def size(self, record: MultiObjectSequence) -> int:
        return len(record)

    def files(self, record: MultiObjectSequence) -> tuple[Path, ...]:
        return record.paths

    def truth(self, record: MultiObjectSequence) -> bytes:
        return repr(None if record.truth is None else [_true_json(frame) for frame in record.truth]).encode()

    def predict(self, settings: Mapping[str, str], record: MultiObjectSequence, *, is_drawn: bool) -> Result:
        """`tracks`, for each frame a list of id, x, y, w, h in px, and `truth`, of the same with class and flag."""
        config = PipelineConfig(tracker=settings["tracker"], max_targets=MOST_TARGETS)
        goal = ScriptedGoal(request=TrackRequest(prompt=settings["phrase"], max_targets=MOST_TARGETS))
        recording = replay(_frames(record), [goal], config, model=model_of(settings), latency=DEFAULT_LATENCY)
        if recording.broken_off:
            raise SourceError(recording.broken_off)
        shown = {item.index: [track for track in item.tracks if track.state in SHOWN] for item in recording.frames}
        tracks = [
            [[track.id, *ltwh_from_xyxy(track.box_xyxy).round(DECIMALS).tolist()] for track in shown[index]]
            for index in range(len(record))
        ]
        row: Row = {
            "name": record.name,
            "tracks": tracks,
            "truth": None if record.truth is None else [_true_json(frame) for frame in record.truth],
        }
        if is_drawn:
            row["picture"] = _picture(record, tracks)
        return row, []

    def variants(self, run: Run) -> tuple[str, ...]:
        return (TRACKEVAL,)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {name: _figures(counts) for name, counts in _counts(run).items()}

    def figures(self, run: Run, variant: str) -> Figures:
        """Counts of sequences are added, their figures never averaged."""
        return _figures(reduce(add, _counts(run).values()))


def _frames(sequence: MultiObjectSequence) -> Iterator[Frame]:
    window = IntensityWindow()
    for index in range(len(sequence)):
        yield replace(sequence.frame(index, window), stamp_ns=stamp_ns(index, sequence.fps))


def _true_json(frame: TrueObjects) -> list[list[float]]:
    ltwh = ltwh_from_xyxy(frame.objects.boxes_xyxy).tolist()
    rows = zip(frame.objects.ids.tolist(), ltwh, frame.classes.tolist(), frame.counts.tolist(), strict=True)
    return [[number, *box, kind, int(is_scored)] for number, box, kind, is_scored in rows]


def _picture(sequence: MultiObjectSequence, tracks: Sequence[Sequence[Sequence[float]]]) -> dict[str, str]:
    middle = len(sequence) // 2
    true = np.empty((0, 4))
    if sequence.truth is not None:
        frame = sequence.truth[middle]
        true = frame.objects.boxes_xyxy[frame.counts]
    boxes = {f"id {number}": xyxy_from_ltwh(np.array(box)) for number, *box in tracks[middle]}
    return {
        "jpeg": case_picture(sequence.frame(middle).rgb, {"truth": true, **boxes}),
        "text": f"{sequence.name}, frame {middle}",
    }


@lru_cache(maxsize=2)
def _counts(run: Run) -> dict[str, MotCounts]:
    if any(row["truth"] is None for row in run.predicted):
        raise PredictionError("a server keeps the truth of this split; write its archive with: vitron eval submit")
    return {row["name"]: _counted(row) for row in run.predicted}


def _counted(row: Row) -> MotCounts:
    try:
        truth = [np.array(frame, np.float64).reshape(-1, 7) for frame in row["truth"]]
        tracks = [np.array(frame, np.float64).reshape(-1, 5) for frame in row["tracks"]]
    except (TypeError, ValueError) as error:
        raise PredictionError(f"{row['name']} has no tracks: {error}; run it again") from error
    try:
        same_length(tracks=tracks, truth=truth)
        pairs = [
            mot16_objects(objects_of(true), true[:, 5].astype(np.int64), true[:, 6] != 0, objects_of(predicted))
            for true, predicted in zip(truth, tracks, strict=True)
        ]
        return count([true for true, _ in pairs], [predicted for _, predicted in pairs])
    except MetricError as error:
        raise MetricError(f"{row['name']}: {error}") from error


def objects_of(rows: Values) -> Objects:
    """The objects of one image; each row is id, x, y, w, h, and whatever follows is ignored."""
    return Objects(ids=rows[:, 0].astype(np.int64), boxes_xyxy=xyxy_from_ltwh(rows[:, 1:5]))


def _figures(counts: MotCounts) -> Figures:
    figures = counts.figures()
    return {name: figures[name] for name in (*HEADLINES, *(name for name in figures if name not in HEADLINES))}
