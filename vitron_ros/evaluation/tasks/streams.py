"""Long clips in which targets hide and return, followed in one mode with a model that takes its time."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import ClassVar, cast

import numpy as np

from vitron_ros.boxes import Boxes, iou
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.box_rows import boxes_to_json
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import Dataset, load_sequences
from vitron_ros.evaluation.metrics.long_term import Published, TargetScore, score
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ORACLE, model_of
from vitron_ros.evaluation.stream import ClipScore, figures
from vitron_ros.evaluation.stream_clips import StreamClip, clip_of_sequence, load_clips
from vitron_ros.evaluation.stream_modes import BOX_MODES, MODES, Mode, follow
from vitron_ros.evaluation.stream_oracle import OracleErrors, OracleModel
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.recordings.frame_rates import DEFAULT_FPS
from vitron_ros.streaming.models import BUNDLED
from vitron_ros.tracking.trackers import make_tracker

CLIPS, BOXES = "clips", "boxes"
PHRASE, BOX = "phrase", "box"
DECIMALS = 2  # of pixels


def stream_clips(fps: float = DEFAULT_FPS) -> Dataset[StreamClip]:
    """Clips with truth.json; the split "boxes": sequences of a tracking set, at that frame rate."""
    return Dataset("clips of a folder", (CLIPS, BOXES), partial(_read, fps))


def _read(fps: float, root: Path, split: str) -> list[StreamClip]:
    if split == CLIPS:
        return load_clips(root)
    return [clip_of_sequence(sequence, fps) for sequence in load_sequences(root)]


@dataclass(frozen=True, slots=True)
class Stream(SuiteTask[StreamClip]):
    """One mode at one latency of the model."""

    inputs: ClassVar[Mapping[str, str]] = {
        "mode": "full",
        "latency_ms": "200",
        "start": PHRASE,
        "tracker": "default",
        "model": BUNDLED,
        "oracle": ",".join(str(value) for value in asdict(OracleErrors()).values()),
    }
    unit = "frame"
    legend = "The frame with the lowest IoU of each clip's first target: green is the truth, the other box was shown."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "The model takes the latency of the settings for each call, in the time of the clip. auc is over the "
            "frames in which a target is visible; a frame without a box counts 0. The age of boxes is in latency.json.",
        )

    def check(self, settings: Mapping[str, str]) -> None:
        make_tracker(settings["tracker"])
        allowed = BOX_MODES if settings["start"] == BOX else MODES
        if settings["mode"] not in allowed:
            start = " with --box-init" if settings["start"] == BOX else ""
            raise ConfigError(f"there is no mode {settings['mode']}{start}; there are {', '.join(allowed)}")
        if not settings["latency_ms"].isdecimal():
            raise ConfigError(f"the latency {settings['latency_ms']!r} is not a whole number of milliseconds")
        _errors(settings["oracle"])

    def size(self, record: StreamClip) -> int:
        return len(record)

    def files(self, record: StreamClip) -> tuple[Path, ...]:
        return record.paths

    def truth(self, record: StreamClip) -> bytes:
        truth = record.truth
        arrays = (truth.boxes_xyxy, truth.full_boxes_xyxy, truth.visible)
        return repr((truth.fps, truth.targets)).encode() + b"".join(array.tobytes() for array in arrays)

    def predict(self, settings: Mapping[str, str], record: StreamClip, *, is_drawn: bool) -> Result:
        """For each target what was published, and its figures; the milliseconds are the ages of all its boxes."""
        published = follow(
            cast(Mode, settings["mode"]),
            record,
            PipelineConfig(tracker=settings["tracker"]),
            _model(settings, record),
            int(settings["latency_ms"]) / 1000,
            from_box=settings["start"] == BOX,
        )
        truths = [record.truth.of_object(target.object) for target in record.truth.targets]
        row: Row = {
            "name": record.name,
            "targets": [
                {
                    "phrase": target.phrase,
                    "kind": target.kind,
                    "ids": one.ids.tolist(),
                    "boxes_xyxy": boxes_to_json(one.boxes_xyxy, DECIMALS),
                    "is_seen": one.is_seen.tolist(),
                    "figures": asdict(score(truth, one)),
                }
                for target, truth, one in zip(record.truth.targets, truths, published, strict=True)
            ],
        }
        if is_drawn:
            row["picture"] = _picture(record, truths[0].boxes_xyxy, published[0])
        ages_ms = np.concatenate([one.ages_ms for one in published])
        return row, ages_ms[np.isfinite(ages_ms)].round(3).tolist()

    def variants(self, run: Run) -> tuple[str, ...]:
        settings = run.header.settings
        return (f"{settings['mode']}, {settings['latency_ms']} ms",)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: stream_figures([clip_score(row, run)]) for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        """Means over targets, and shares of clips and of returns."""
        return stream_figures([clip_score(row, run) for row in run.predicted])

    def groups(self, row: Row) -> Iterable[str]:
        return {target["kind"] for target in row["targets"] if target["kind"]}


def clip_score(row: Row, run: Run) -> ClipScore:
    """The figures of a row, and the ages of its boxes, which the clock said."""
    return ClipScore(
        clip=row["name"],
        targets=tuple(TargetScore(**target["figures"]) for target in row["targets"]),
        ages_ms=np.array(run.ms[row["name"]], np.float64),
    )


def stream_figures(scores: list[ClipScore]) -> Figures:
    """Those that the clock has no part in."""
    return {name: value for name, value in figures(scores).items() if not name.startswith("box_age")}


def _model(settings: Mapping[str, str], clip: StreamClip) -> LanguageVision | None:
    if settings["mode"] == "fast":
        return None
    return OracleModel(clip.truth, _errors(settings["oracle"])) if settings["model"] == ORACLE else model_of(settings)


def _errors(text: str) -> OracleErrors:
    """Raises ConfigError."""
    try:
        noise, miss, mistake = map(float, text.split(","))
    except ValueError as error:
        raise ConfigError(f"the oracle's errors {text!r} are not NOISE,MISS,MISTAKE") from error
    return OracleErrors(noise=noise, miss=miss, mistake=mistake)


def _picture(clip: StreamClip, true: Boxes, published: Published) -> dict[str, str]:
    overlap = iou(np.nan_to_num(true), np.nan_to_num(published.boxes_xyxy))
    worst = int(np.where(np.isfinite(true).all(axis=1), overlap, np.inf).argmin())
    boxes = {"truth": true[worst], "shown": published.boxes_xyxy[worst]}
    frame = next(islice(clip.frames(), worst, None))
    return {"jpeg": case_picture(frame.rgb, boxes), "text": f"{clip.name}, frame {worst}, IoU {overlap[worst]:.3f}"}
