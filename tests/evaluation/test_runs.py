"""`vitron eval run`: what is on the disk after a run, after a crash, and what is refused."""

import os
import signal
import socket
import subprocess
import sys
import time
import types

import psutil
import pytest

from tests.evaluation.miniature_run import FRAMES, NAMES, write_data
from vitron_ros.cli.main import main
from vitron_ros.errors import ConfigError, PredictionError
from vitron_ros.evaluation import fingerprint
from vitron_ros.evaluation.execution import on_ray
from vitron_ros.evaluation.predictions import FILE, PART, TIMINGS, read_run
from vitron_ros.evaluation.runner import run_suite
from vitron_ros.evaluation.suite import find_suite

SETTINGS = {"split": "all", "tracker": "default"}


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")


def run(data, folder, execute=map, **options):
    return run_suite(find_suite("boxes"), data, SETTINGS, folder, execute, **options)


def stopped_after(count):
    def execute(function, tasks):
        for task in tasks[:count]:
            yield function(task)
        raise KeyboardInterrupt

    return execute


def test_a_run_leaves_a_row_a_sequence_with_what_is_needed_to_score_it(data, tmp_path):
    run(data, tmp_path / "out")
    found = read_run(tmp_path / "out")
    assert [row["name"] for row in found.rows] == list(found.header.names) == list(NAMES)
    row = found.rows[1]
    assert row["true_ltwh"] == [[40 + 2 * index, 30, 40, 40] for index in range(FRAMES)]
    assert row["predicted_ltwh"][0] == row["true_ltwh"][0]
    assert (row["width"], row["height"], len(row["scores"]), len(found.ms["b"])) == (160, 120, FRAMES, FRAMES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [FILE, TIMINGS]


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(data, tmp_path):
    run(data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "out", stopped_after(2))
    part = tmp_path / "out" / PART
    part.write_bytes(part.read_bytes()[:-9])  # killed while the second row was written
    with pytest.raises(PredictionError, match="is not finished"):
        read_run(tmp_path / "out")
    asked = []

    def execute(function, tasks):
        asked.extend(task.name for task in tasks)
        return map(function, tasks)

    run(data, tmp_path / "out", execute)
    assert asked == ["b", "c"]
    assert (tmp_path / "out" / FILE).read_bytes() == (tmp_path / "whole" / FILE).read_bytes()


def test_a_run_that_was_killed_in_its_first_line_begins_again(data, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PART).write_bytes(b'{"format":2,"sui')
    assert len(run(data, tmp_path / "out").rows) == 3


def test_workers_end_with_a_killed_parent_and_the_run_can_be_taken_up(data, tmp_path):
    words = ["eval", "run", "boxes", str(data), "--out", str(tmp_path / "out"), "--processes", "2"]
    process = subprocess.Popen([sys.executable, "-m", "vitron_ros.cli.main", *words], start_new_session=True)
    while (
        len(psutil.Process(process.pid).children()) < 3 and process.poll() is None
    ):  # two workers, and spawn's tracker
        time.sleep(0.01)
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.05)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        pytest.fail("workers outlive their parent")
    assert main(words[:-2]) == 0
    assert len(read_run(tmp_path / "out").rows) == 3


def test_a_failed_sequence_is_a_row_with_its_reason_and_can_be_done_again(data, tmp_path, capsys):
    image = data / "b" / "frames" / "000002.jpg"
    good = image.read_bytes()
    image.write_bytes(bytes(len(good)))
    words = ["eval", "run", "boxes", str(data), "--out", str(tmp_path / "out")]
    assert main(words) == 1
    assert "2 of 3 samples" in capsys.readouterr().out
    assert "000002.jpg" in read_run(tmp_path / "out").failed["b"]
    image.write_bytes(good)
    assert main(words) == 1, "what failed is not done again unasked"
    assert main([*words, "--retry-failed"]) == 0
    assert read_run(tmp_path / "out").failed == {}


