"""Prompts that are drawn, and whether what was asked for is in the picture."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.evaluation.case_pictures import film_strip
from vitron_ros.evaluation.generation import make_plan, prompt_of, score_prompt
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ask, generator_of
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.modules.generation.scene_plan import ScenePlan
from vitron_ros.modules.module import EMBEDDED
from vitron_ros.streaming.models import BUNDLED

PROMPTS = 200
FIGURES = ("in_place", "has_colour", "has_silhouette", "drawn", "found", "found_in_truth")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPrompt:
    """A plan whose prompt is drawn, with the seed of its drawing."""

    name: str
    plan: ScenePlan
    seed: int


def make_prompts(root: Path, split: str) -> list[DrawnPrompt]:
    """The same prompts every time."""
    rng = np.random.Generator(np.random.PCG64(0))
    return [DrawnPrompt(name=f"{seed:04d}", plan=make_plan(rng), seed=seed) for seed in range(PROMPTS)]


@dataclass(frozen=True, slots=True)
class Drawings(SuiteTask[DrawnPrompt]):
    """Each prompt is drawn once, and looked at by rules and by a model."""

    inputs: ClassVar[Mapping[str, str]] = {"generator": EMBEDDED, "model": BUNDLED, "checks": "off"}
    legend = "What was drawn, and a drawing of the plan that the prompt was made from."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            "Looked for are the asked colour and silhouette in the asked thing's box, and where that is. The model is "
            "the judge: found is the share that it finds, found_in_truth that in drawings of the plans themselves; it "
            "errs, so only their ratio says something.",
        )

    def files(self, record: DrawnPrompt) -> tuple[Path, ...]:
        return ()

    def truth(self, record: DrawnPrompt) -> bytes:
        return repr((record.plan, record.seed)).encode()

    def predict(self, settings: Mapping[str, str], record: DrawnPrompt, *, is_drawn: bool) -> Result:
        """Whether each of FIGURES holds."""
        seen: list[Frame] = []

        def find(frame: Frame, phrase: str) -> Boxes | None:
            seen.append(frame)
            request = ModelRequest(id="judge", task=Task.FIND, frames=(frame,), text=phrase, is_placed=False)
            (reply,) = ask(settings, [request])
            return reply.boxes_xyxy[-1] if reply.status is ReplyStatus.OK and reply.boxes_xyxy is not None else None

        score = asdict(score_prompt(generator_of(settings), record.plan, record.seed, find))
        row: Row = {"name": record.name, "prompt": prompt_of(record.plan), **{name: score[name] for name in FIGURES}}
        if is_drawn and seen:
            found = ", ".join(name for name in FIGURES if score[name])
            row["picture"] = {
                "jpeg": film_strip([frame.rgb for frame in reversed(seen)]),
                "text": f"{row['prompt']}\n{found or 'nothing'}",
            }
        return row, []

    def variants(self, run: Run) -> tuple[str, ...]:
        return ("prompts",)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: {name: float(row[name]) for name in FIGURES} for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        shares: Figures = {name: float(np.mean([row[name] for row in run.predicted])) for name in FIGURES}
        known = shares["found_in_truth"]
        return {**shares, "found_ratio": shares["found"] / known if known and shares["found"] is not None else None}
