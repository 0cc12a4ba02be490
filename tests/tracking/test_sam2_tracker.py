"""SAM 2 as the box tracker of the fast loop, with random weights: what it says of a mask is what the mask says."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

from tests.grounding.families.tiny_sam2 import sam2_video
from tests.tracking.scenes import HEIGHT, WIDTH, box_at, scene
from vitron_ros.config import MASK_TRACKERS, PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.masks import covered_pixels
from vitron_ros.offline.goal_script import ScriptedGoal
from vitron_ros.offline.replay import replay
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.tracking.box_tracker import MaskTracker, View
from vitron_ros.tracking.trackers import make_tracker

PLACE = (160.0, 120.0)


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    return f"sam2:{sam2_video(tmp_path_factory.mktemp('sam2'))}"


def frames(count):
    return [scene(index, (PLACE[0] + 2 * index, PLACE[1])) for index in range(count)]


def test_the_box_is_that_of_the_mask_and_the_score_is_the_networks(name):
    tracker = make_tracker(name)
    first, *later = frames(4)
    tracker.start(View(first), box_at(PLACE))
    for frame in later:
        estimate = tracker.step(View(frame))
        assert 0.5 < estimate.score < 1
        mask = tracker.mask(estimate.box_xyxy)
        assert (mask.x, mask.y) == covered_pixels(estimate.box_xyxy, WIDTH, HEIGHT)[:2]
        rows, columns = (mask.pixels > 0).any(axis=1), (mask.pixels > 0).any(axis=0)
        assert rows[[0, -1]].all() and columns[[0, -1]].all(), "the box is tight"
    assert isinstance(tracker, MaskTracker)


def test_what_is_not_there_has_no_score_and_no_mask(tmp_path):
    tracker = make_tracker(f"sam2:{sam2_video(tmp_path, is_there=False)}")
    first, second = frames(2)
    tracker.start(View(first), box_at(PLACE))
    estimate = tracker.step(View(second))
    assert estimate.score == 0 and (estimate.box_xyxy == box_at(PLACE)).all()
    assert tracker.mask(estimate.box_xyxy) is None


def test_two_targets_in_a_pipeline_with_masks_twice_the_same_bytes(name):
    goals = [ScriptedGoal(request=TrackRequest(region=Region.from_box(box_at(place)))) for place in (PLACE, (80, 80))]
    config = PipelineConfig(tracker=name, publish_masks=True)
    first, second = (json.dumps(replay(frames(6), goals, config).as_json()) for _ in range(2))
    assert first == second
    tracks = json.loads(first)["frames"][-1]["tracks"]
    assert [track["state"] for track in tracks] == ["TRACKED", "TRACKED"]
    assert all(track["mask"]["size"] == [HEIGHT, WIDTH] for track in tracks)


def test_a_folder_that_holds_no_such_model_is_a_setting_to_mend(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.json cannot be read"):
        make_tracker(f"sam2:{tmp_path}")
    with pytest.raises(ConfigError, match="not a directory, bundled model or hub id"):
        make_tracker(f"sam2:{tmp_path / 'nowhere'}")
    with pytest.raises(ConfigError, match="holds a model of type None; give one of sam2_video"):
        make_tracker("sam2:vitron-tiny")


def test_masks_are_refused_with_trackers_that_make_none(name):
    for kind in ("default", name, *(["csrt"] if hasattr(cv2, "TrackerCSRT") else [])):
        makes_masks = isinstance(make_tracker(kind), MaskTracker)
        assert makes_masks == (kind.partition(":")[0] in MASK_TRACKERS)
    for kind in ("csrt", "nano:/models"):
        with pytest.raises(ConfigError, match=f"the tracker '{kind}' makes no masks; use default or sam2:FOLDER"):
            PipelineConfig(tracker=kind, publish_masks=True)


def test_the_list_of_trackers_needs_no_torch():
    code = "import sys, vitron_ros.tracking.trackers as t; t.make_tracker('default'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_box_beside_the_image_has_no_mask(name):
    tracker = make_tracker(name)
    tracker.start(View(frames(1)[0]), box_at(PLACE))
    assert tracker.mask(np.array([-50.0, -50, -10, -10])) is None
