"""Running a suite with a scripted model, and its report."""

import json

from tests.fakes import ScriptedModel
from vitron_ros.cli.main import main
from vitron_ros.evaluation import run_settings
from vitron_ros.evaluation.predictions import read_run
from vitron_ros.evaluation.report import write_report


def run(monkeypatch, suite, data, folder, answer, *words, exit_code=0, **model):
    """The rows of a run whose model gives `answer(request)`, by name."""
    scripted = ScriptedModel(answer, **model)
    monkeypatch.setattr(run_settings, "_model", lambda name, run: scripted)
    assert main(["eval", "run", suite, str(data), "--out", str(folder), *words]) == exit_code
    return {row["name"]: row for row in read_run(folder).rows}


def report(folder):
    """report.json and report.md."""
    document = write_report(folder)
    assert document == json.loads((folder / "report.json").read_text())
    return document, (folder / "report.md").read_text()
