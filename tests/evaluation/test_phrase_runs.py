"""Suites that begin with words: what a run of them holds, and what counts where no box is shown."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.miniature_run import NAMES, write_data
from vitron_ros.cli.main import main
from vitron_ros.evaluation import phrase_rows
from vitron_ros.evaluation.datasets import load_sequence
from vitron_ros.evaluation.predictions import read_run
from vitron_ros.evaluation.runner import run_suite
from vitron_ros.evaluation.stream_clips import clip_of_sequence
from vitron_ros.evaluation.stream_oracle import OracleErrors, OracleModel
from vitron_ros.evaluation.suite import find_suite

SETTINGS = {"split": "all", "tracker": "default", "model": "vitron-tiny"}
SETTINGS |= {"device": "cpu", "backend": "auto", "weights": "full", "cache": "full"}


@pytest.fixture
def data(tmp_path):
    """Sequences of 12 frames, so that a model that takes 0.2 s can answer."""
    write_data(tmp_path / "data", frames=12)
    for name in NAMES[:2]:
        (tmp_path / "data" / name / "expression.txt").write_text("the square\n")
    return tmp_path / "data"


def test_the_model_is_told_the_sentence_and_no_box(data, tmp_path, monkeypatch):
    truth = clip_of_sequence(load_sequence(data / "a"), 25).truth
    truth = replace(truth, targets=(replace(truth.targets[0], phrase="the square"),))
    oracle = OracleModel(truth, OracleErrors(noise=0, miss=0, mistake=0))
    monkeypatch.setattr(phrase_rows, "model_of", lambda settings: oracle)
    run = run_suite(find_suite("rsot"), data, SETTINGS, tmp_path / "out", map)
    predicted = run.rows[0]["predicted_ltwh"]
    assert predicted[0] is None, "the first reply comes after 0.2 s"
    assert np.abs(np.array(predicted[-1]) - run.rows[0]["true_ltwh"][-1]).max() < 3
    assert "has no sentence" in run.failed["c"]
    score = find_suite("rsot").task.by_sample(run, "visible-frames")["a"]
    share = np.mean([box is not None for box in predicted])
    assert 0 < score["precision"] == pytest.approx(share)


def test_an_image_that_cannot_be_decoded_is_a_row(data, tmp_path, capsys):
    image = data / "a" / "frames" / "000002.jpg"
    image.write_bytes(bytes(100))
    (data / "c" / "expression.txt").write_text("the square\n")
    assert main(["eval", "run", "rsot", str(data), "--out", str(tmp_path / "out")]) == 1
    assert "000002.jpg" in read_run(tmp_path / "out").failed["a"]


def test_without_any_box_all_figures_are_0_and_a_report_is_made(data, tmp_path, capsys):
    """The bundled model knows no such square."""
    (data / "c" / "expression.txt").write_text("the square\n")
    assert main(["eval", "run", "rsot", str(data), "--out", str(tmp_path / "out")]) == 0
    run = read_run(tmp_path / "out")
    assert run.header.settings == SETTINGS
    assert {box for row in run.rows for box in row["predicted_ltwh"]} == {None}
    assert main(["eval", "report", str(tmp_path / "out"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]["visible-frames"]
    assert set(figures.values()) == {0}
    assert not (tmp_path / "out" / "latency.json").exists()


def test_a_model_is_refused_where_a_box_begins(data, tmp_path, capsys):
    assert main(["eval", "run", "boxes", str(data), "--out", str(tmp_path), "--model", "vitron-tiny"]) == 2
    assert "boxes has no use for --model; it is for elysium-track-rsot, rsot" in capsys.readouterr().err
