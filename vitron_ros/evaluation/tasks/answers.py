"""Questions about images and videos (VQA), answered in words."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import ClassVar

import numpy as np

from vitron_ros.errors import ConfigError, MetricError, PredictionError
from vitron_ros.evaluation.case_pictures import film_strip
from vitron_ros.evaluation.datasets import Question
from vitron_ros.evaluation.datasets.sequence import read_frame
from vitron_ros.evaluation.metrics.judge import Verdict, exact_match_judge, judged, judged_figures, read_verdict
from vitron_ros.evaluation.metrics.question_answering import auroc, exact_match, vqa_soft_accuracy
from vitron_ros.evaluation.predictions import Result, Row, Run
from vitron_ros.evaluation.run_settings import ask, model_of
from vitron_ros.evaluation.tasks.task import Details, Figures, SuiteTask, means
from vitron_ros.evaluation.video_frames import evenly_spaced
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import NONE
from vitron_ros.recordings.image_files import SUFFIXES
from vitron_ros.streaming.models import BUNDLED

SHORT = "Answer with one word or a short phrase."
BY_LETTER = "Answer with the letter of the right choice."
MOST_FRAMES = 8  # of a video
LETTER = re.compile(r"\W*([A-Z])\b")
RULES: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "vqa-official": lambda answer, true: vqa_soft_accuracy(answer, true, "official"),
    "minigpt-v2-soft": lambda answer, true: vqa_soft_accuracy(answer, true, "minigpt-v2"),
    "exact-match": lambda answer, true: exact_match([answer], true[:1]),
    "minigpt-v2": lambda answer, true: float(answer.lower() == true[0].lower()),
}
EXACT = exact_match_judge()


class _Answers(SuiteTask[Question]):
    inputs: ClassVar[Mapping[str, str]] = {"model": BUNDLED, "checks": "off", "instruction": SHORT}
    legend = "What the model was shown, the question, its answer, and the annotated ones."
    form = "{text}"

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            f'Asked is "{self.form.format(text="<text>")}", then the choices, if any, and the instruction; a reply '
            "that is no answer counts as wrong. A full stop at its end is not part of an answer.",
        )

    def files(self, record: Question) -> tuple[Path, ...]:
        return (record.media,)

    def truth(self, record: Question) -> bytes:
        return json.dumps([record.text, record.answers, record.choices]).encode()

    def predict(self, settings: Mapping[str, str], record: Question, *, is_drawn: bool) -> Result:
        """`answer` is a choice where there are choices and one was named, else the reply; empty: there is none."""
        frames = self.frames(settings, record)
        has_letters = len({choice[:1].lower() for choice in record.choices}) < len(record.choices)
        text = self.form.format(text=record.text)
        letters = tuple(ascii_uppercase[: len(record.choices)]) if has_letters else ()
        if has_letters:
            if all(Path(choice).suffix in SUFFIXES for choice in record.choices):
                raise ConfigError("the choices are images, and models are asked about one; choose another split")
            text = "\n".join([text, *map("{}. {}".format, letters, record.choices), BY_LETTER])
        elif settings["instruction"]:
            text = f"{text} {settings['instruction']}"
        request = ModelRequest(
            id=record.name, task=Task.ASK, frames=frames, text=text, choices=letters or record.choices
        )
        (reply,) = ask(settings, [request])
        said = reply.text or (NONE if reply.status is ReplyStatus.ABSENT else "")
        if reply.status not in (ReplyStatus.OK, ReplyStatus.ABSENT):
            said = ""
        answer = said.strip().removesuffix(".")
        if letters and (match := LETTER.match(answer)) and match[1] in letters:
            answer = record.choices[letters.index(match[1])]
        row: Row = {
            "name": record.name,
            "media": record.media.name,
            "question": record.text,
            "category": record.category,
            "status": reply.status.value,
            "message": reply.message,
            "reply": reply.text,
            "answer": answer,
            "score": round(reply.score, 6),
            "true": list(record.answers),
        }
        if is_drawn:
            true = ", ".join(dict.fromkeys(record.answers))
            shown = f"{record.text}\nanswer: {answer or reply.message}\ntrue: {true}"
            row["picture"] = {"jpeg": film_strip([frame.rgb for frame in frames]), "text": shown}
        return row, [1000 * reply.seconds]

    def frames(self, settings: Mapping[str, str], record: Question) -> tuple[Frame, ...]:
        return (read_frame(record.media),)

    def cluster(self, row: Row) -> str:
        return str(row["media"])

    def groups(self, row: Row) -> Iterable[str]:
        return (*([row["category"]] if row["category"] else []), f"reply: {row['status']}")


@dataclass(frozen=True, slots=True)
class ImageAnswers(_Answers):
    """Answers about images.

    Attributes:
        rules: in RULES; the first is the headline.
        form: what is asked; {text} is the question, or what is to be judged.
        positive: the answer whose probability is scored by AUROC, too; empty: none.
    """

    rules: tuple[str, ...]
    form: str = "{text}"
    positive: str = ""

    def variants(self, run: Run) -> tuple[str, ...]:
        return self.rules

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {row["name"]: {"accuracy": _scored(row, variant)} for row in run.predicted}

    def figures(self, run: Run, variant: str) -> Figures:
        found = means(self.by_sample(run, variant).values())
        return {**found, "auroc": self._auroc(run.predicted)} if self.positive else found

    def _auroc(self, rows: Sequence[Row]) -> float | None:
        try:
            scores = np.array([_probability(row, self.positive) for row in rows])
            return auroc(scores, np.array([_is(row, self.positive) for row in rows]))
        except MetricError:  # all of one class
            return None


@dataclass(frozen=True, slots=True)
class VideoAnswers(_Answers):
    """Answers about videos, scored by a judge; without one, by one that wants the same words."""

    @property
    def protocol(self) -> tuple[str, ...]:
        return (
            *super(VideoAnswers, self).protocol,
            f"The model is shown {MOST_FRAMES} frames at most, evenly over the video. Scores of different judges do "
            'not compare; "exact match" needs no model and knows no synonyms. Judge a run with: vitron eval judge',
        )

    def frames(self, settings: Mapping[str, str], record: Question) -> tuple[Frame, ...]:
        return evenly_spaced(record.media, min(MOST_FRAMES, model_of(settings).max_frames))

    def variants(self, run: Run) -> tuple[str, ...]:
        return (*([judge_title(run.verdicts)] if run.verdicts else []), EXACT.title)

    def by_sample(self, run: Run, variant: str) -> dict[str, Figures]:
        return {name: judged_figures([verdict]) for name, verdict in _verdicts(run, variant).items()}

    def figures(self, run: Run, variant: str) -> Figures:
        return judged_figures(list(_verdicts(run, variant).values()))

    def details(self, run: Run) -> Details:
        return Details(document={} if run.verdicts is None else {"judge": run.verdicts.header.settings})


def _verdicts(run: Run, variant: str) -> dict[str, Verdict]:
    """By name."""
    if run.verdicts is not None and variant == judge_title(run.verdicts):
        return {row["name"]: read_verdict(row["reply"] or "") for row in run.verdicts.rows}
    verdicts = judged(EXACT, *columns(run.predicted))
    return dict(zip((row["name"] for row in run.predicted), verdicts, strict=True))


def columns(rows: Sequence[Row]) -> tuple[list[str], list[str], list[str]]:
    """What a judge sees: the questions, the true answers, and the answers. Raises PredictionError."""
    return [row["question"] for row in rows], [_true(row)[0] for row in rows], [row["answer"] for row in rows]


def judge_title(verdicts: Run) -> str:
    """The head of the column of a judge's figures."""
    settings = verdicts.header.settings
    return f"judge: {settings['judge']} {settings['version']}".strip()


def _scored(row: Row, rule: str) -> float:
    return RULES[rule](row["answer"], _true(row))


def _true(row: Row) -> Sequence[str]:
    if not row["true"]:
        raise PredictionError("a server keeps the answers of this split; choose another")
    return list(row["true"])


def _probability(row: Row, positive: str) -> float:
    """That the answer is the positive one; half where it is neither."""
    if row["answer"].lower() == positive:
        return float(row["score"])
    return 1 - float(row["score"]) if row["answer"] else 0.5


def _is(row: Row, positive: str) -> bool:
    return _true(row)[0].lower() == positive
