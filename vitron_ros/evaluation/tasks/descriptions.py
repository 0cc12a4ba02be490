"""What a marked object is, in words (REG; in a clip Video-REG)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.case_pictures import case_picture
from vitron_ros.evaluation.datasets import Expression, Sequence
from vitron_ros.evaluation.datasets.sequence import read_frame
from vitron_ros.evaluation.metrics import captions
from vitron_ros.evaluation.metrics.captions import bleu, cider_d, ptb_tokens, rouge_l, simple_tokens
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ask, model_of
from vitron_ros.evaluation.tasks.found_boxes import MODEL_INPUTS
from vitron_ros.evaluation.tasks.task import Figures, SuiteTask
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region

MOST_FRAMES = 8
PTB, SIMPLE = "coco-caption", "simple tokens"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DescribedObject:
    """An object, and how people describe it.

    Attributes:
        paths: images in order of time; one, or a clip.
        box_xyxy: (4,) px, in the last one.
    """

    name: str
    paths: tuple[Path, ...]
    box_xyxy: Boxes
    references: tuple[str, ...]


def described_in_images(expressions: Iterable[Expression]) -> list[DescribedObject]:
    """The objects of a set of referring expressions, each with all its sentences."""
    by_target: dict[str, list[Expression]] = {}
    for expression in expressions:
        by_target.setdefault(expression.target, []).append(expression)
    return [
        DescribedObject(
            name=target,
            paths=(own[0].image,),
            box_xyxy=own[0].boxes_xyxy[0],
            references=tuple(expression.text for expression in own),
        )
        for target, own in by_target.items()
    ]


def described_in_clips(sequences: Iterable[Sequence]) -> list[DescribedObject]:
    """The targets of sequences with a sentence: at most MOST_FRAMES images, evenly up to the last with a box."""
    found = []
    for sequence in sequences:
        last = int(np.flatnonzero(sequence.is_visible)[-1])
        indices = np.linspace(0, last, min(MOST_FRAMES, last + 1)).round().astype(int)
        found.append(
            DescribedObject(
                name=sequence.name,
                paths=tuple(sequence.paths[index] for index in indices),
                box_xyxy=sequence.boxes_xyxy[last],
                references=(sequence.language,),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class Descriptions(SuiteTask[DescribedObject]):
    """The model describes the object in a box."""

    inputs = MODEL_INPUTS
    legend = "The marked object, the model's description, and those of people."

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            f"The box is marked in the newest image; of a clip {MOST_FRAMES} images are shown at most. A reply that is "
            "no description is an empty one. CIDEr-D depends on the whole set; METEOR and the tokens of coco-caption "
            "need Java, and are missing without it.",
        )

    def files(self, record: DescribedObject) -> tuple[Path, ...]:
        return record.paths

    def truth(self, record: DescribedObject) -> bytes:
        return repr(record.references).encode() + record.box_xyxy.tobytes()

    def predict(self, settings: Mapping[str, str], record: DescribedObject, *, is_drawn: bool) -> Result:
        most = model_of(settings).max_frames
        frames = tuple(read_frame(path, index) for index, path in enumerate(record.paths[-most:]))
        request = ModelRequest(
            id=record.name, task=Task.DESCRIBE, frames=frames, regions=(Region.from_box(record.box_xyxy),)
        )
        (reply,) = ask(settings, [request])
        row: Row = {
            "name": record.name,
            "status": reply.status.value,
            "message": reply.message,
            "description": reply.text.strip() if reply.status is ReplyStatus.OK else "",
            "references": list(record.references),
        }
        if is_drawn:
            text = f"{row['description'] or reply.message}\ntrue: {'; '.join(record.references)}"
            row["picture"] = {"jpeg": case_picture(frames[-1].rgb, {"this": record.box_xyxy}), "text": text}
        return row, [1000 * reply.seconds]

    def variants(self, run: Run) -> tuple[str, ...]:
        return (SIMPLE,) if captions.java_problem() else (PTB, SIMPLE)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        candidates, references = _tokens(run, variant)
        cider = cider_d(candidates, references)
        return {
            row["name"]: {"cider": cider[place], "rouge_l": rouge_l([candidates[place]], [references[place]])}
            for place, row in enumerate(run.predicted)
        }

    def figures(self, run: Run, variant: str) -> Figures:
        candidates, references = _tokens(run, variant)
        return {
            "meteor": captions.meteor(candidates, references) if variant == PTB else None,
            "cider": float(np.mean(cider_d(candidates, references))),
            "rouge_l": rouge_l(candidates, references),
            **{f"bleu_{order}": value for order, value in enumerate(bleu(candidates, references), 1)},
        }

    def groups(self, row: Row) -> Iterable[str]:
        return (f"reply: {row['status']}",)


@lru_cache(maxsize=2)
def _tokens(run: Run, variant: str) -> tuple[list[str], list[list[str]]]:
    """Descriptions and their references, tokenised."""
    try:
        descriptions = [row["description"] for row in run.predicted]
        references = [list(row["references"]) for row in run.predicted]
    except KeyError as error:
        raise PredictionError(f"a row has no {error}; run it again") from error
    texts = [*descriptions, *(text for own in references for text in own)]
    tokens = iter(ptb_tokens(texts) if variant == PTB else map(simple_tokens, texts))
    return [next(tokens) for _ in descriptions], [[next(tokens) for _ in own] for own in references]
