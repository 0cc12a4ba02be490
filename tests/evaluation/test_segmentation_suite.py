"""The suites `image-masks` and `clip-masks`: what is measured, and data sets that are refused."""

import cv2
import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.evaluation.predictions import read_run
from vitron_ros.evaluation.report import write_report
from vitron_ros.images.codec import encode_jpeg, encode_png


def write_dataset(root, names=("disk",), frames=4):
    grain = np.random.default_rng(0).integers(-20, 20, (90, 120, 3))
    for name in names:
        (root / name / "frames").mkdir(parents=True)
        (root / name / "masks").mkdir()
        for index in range(frames):
            mask = np.zeros((90, 120), np.uint8)
            cv2.circle(mask, (50 + 2 * index, 45), 20, 255, -1)
            image = np.where(mask[..., None] > 0, (200, 60, 60), (70, 110, 80)) + grain
            (root / name / "frames" / f"{index:06d}.jpg").write_bytes(encode_jpeg(image.astype(np.uint8), 95))
            (root / name / "masks" / f"{index:06d}.png").write_bytes(encode_png(np.dstack([mask] * 3)))
        boxes = "".join(f"{30 + 2 * index},25,41,41\n" for index in range(frames))
        (root / name / "groundtruth.txt").write_text(boxes)
    return root


def figures(suite, data, folder, *words):
    assert main(["eval", "run", suite, str(data), "--out", str(folder), *words]) == 0
    document = write_report(folder)
    return document["figures"][document["variant"]]


@pytest.mark.parametrize(("method", "least"), [("box", 0.7), ("grabcut", 0.9), ("alone", 0.9), ("embedded", 0.9)])
def test_single_images_by_each_method(tmp_path, method, least):
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    data = write_dataset(tmp_path / "data", ("disk", "other"))
    found = figures("image-masks", data, tmp_path / "out", "--method", method, "--every", "2")
    assert found["iou"] > least
    if method == "box":
        assert found["iou"] == pytest.approx(0.75, abs=0.01)  # a disk in its box
    run = read_run(tmp_path / "out")
    assert [row["frames"] for row in run.rows] == [[0, 2]] * 2
    assert [len(ms) for ms in run.ms.values()] == [2, 2]


@pytest.mark.parametrize("method", ["from-mask", "from-box"])
def test_clips_from_the_first_frame(tmp_path, method):
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    found = figures("clip-masks", write_dataset(tmp_path / "data"), tmp_path / "out", "--method", method)
    assert found["j_and_f"] == pytest.approx((found["j"] + found["f"]) / 2, abs=1e-6)
    assert found["j"] > 0.85
    assert len(read_run(tmp_path / "out").rows[0]["masks"]) == 4


def test_an_unknown_method_is_named(tmp_path, capsys):
    words = ["eval", "run", "image-masks", str(write_dataset(tmp_path / "data")), "--out", str(tmp_path / "out")]
    assert main([*words, "--method", "magic"]) == 1
    assert "there is no method 'magic'; choose one of embedded, alone" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda folder: (folder / "masks" / "000001.png").unlink(), "4 frames but 3 masks"),
        (lambda folder: (folder / "groundtruth.txt").write_text("1,1,9,9\n" * 3 + "nan,nan,nan,nan\n"), "has no box"),
        (lambda folder: (folder / "groundtruth.txt").unlink(), "no sequence with masks"),
        (lambda folder: (folder / "masks").rename(folder / "annotations"), "no sequence with masks"),
    ],
)
def test_a_data_set_that_does_not_fit_is_refused(tmp_path, capsys, spoil, reason):
    spoil(write_dataset(tmp_path) / "disk")
    assert main(["eval", "run", "image-masks", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert reason in capsys.readouterr().err
