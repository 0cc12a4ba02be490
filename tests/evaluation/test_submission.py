"""`vitron eval submit`: archives as the servers' documents have them."""

import zipfile

import pytest

from tests.evaluation.datasets.miniature import write_got10k, write_images, write_text
from tests.evaluation.miniature_run import write_data
from vitron_ros.cli.main import main
from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.predictions import FILE, read_run
from vitron_ros.evaluation.report import write_report
from vitron_ros.evaluation.submission import write_submission

FAILED = '{"name":"c","error":"SourceError: gone"}\n'
BOX = "1.0000,2.0000,10.0000,20.0000"


def submitted(folder):
    assert main(["eval", "submit", str(folder)]) == 0
    with zipfile.ZipFile(folder / "submission.zip") as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_got10k_has_a_folder_a_sequence_with_boxes_and_seconds(tmp_path):
    write_got10k(tmp_path / "data", split="test", rows=(BOX,))
    words = ["eval", "run", "got10k", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--split", "test"]
    assert main(words) == 0
    files = submitted(tmp_path / "out")
    name = "GOT-10k_Test_000001"
    assert list(files) == [f"{name}/{name}_001.txt", f"{name}/{name}_time.txt"]
    boxes, seconds = (text.splitlines() for text in files.values())
    assert (len(boxes), len(seconds), boxes[0]) == (3, 3, BOX)
    assert all(0 < float(line) < 10 for line in seconds)
    before = (tmp_path / "out" / "submission.zip").read_bytes()
    submitted(tmp_path / "out")
    assert (tmp_path / "out" / "submission.zip").read_bytes() == before
    with pytest.raises(PredictionError, match="vitron eval submit"):
        write_report(tmp_path / "out")


def test_trackingnet_has_a_file_a_sequence(tmp_path):
    write_images(tmp_path / "data/TEST/frames/x_0", range(3), digits=1)
    write_text(tmp_path / "data/TEST/anno/x_0.txt", "1,2,10,20")
    assert main(["eval", "run", "trackingnet", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    files = submitted(tmp_path / "out")
    assert list(files) == ["x_0.txt"]
    assert files["x_0.txt"].splitlines()[0] == BOX
    assert len(files["x_0.txt"].splitlines()) == 3


def test_vot_has_the_files_of_its_toolkits_experiment_without_restarts(tmp_path):
    write_images(tmp_path / "data/bag", range(1, 4))
    write_text(tmp_path / "data/bag/groundtruth.txt", ["1,2,11,2,11,22,1,22"] * 3)
    write_text(tmp_path / "data/list.txt", ["bag"])
    assert main(["eval", "run", "vot", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    files = submitted(tmp_path / "out")
    assert list(files) == ["unsupervised/bag/bag_001.txt", "unsupervised/bag/bag_001_time.value"]
    boxes, seconds = (text.splitlines() for text in files.values())
    assert (boxes[0], len(boxes), len(boxes[1].split(",")), len(seconds)) == ("1", 3, 4, 3)


def test_what_no_server_takes_is_refused(tmp_path):
    write_data(tmp_path / "data")
    assert main(["eval", "run", "boxes", str(tmp_path / "data"), "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / FILE
    for change, words in (
        (lambda text: text, "boxes is with no server; archives are for got10k, trackingnet, vot"),
        (
            lambda text: text.replace('"suite":"boxes"', '"suite":"got10k"'),
            "takes the split test, and this run is of all",
        ),
        (lambda text: text.replace('"split":"all"', '"split":"test"').split('{"name":"c"')[0] + FAILED, "c failed"),
    ):
        path.write_text(change(path.read_text()))
        with pytest.raises(PredictionError, match=words):
            write_submission(read_run(tmp_path / "out"), tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