def test_predictions_of_other_code_settings_or_data_are_refused(data, tmp_path, monkeypatch):
    run(data, tmp_path / "finished")
    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path / "part", stopped_after(1))
    for folder in (tmp_path / "finished", tmp_path / "part"):
        with pytest.raises(PredictionError, match=r"predictions\.jsonl.* is stale: .* with other settings;"):
            run_suite(find_suite("boxes"), data, {**SETTINGS, "tracker": "csrt"}, folder, map)
        with monkeypatch.context() as patch:
            patch.setattr(fingerprint, "code_hash", lambda: "another")
            with pytest.raises(PredictionError, match="with other code;"):
                run(data, folder)
        boxes = data / "a" / "groundtruth.txt"
        before = boxes.read_text()
        boxes.write_text(before.replace("40,30", "41,30"))
        with pytest.raises(PredictionError, match="with other data;"):
            run(data, folder)
        boxes.write_text(before)


def test_two_runs_cannot_write_into_one_folder(data, tmp_path):
    def execute(function, tasks):
        with pytest.raises(PredictionError, match="another run is writing"):
            run(data, tmp_path / "out")
        return map(function, tasks)

    run(data, tmp_path / "out", execute)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: text[:-5], "is cut off in line 4"),
        (lambda text: "".join(text.splitlines(keepends=True)[:-1]), "lacks c"),
        (lambda text: text + text.splitlines(keepends=True)[-1], "other sequences than its header"),
        (lambda text: text.replace('"format":2', '"format":9'), "no header of format 2"),
        (lambda text: "[]\n" + text, "line 1 is not a JSON object"),
        (lambda text: text.replace('"height"', "height"), "line 2 is not JSON"),
        (lambda text: "", "is cut off in line 1"),
    ],
)
def test_a_damaged_file_is_refused_by_name(data, tmp_path, damage, words):
    run(data, tmp_path / "out")
    path = tmp_path / "out" / FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(PredictionError, match=words) as caught:
        read_run(tmp_path / "out")
    assert str(path) in str(caught.value)


def test_the_files_of_a_tracker_are_part_of_its_settings(tmp_path):
    (tmp_path / "net.onnx").write_bytes(b"1")
    before = fingerprint.settings_hash({"tracker": f"vit:{tmp_path}"})
    (tmp_path / "net.onnx").write_bytes(b"2")
    assert fingerprint.settings_hash({"tracker": f"vit:{tmp_path}"}) != before


def test_a_cluster_runs_the_same_function(data, tmp_path, monkeypatch):
    """A stand-in with Ray's names; the wheel is not a dependency."""
    calls = []
    fake = types.SimpleNamespace(
        init=lambda **options: calls.append(options["address"]),
        remote=lambda **options: lambda function: types.SimpleNamespace(remote=lambda task: (function, task)),
        wait=lambda waiting, num_returns: (waiting[-num_returns:], waiting[:-num_returns]),
        get=lambda reference: reference[0](reference[1]),
        shutdown=lambda: calls.append("shutdown"),
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    run(data, tmp_path / "out", on_ray("auto"))
    run(data, tmp_path / "plain")
    assert calls == ["auto", "shutdown"]
    assert (tmp_path / "out" / FILE).read_bytes() == (tmp_path / "plain" / FILE).read_bytes()


def test_a_cluster_without_ray_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match="pip install ray"):
        next(on_ray("auto")(len, []))


def test_a_cluster_that_is_not_there_is_told_at_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", types.SimpleNamespace(init=lambda **options: pytest.fail("it would wait")))
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConfigError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        next(on_ray(f"127.0.0.1:{port}")(len, []))


def test_an_unknown_suite_is_answered_with_the_known_ones(data, tmp_path, capsys):
    assert main(["eval", "run", "kitti", str(data), "--out", str(tmp_path)]) == 1
    assert "boxes, davis-sot" in capsys.readouterr().err
