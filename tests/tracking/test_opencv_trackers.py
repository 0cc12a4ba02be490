"""OpenCV's trackers behind our protocol: boxes, colours, scores, and what is said when a part is missing."""

import cv2
import numpy as np
import pytest

from tests.tracking.scenes import box_at, scene
from vitron_ros.boxes import iou
from vitron_ros.errors import ConfigError
from vitron_ros.tracking.box_tracker import View
from vitron_ros.tracking.opencv_trackers import OpenCvTracker
from vitron_ros.tracking.trackers import make_tracker


@pytest.mark.parametrize("name", ["csrt", "kcf"])
def test_follows_and_can_be_started_again(name):
    if not hasattr(cv2, f"Tracker{name.upper()}"):
        pytest.skip("this OpenCV has no contrib modules")
    tracker = make_tracker(name)
    for x in (60.0, 200.0):
        tracker.start(View(scene(0, (x, 120))), box_at((x, 120)))
        for step in range(1, 8):
            estimate = tracker.step(View(scene(step, (x + 2 * step, 120))))
        assert iou(estimate.box_xyxy, box_at((x + 14, 120))) > 0.7
        assert estimate.score == 1.0


@pytest.mark.parametrize("name", ["csrt", "kcf"])
def test_without_contrib_the_error_says_what_to_install(name, monkeypatch):
    monkeypatch.delattr(cv2, f"Tracker{name.upper()}", raising=False)
    with pytest.raises(ConfigError, match="pip install opencv-contrib-python-headless"):
        make_tracker(name)


@pytest.mark.parametrize(
    ("name", "file"),
    [("nano", "nanotrack_backbone_sim.onnx"), ("vit", "object_tracking_vittrack_2023sep.onnx")],
)
def test_without_a_model_the_error_says_which_file_and_where_from(name, file, tmp_path):
    with pytest.raises(ConfigError, match=f"{file} is missing; download .*opencv_zoo/tree/main/models"):
        make_tracker(f"{name}:{tmp_path}")


@pytest.mark.parametrize(
    ("name", "files", "words"),
    [
        ("nano", ["nanotrack_backbone_sim.onnx", "nanotrack_head_sim.onnx"], "OpenCV 4.7 or later"),
        ("vit", ["object_tracking_vittrack_2023sep.onnx"], "OpenCV 4.9 or later"),
    ],
)
def test_an_opencv_that_is_too_old_is_named_with_the_one_it_takes(name, files, words, tmp_path, monkeypatch):
    for file in files:
        (tmp_path / file).write_bytes(b"")
    monkeypatch.delattr(cv2, f"Tracker{name.title()}_Params", raising=False)
    with pytest.raises(ConfigError, match=words):
        make_tracker(f"{name}:{tmp_path}")


def test_a_model_that_opencv_cannot_read_is_a_setting_to_mend(tmp_path):
    (tmp_path / "object_tracking_vittrack_2023sep.onnx").write_bytes(b"not found")
    tracker = make_tracker(f"vit:{tmp_path}")
    with pytest.raises(ConfigError, match="download its files again"):
        tracker.start(View(scene(0, None)), np.array([0.0, 0, 10, 10]))


class Scripted:
    """Stands in for a tracker of OpenCV."""

    def __init__(self, answers, score=0.0):
        self.answers, self.images, self.score = list(answers), [], score

    def getTrackingScore(self):
        return self.score

    def init(self, image, box):
        self.images.append(image)
        self.box = box

    def update(self, image):
        self.images.append(image)
        return self.answers.pop(0)


def test_failure_keeps_the_box_and_scores_zero():
    tracker = OpenCvTracker(lambda: Scripted([(True, (1, 2, 3, 4)), (False, (0, 0, 0, 0))]))
    tracker.start(View(scene(0, None)), np.array([0.0, 0, 10, 10]))
    seen, missed = tracker.step(View(scene(1, None))), tracker.step(View(scene(2, None)))
    assert seen.box_xyxy.tolist() == missed.box_xyxy.tolist() == [1, 2, 4, 6]
    assert (seen.score, missed.score) == (1.0, 0.0)


@pytest.mark.parametrize(("raw", "score"), [(0.25, 0.25), (-0.1, 0.0), (1.7, 1.0)])
def test_a_network_s_own_score_is_kept_within_bounds(raw, score):
    tracker = OpenCvTracker(lambda: Scripted([(True, (1, 2, 3, 4))], score=raw), has_score=True)
    tracker.start(View(scene(0, None)), np.array([0.0, 0, 10, 10]))
    assert tracker.step(View(scene(1, None))).score == score


def test_opencv_is_given_blue_first_and_a_box_of_at_least_a_pixel():
    scripted = Scripted([])
    frame = scene(0, (160, 120))
    OpenCvTracker(lambda: scripted).start(View(frame), np.array([3.2, 4.1, 3.4, 4.3]))
    assert (scripted.images[0] == frame.rgb[..., ::-1]).all()
    assert scripted.box == (3, 4, 1, 1)
