"""One-pass evaluation and `vitron eval ope`: what trackers are given, and what is reported."""

import json

import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.datasets import load_sequence
from vitron_ros.evaluation.one_pass import run_one_pass
from vitron_ros.evaluation.predictions import FILE
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.tracking.box_tracker import BoxEstimate
from vitron_ros.tracking.trackers import make_tracker


class Diary:
    """Notes what it is shown and answers its start box, moved one pixel to the right a frame."""

    def __init__(self, name, diary):
        self.name, self.diary = name, diary

    def start(self, view, box_xyxy):
        self.diary.append((self.name, "start", view.frame.index))
        self.box = np.array(box_xyxy)

    def step(self, view, *, seek=True):
        self.diary.append((self.name, "step", view.frame.index))
        self.box = self.box + np.array([1, 0, 1, 0])
        return BoxEstimate(self.box, 0.7)


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (20, 20, 3), np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    folder = tmp_path / "data" / "square"
    (folder / "frames").mkdir(parents=True)
    for index in range(4):
        image = np.full((120, 160, 3), 90, np.uint8)
        image[30:70, 40 + index : 80 + index] = texture
        (folder / "frames" / f"{index:06d}.jpg").write_bytes(encode_jpeg(image, 95))
    (folder / "groundtruth.txt").write_text("".join(f"{40 + index},30,40,40\n" for index in range(4)))
    return tmp_path / "data"


def test_trackers_see_each_frame_side_by_side(dataset):
    diary = []
    runs = run_one_pass({name: Diary(name, diary) for name in "ab"}, load_sequence(dataset / "square"))
    assert diary == [(n, "step" if index else "start", index) for index in range(4) for n in "ab"]
    assert runs["a"].boxes_xyxy.tolist() == load_sequence(dataset / "square").boxes_xyxy.tolist()
    assert runs["b"].scores.tolist() == [1.0, 0.7, 0.7, 0.7]
    assert runs["b"].ms_per_frame > 0


def test_the_command_reports_every_tracker_and_sequence(dataset, capsys):
    assert main(["eval", "ope", str(dataset), "--tracker", "default", "--tracker", "csrt", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["variant"] == "visible-frames"
    trackers = report["trackers"]
    assert [tracker["name"] for tracker in trackers] == ["default", "csrt"]
    for tracker in trackers:
        assert set(tracker) == {"name", "mean_auc", "precision_20px", "norm_precision", "ms_per_frame", "sequences"}
        assert set(tracker["sequences"]["square"]) == {
            "auc", "precision_20px", "norm_precision", "ms_per_frame", "frames", "frames_absent"
        }  # fmt: skip
        assert tracker["mean_auc"] == tracker["sequences"]["square"]["auc"] > 0.8


def test_frames_without_the_target_are_counted_and_not_scored(dataset, capsys):
    boxes = dataset / "square" / "groundtruth.txt"
    boxes.write_text(boxes.read_text().replace("42,30,40,40", "nan,nan,nan,nan"))
    assert main(["eval", "ope", str(dataset), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["trackers"][0]["sequences"]["square"]
    assert (scores["frames"], scores["frames_absent"]) == (4, 1)
    assert scores["auc"] > 0.8
    assert main(["eval", "ope", str(dataset)]) == 0
    assert "1 of 4 frames" in capsys.readouterr().out


def test_its_predictions_are_those_of_a_run(dataset, tmp_path, capsys):
    folder = tmp_path / "out"
    words = ["eval", "ope", str(dataset), "--tracker", "default", "--tracker", "csrt", "--out", str(folder), "--json"]
    assert main(words) == 0
    printed = json.loads(capsys.readouterr().out)["trackers"][0]["mean_auc"]
    assert main(["eval", "run", "boxes", str(dataset), "--out", str(tmp_path / "run")]) == 0
    assert (folder / "default" / FILE).read_bytes() == (tmp_path / "run" / FILE).read_bytes()
    assert main(["eval", "compare", str(folder / "default"), str(folder / "csrt"), "--json"]) == 0
    compared = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]["auc"]["first"]
    assert compared == pytest.approx(printed, abs=1e-4)


def test_without_json_a_table_is_printed(dataset, capsys):
    assert main(["eval", "ope", str(dataset)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["AUC", "(visible-frames)", "default"]
    assert lines[1].split()[0] == "square"


@pytest.mark.parametrize("words", [["--tracker", "best"], ["--tracker", "vit:"]])
def test_an_unknown_tracker_is_answered_with_the_known_ones(dataset, capsys, words):
    assert main(["eval", "ope", str(dataset), *words]) == 1
    assert "default, csrt, kcf" in capsys.readouterr().err


def test_a_bad_data_set_is_an_error_without_a_trace(tmp_path, capsys):
    assert main(["eval", "ope", str(tmp_path)]) == 1
    assert "holds no sequence" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "Default", "nano", "vit:"])
def test_names_are_exact(name):
    with pytest.raises(ConfigError, match="choose one of default, csrt, kcf, nano:FOLDER, vit:FOLDER"):
        make_tracker(name)
