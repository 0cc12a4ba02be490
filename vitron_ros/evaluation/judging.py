"""A judge's replies to the answers of a run, kept beside it in the same form. Judging that was cut off goes on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.metrics.judge import Judge, judged
from vitron_ros.evaluation.predictions import JUDGE, Run, predictions_hash, read_run, write_run
from vitron_ros.evaluation.suite import find_suite
from vitron_ros.evaluation.tasks.answers import VideoAnswers, columns

BATCH = 8


def judge_run(
    folder: Path, judge: Judge, on_done: Callable[[int, int], object] = lambda done, all_of_them: None
) -> Run:
    """The judge's replies to a finished run, one for each answer; those that are there already are not asked again.

    Raises:
        PredictionError: there is no finished run, its answers are not judged, or another judge's replies are there.
        ModelError: the judge does not answer.
    """
    run = read_run(folder)
    if not isinstance(find_suite(run.header.suite).task, VideoAnswers):
        raise PredictionError(f"{run.header.suite} is scored without a judge; write the report")
    rows = {row["name"]: row for row in run.predicted}
    header = replace(
        run.header,
        suite=JUDGE,
        settings={"judge": judge.name, "version": judge.version, "prompt": judge.prompt_hash},
        settings_hash=judge.prompt_hash,
        data_hash=predictions_hash(folder),
        names=tuple(rows),
    )
    with write_run(folder / JUDGE, header) as writer:
        missing = writer.missing
        on_done(len(rows) - len(missing), len(rows))
        for first in range(0, len(missing), BATCH):
            names = missing[first : first + BATCH]
            verdicts = judged(judge, *columns([rows[name] for name in names]))
            for name, verdict in zip(names, verdicts, strict=True):
                writer.append({"name": name, "reply": verdict.reply}, [])
            on_done(len(names), len(rows))
        return writer.finish()
