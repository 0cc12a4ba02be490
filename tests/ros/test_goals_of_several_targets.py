"""A goal for all that fits a phrase, to a real node over real DDS, with a scripted detector."""

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("vitron_msgs", reason="vitron_msgs is not installed")

from vitron_msgs.action import TrackObject
from vitron_msgs.msg import Track, TrackEvent

from tests.fakes import ScriptedModel, found
from tests.ros.rig import Camera, running_node
from vitron_ros.boxes import iou
from vitron_ros.grounding.request import Task
from vitron_ros.ros_tools.pattern_camera import pictures, target_boxes

pytestmark = pytest.mark.ros
SIZE, COUNT = (320, 240), 3
ALL = pictures(COUNT, *SIZE)


def without_the_last(index):
    picture = ALL[index].copy()
    left, top, right, bottom = target_boxes(index, COUNT, *SIZE)[-1].astype(int)
    picture[top:bottom, left:right] = 60
    return picture


FEWER = list(map(without_the_last, range(len(ALL))))
PICTURES = {picture.tobytes(): (index, COUNT) for index, picture in enumerate(ALL)}
PICTURES |= {picture.tobytes(): (index, COUNT - 1) for index, picture in enumerate(FEWER)}


def detects(request):
    """All squares of the newest image."""
    index, count = PICTURES[request.frames[-1].rgb.tobytes()]
    candidates = target_boxes(index, COUNT, *SIZE)[:count]
    boxes = np.full((len(request.frames), 4), np.nan)
    boxes[-1] = candidates[0]
    return found(request, boxes_xyxy=boxes, candidates_xyxy=candidates, candidate_scores=np.full(count, 0.9))


def places(camera):
    """Which squares the tracks are on in the answer to the next picture, by id."""
    tracks, truths = camera.answer().tracks, target_boxes(camera.index - 1, COUNT, *SIZE)
    return {
        track.id: int(np.argmax(iou(track.box, truths)))
        for track in tracks
        if track.state == Track.TRACKED and iou(track.box, truths).max() > 0.5
    }


def test_all_that_fits_a_phrase_is_followed_and_one_comes_back_under_its_id(probe):
    model = ScriptedModel(detects, max_frames=1, tasks=frozenset({Task.FIND}), uses_newest_frame_only=True)
    with running_node(lambda name, run: model, model="scripted", feedback_rate=1000.0):
        camera = Camera(probe, targets=COUNT).connect()
        camera.run_until(lambda: probe.tracks)
        handle = probe.send(TrackObject.Goal(prompt="all squares", max_targets=8))
        camera.run_until(lambda: len(places(camera)) == COUNT)
        before = places(camera)
        assert sorted(before.values()) == [0, 1, 2]
        camera.run_until(lambda: [track.id for track in probe.feedback[-1].tracks.tracks] == sorted(before))
        last = next(track_id for track_id, number in before.items() if number == COUNT - 1)

        def events(kind):
            return [event.track_id for event in probe.events if event.event == kind]

        camera.pictures = FEWER
        camera.run_until(lambda: last in events(TrackEvent.LOST))
        assert len(probe.feedback[-1].tracks.tracks) == COUNT
        camera.pictures = ALL
        camera.run_until(lambda: last in events(TrackEvent.REACQUIRED))
        camera.run_until(lambda: places(camera) == before)
        camera.run_until(lambda: len(model.asked) > 3)  # it was verified, too
        assert sorted(events(TrackEvent.STARTED)) == sorted(before), "nobody else was taken up"
        result = probe.cancel(handle)
        assert result.error_code == TrackObject.Result.CANCELED
        assert [track.id for track in result.tracks] == sorted(before)
        probe.spin_until(lambda: sorted(events(TrackEvent.ENDED)) == sorted(before), 30, "the end of each")
