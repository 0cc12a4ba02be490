"""Goals over a recording in the files of a run: reported, compared, and refused where they are not theirs."""

import json

import pytest

from tests.evaluation.bag_of_squares import box_of, write_bag
from vitron_ros.cli.main import main

GOALS = (
    f"goals: [{{box: {box_of(1, 0)}, target: 1}}, {{at: 0.3, box: {box_of(2, 3)}, prompt: two, target: 2}}, "
    f"{{box: {box_of(2, 0)}, target: [1, 2]}}]"
)


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    return write_bag(tmp_path_factory.mktemp("bags") / "squares")


def run(bag, folder, *words, goals=GOALS):
    (folder.parent / "goals.yaml").write_text(goals)
    return main(
        ["eval", "bag", str(bag), "--goals", str(folder.parent / "goals.yaml"), "--out", str(folder), "--json", *words]
    )


def test_the_report_says_what_the_run_said(bag, tmp_path, capsys):
    assert run(bag, tmp_path / "run") == 0
    said = json.loads(capsys.readouterr().out)
    assert main(["eval", "report", str(tmp_path / "run"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    for variant, figures in said["all"]["single"].items():
        assert report["figures"][variant] == pytest.approx(figures, abs=1e-3)
    several = said["all"]["several"]
    assert report["figures"]["trackeval"] == pytest.approx(
        {key: several[key] for key in report["figures"]["trackeval"]}
    )
    assert several["fn"] > 0, "the third goal follows one of its two objects"
    assert report["by_sample"]['goal 2 "two"']["auc"] > 0.8
    assert report["by_sample"]["goal 3"]["auc"] is None
    assert report["ends"]["goal 1"] == "OK: followed to the last image"
    page = (tmp_path / "run" / "report.html").read_text()
    assert page.count("data:image/jpeg") == 3
    text = (tmp_path / "run" / "report.md").read_text()
    assert "| goal 1 | OK: followed to the last image |" in text
    assert "| goal | hota | mota | idf1 | switches | fp | fn |" in text, "the only figures of goal 3"
    assert "goal 1, image " in page


def test_two_runs_leave_the_same_bytes_and_compare(bag, tmp_path, capsys):
    for name in ("a", "b", "a"):
        assert run(bag, tmp_path / name) == 0
    assert (tmp_path / "a" / "predictions.jsonl").read_bytes() == (tmp_path / "b" / "predictions.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["eval", "compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["figures"]["auc"]["difference"] == 0


def test_a_folder_of_other_goals_or_settings_is_refused(bag, tmp_path, capsys):
    assert run(bag, tmp_path / "run") == 0
    assert run(bag, tmp_path / "run", goals=GOALS.replace("two", "three")) == 1
    assert "is stale" in capsys.readouterr().err
    assert run(bag, tmp_path / "run", "--frame-latency", "fixed:0.25") == 1
    assert "with other settings" in capsys.readouterr().err


def test_a_damaged_row_is_named(bag, tmp_path, capsys):
    assert run(bag, tmp_path / "run") == 0
    path = tmp_path / "run" / "predictions.jsonl"
    path.write_text(path.read_text().replace('"tracks":[[[', '"tracks":[[["x",', 1))
    capsys.readouterr()
    assert main(["eval", "report", str(tmp_path / "run")]) == 1
    assert "goal 1 has no boxes tracks" in capsys.readouterr().err


def test_a_recording_is_no_data_set(bag, tmp_path, capsys):
    assert main(["eval", "run", "bag", str(bag), "--out", str(tmp_path / "run")]) == 1
    assert "are run with: vitron eval bag BAG --goals FILE --out FOLDER" in capsys.readouterr().err
