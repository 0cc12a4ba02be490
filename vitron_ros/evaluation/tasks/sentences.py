"""Sentences that are said to a model, and what should result from them, with the runtime's checks and without."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vitron_ros.config import PipelineConfig
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.language import (
    SentenceCase,
    SentenceResult,
    SentenceScore,
    read_suite,
    run_case,
    score_result,
)
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import model_of
from vitron_ros.evaluation.tasks.task import Details, Figures, SuiteTask
from vitron_ros.frame import Frame
from vitron_ros.offline.question import frames_of
from vitron_ros.recordings.sources import open_source
from vitron_ros.streaming.models import BUNDLED

CHECKED, UNCHECKED = "with the checks", "without the checks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A case of a file of sentences; its sources are relative to the file."""

    name: str
    case: SentenceCase
    file: Path

    @property
    def source(self) -> Path:
        return self.file.parent / self.case.source


def read_sentences(file: Path, split: str) -> list[Sentence]:
    """The sentences of a YAML file. Raises ConfigError."""
    return [Sentence(name=f"{number:04d}", case=case, file=file) for number, case in enumerate(read_suite(file), 1)]


@dataclass(frozen=True, slots=True)
class Sentences(SuiteTask[Sentence]):
    """Does a model do what it is asked, and nothing else?"""

    inputs: ClassVar[Mapping[str, str]] = {
        "model": BUNDLED,
        "min_score": str(PipelineConfig().model_min_score),
    }
    legend = "The newest image: green is what is expected, the other boxes those that counted."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "Right: the expected box (IoU of 0.5 or more), module, answer or refusal follows. Wrong action: a module "
            "is called that was not asked for, or on another object. Wrong box: a box that counts is on something "
            "else, or on nothing.",
        )

    def files(self, record: Sentence) -> tuple[Path, ...]:
        return (record.source,) if record.source.is_file() else tuple(sorted(record.source.glob("*")))

    def truth(self, record: Sentence) -> bytes:
        return repr(record.case).encode()

    def predict(self, settings: Mapping[str, str], record: Sentence, *, is_drawn: bool) -> Result:
        """For each variant what resulted, and `right`, `wrong_actions` and `wrong_boxes` of 0 or 1."""
        model, case = model_of(settings), record.case
        frames = _frames(record.source, model.max_frames, case.at_s)
        newest = frames[-1]
        row: Row = {"name": record.name, "kind": case.kind, "text": case.text, "expect": case.expect, "results": {}}
        for variant, is_checked in ((CHECKED, True), (UNCHECKED, False)):
            result = run_case(model, case, frames, float(settings["min_score"]), is_checked=is_checked)
            row["results"][variant] = _json(result, score_result(case, result, newest.width, newest.height))
        if is_drawn:
            expected = case.expect if isinstance(case.expect, Mapping) else {}
            true = expected.get("boxes", [expected["box"]] if "box" in expected else [])
            found = row["results"][CHECKED]
            boxes = {"expected": np.array(true, float), "result": np.array(found["boxes_xyxy"], float)}
            text = f"{case.kind}: {case.text}\nexpected: {json.dumps(case.expect)}\nresult: {_told(found)}"
            row["picture"] = {"jpeg": case_picture(newest.rgb, boxes), "text": text}
        return row, []

    def variants(self, run: Run) -> tuple[str, ...]:
        return CHECKED, UNCHECKED

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: dict(row["results"][variant]["figures"]) for row in run.predicted}

    def groups(self, row: Row) -> Iterable[str]:
        return (row["kind"],)

    def details(self, run: Run) -> Details:
        """`right_lost`: how many were right without the checks and are not with them, in shares of all."""
        right = [
            [row["results"][variant]["figures"]["right"] for variant in self.variants(run)] for row in run.predicted
        ]
        return Details(document={"right_lost": float(np.mean([before > after for after, before in right]))})


@lru_cache(maxsize=16)  # many sentences are about one image or clip
def _frames(source: Path, count: int, at_s: float | None) -> tuple[Frame, ...]:
    return frames_of(open_source(str(source)), count, at_s)


def _json(result: SentenceResult, score: SentenceScore) -> dict[str, Any]:
    called = result.invocation
    return {
        "status": result.status.value,
        "boxes_xyxy": [box.round(3).tolist() for box in result.boxes_xyxy],
        "called": None if called is None else [called.module.name, *called.instructions],
        "text": result.text,
        "message": result.message,
        "score": round(result.score, 6),
        "figures": {
            "right": int(score.is_right),
            "wrong_actions": int(score.is_wrong_action),
            "wrong_boxes": int(score.is_wrong_box),
        },
    }


def _told(found: Mapping[str, Any]) -> str:
    words = [found["status"], f"{found['score']:.2f}", *(found["called"] or []), found["text"], found["message"]]
    return " ".join(filter(None, words))
