"""`vitron eval segmentation`: what is measured, what is written, and data sets that are refused."""

import json

import cv2
import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.images.codec import encode_jpeg, encode_png
from vitron_ros.images.compressed import decode_file


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


def test_every_method_is_scored_beside_the_others(tmp_path, capsys):
    data, pictures = write_dataset(tmp_path / "data", ("disk", "other")), tmp_path / "pictures"
    options = ["--every", "2", "--sequences", "1", "--processes", "1", "--pictures", str(pictures), "--json"]
    assert main(["eval", "segmentation", str(data), *options]) == 0
    results = json.loads(capsys.readouterr().out)
    images, clips = results["images"], results["clips"]
    assert list(images) == ["box", "grabcut", "embedded", "embedded_with_neighbour"]
    assert list(clips) == ["first_mask", "first_box"]
    assert images["box"]["iou"] == pytest.approx(0.75, abs=0.01)  # a disk in its box
    assert images["embedded"]["iou"] > 0.9
    assert images["embedded"]["frames"] == 2
    assert list(images["embedded"]["sequences"]) == ["disk"]
    for figures in clips.values():
        assert figures["j_and_f"] == pytest.approx((figures["j"] + figures["f"]) / 2)
        assert figures["j"] > 0.85
        assert figures["frames"] == 4
    shapes = {path.name: decode_file(path.read_bytes()).shape for path in pictures.iterdir()}
    assert shapes == {"disk-image.png": (270, 4 * 360, 3), "disk-clip.png": (270, 4 * 360, 3)}


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
    assert main(["eval", "segmentation", str(tmp_path)]) == 1
    assert reason in capsys.readouterr().err
