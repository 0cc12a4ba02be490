"""`vitron eval report`: the figures, what stands beside them, and that they come from the predictions alone."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_got10k, write_lasot, write_uav123
from tests.evaluation.miniature_run import write_data
from vitron_ros.cli.main import main
from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.box_attributes import box_attributes
from vitron_ros.evaluation.paper import paper_tables
from vitron_ros.evaluation.predictions import FILE, TIMINGS, read_run
from vitron_ros.evaluation.report import write_report
from vitron_ros.evaluation.suite import find_suite

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    assert main(["eval", "run", "boxes", str(write_data(root / "data")), "--out", str(root / "out")]) == 0
    shutil.rmtree(root / "data")  # a report reads no data
    return root / "out"


@pytest.fixture
def folder(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "out")


def change_row(folder, number, change):
    lines = (folder / FILE).read_text().splitlines()
    row = json.loads(lines[1 + number])
    change(row)
    lines[1 + number] = json.dumps(row)
    (folder / FILE).write_text("\n".join(lines) + "\n")


def test_figures_of_every_variant_and_sequence(folder, capsys):
    assert main(["eval", "report", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document == json.loads((folder / "report.json").read_text())
    assert list(document["figures"]) == ["visible-frames", "pytracking-otb", "got10k-lasot"]
    aucs = [row["auc"] for row in document["by_sample"].values()]
    assert document["figures"]["visible-frames"]["auc"] == pytest.approx(np.mean(aucs), abs=1e-6)
    assert min(aucs) > 0.8
    assert document["frames"]["a"] == {"frames": 4, "frames_absent": 0}
    assert document["curves"]["success_curve"][0] == 1
    assert "papers" not in (folder / "report.md").read_text(), "no paper has figures for one's own folder"


def test_the_same_predictions_give_the_same_bytes_whatever_the_clock_said(folder, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    text = (other / TIMINGS).read_text()
    (other / TIMINGS).write_text(re.sub(r"\d+\.\d+", "7.5", text))
    for place in (folder, other):
        write_report(place, with_latency=False)
    names = {path.name for path in folder.iterdir()} - {TIMINGS}
    assert names >= {"report.json", "report.md", "report.html", "curves.svg"}
    for name in names:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    write_report(other)
    assert json.loads((other / "latency.json").read_text())["p99_ms"] == 7.5
    assert (folder / "report.json").read_bytes() == (other / "report.json").read_bytes()


def test_the_page_needs_no_other_file_and_runs_no_text_of_a_data_set(folder):
    change_row(folder, 0, lambda row: row.update(attributes=["<script>alert(1)</script>"]))
    write_report(folder)
    page = (folder / "report.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert {source.partition(":")[0] for source in re.findall(r'(?:src|href)="([^"]*)', page)} == {"data"}
    assert page.count("data:image/jpeg") == 3


def test_a_partial_report_says_so(folder):
    change_row(folder, 1, lambda row: (row.clear(), row.update(name="b", error="SourceError: no image")))
    document = write_report(folder)
    assert document["failed"] == {"b": "SourceError: no image"}
    assert list(document["by_sample"]) == ["a", "c"]
    assert "- PARTIAL: 2 of 3 samples" in (folder / "report.md").read_text()
    for number, name in ((0, "a"), (2, "c")):
        change_row(folder, number, lambda row, name=name: (row.clear(), row.update(name=name, error="x")))
    with pytest.raises(PredictionError, match="every sample failed"):
        write_report(folder)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda row: row["predicted_ltwh"].pop(), MetricError, "a: different lengths: predicted 3, true 4"),
        (lambda row: row["true_ltwh"].pop(), MetricError, "a: different lengths: predicted 4, true 3"),
        (lambda row: row["predicted_ltwh"].__setitem__(2, [1, 2, float("nan"), 4]), MetricError, "a: predicted has 1"),
        (lambda row: row["predicted_ltwh"].__setitem__(2, [1, 2, 3]), PredictionError, "a has no boxes predicted"),
        (lambda row: row.pop("true_ltwh"), PredictionError, "a has no boxes true"),
    ],
)
def test_rows_that_do_not_fit_are_refused_by_name(folder, change, error, words):
    change_row(folder, 0, change)
    with pytest.raises(error, match=words):
        write_report(folder)


def test_the_papers_figures_stand_beside_with_what_they_do_not_print():
    metrics = ("auc", "p")
    (table,) = paper_tables("uav123", "all", metrics)
    assert table.source == "elysium, table 4, uav123, all"
    assert table.columns == ("auc", "p")
    assert table.rows["Elysium (zero-shot)"] == (56.6, 79.2)
    assert table.rows["MDNet"] == (52.8, None)
    assert table.own == ("Elysium (zero-shot)",)
    assert any("swapped" in note for note in table.notes)
    assert paper_tables("a benchmark of nobody", "all", metrics) == []
    assert paper_tables("uav123", "test", metrics) == []


@pytest.mark.parametrize(
    ("boxes", "names"),
    [
        ([[0, 0, 50, 50]] * 3, ()),
        ([[0, 0, 50, 50], [np.nan] * 4, [90, 0, 50, 50]], ("absent",)),
        ([[0, 0, 50, 50], [51, 0, 50, 50]], ("fast motion",)),
        ([[0, 0, 50, 50], [0, 0, 80, 38]], ("aspect ratio change",)),
        ([[0, 0, 50, 50], [0, 0, 80, 80]], ("scale variation",)),
        ([[0, 0, 30, 30]] * 2, ("low resolution",)),
    ],
)
def test_attributes_are_read_from_the_boxes(boxes, names):
    assert box_attributes(np.array(boxes, float)) == names


def run_and_report(suite, data, folder, *words):
    assert main(["eval", "run", suite, str(data), "--out", str(folder), *words]) == 0
    return write_report(folder)


def test_a_run_of_lasot_stands_beside_the_papers_figures(tmp_path):
    for number in (1, 2):
        write_lasot(tmp_path / "data", name=f"cup-{number}", out_of_view="0,0,1")
    document = run_and_report("lasot", tmp_path / "data", tmp_path / "out", "--split", "all")
    assert list(document["figures"]) == ["pytracking-lasot", "lasot-toolkit", "got10k-lasot"]
    assert document["frames"]["cup-1"]["frames_absent"] == 1
    assert document["figures"]["pytracking-lasot"]["auc"] < document["figures"]["got10k-lasot"]["auc"], "unused flags"
    assert document["paper"] == [], "the papers' figures are of the test split"
    assert "The papers print no figures for this split." in (tmp_path / "out" / "report.md").read_text()


def test_a_run_of_got10k_has_its_own_figures(tmp_path):
    write_got10k(tmp_path / "data")
    document = run_and_report("got10k", tmp_path / "data", tmp_path / "out")
    assert set(document["figures"]["got10k"]) == {"ao", "sr50", "sr75"}
    assert "| got10k |" in (tmp_path / "out" / "report.md").read_text()
    run, task = read_run(tmp_path / "out"), find_suite("got10k").task
    hidden = {**run.rows[0], "name": "hidden", "cover": [8] + [0] * (len(run.rows[0]["cover"]) - 1)}
    with_hidden = replace(run, rows=(*run.rows, hidden))
    assert task.by_sample(with_hidden, "got10k")["hidden"] == {"ao": None, "sr50": None, "sr75": None}
    assert task.figures(with_hidden, "got10k") == task.figures(run, "got10k"), "frames are pooled"


def test_a_run_of_uav123_stands_beside_the_paper(tmp_path):
    write_uav123(tmp_path / "data")
    document = run_and_report("uav123", tmp_path / "data", tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    ours = f"{100 * document['figures']['pytracking-uav']['auc']:.1f}"
    assert f"| this run (pytracking-uav) | {ours} |" in text
    assert "| Elysium (zero-shot) (the paper's own) | 56.6 | 79.2 |" in text
    assert "| MDNet | 52.8 | missing |" in text
