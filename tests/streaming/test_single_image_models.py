"""What a model does for the targets that it has found, whether it looks at clips or at the newest image alone."""

import itertools

import numpy as np
import pytest

from tests.fakes import ScriptedModel, found, said
from tests.streaming.test_model_fusion import Slipping, offset
from tests.streaming.test_prompt_goals import Rig
from vitron_ros.config import PipelineConfig
from vitron_ros.grounding.request import ReplyStatus, Task
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking.track import EventKind, TrackState

CLIP = {"tasks": frozenset({Task.FIND, Task.FOLLOW})}
FINDS = {"tasks": frozenset({Task.FIND}), "uses_newest_frame_only": True}
VERIFIES = {"tasks": frozenset({Task.FIND, Task.VERIFY}), "uses_newest_frame_only": True}
MODELS = pytest.mark.parametrize(
    "abilities",
    [CLIP, {**FINDS, "max_frames": 1}, FINDS, {**VERIFIES, "max_frames": 1}, VERIFIES],
    ids=["clip", "finds in one image", "finds in the newest", "verifies in one image", "verifies in the newest"],
)


class Scene:
    """A goal whose questions a model answers at once.

    Attributes:
        is_there: whether the model sees the target.
        is_the_one: what it says when it is to verify that.
    """

    def __init__(self, abilities, *trackers):
        self.is_there = self.is_the_one = True
        self.model = ScriptedModel(self._say, **abilities)
        self.rig, made = Rig(), iter(trackers)
        self.rig.pipeline = CameraPipeline(
            PipelineConfig(),
            lambda: next(made, None) or Slipping(),
            itertools.count(1),
            model_frames=self.model.max_frames,
            model_can_follow=Task.FOLLOW in self.model.tasks,
        )
        self.rig.add()

    def _say(self, request):
        if request.task is Task.VERIFY:
            return said(request, ReplyStatus.OK if self.is_the_one else ReplyStatus.ABSENT)
        if not self.is_there:
            return said(request, ReplyStatus.ABSENT)
        reply = found(request)
        if self.model.uses_newest_frame_only:
            reply.boxes_xyxy[:-1] = np.nan
        return reply

    def run(self, frames):
        reports = []
        for _ in range(frames):
            reports.append(self.rig.run())
            self.rig.answer(lambda request: answers(self.model, [request])[0])
        return reports


@MODELS
def test_what_was_found_is_verified_again_and_again(abilities):
    scene = Scene(abilities, Slipping())
    reports = scene.run(60)
    assert len(scene.rig.asked) > 3
    stamps = [report.tracks[0].grounded_ns for report in reports[5:]]
    assert stamps == sorted(stamps) and stamps[-1] > stamps[0]
    assert scene.rig.story[1:] == []


@MODELS
def test_a_tracker_that_slips_is_put_right(abilities):
    scene = Scene(abilities, Slipping(after=40, score=0.9))
    off = offset(scene.run(160)[5:])
    assert min(off) < -5 and abs(off[-1]) < 1


@MODELS
def test_a_lost_target_is_found_again_by_its_phrase(abilities):
    scene = Scene(abilities, Slipping(after=40, score=0.1))
    scene.run(30)
    scene.is_there = False
    scene.run(60)
    assert scene.rig.events[-1].kind is EventKind.LOST
    asked = len(scene.rig.asked)
    scene.is_there = True
    (track,) = scene.run(60)[-1].tracks
    assert (track.id, track.state) == (1, TrackState.TRACKED) and scene.rig.events[-1].kind is EventKind.REACQUIRED
    assert scene.rig.asked[asked].text == "the red mug"


@MODELS
def test_what_the_model_does_not_see_any_more_is_lost(abilities):
    scene = Scene(abilities, Slipping())
    scene.run(40)
    scene.is_there = False
    assert scene.run(60)[-1].tracks[0].state is TrackState.LOST


@pytest.mark.parametrize("abilities", [FINDS, VERIFIES], ids=["finds", "verifies"])
def test_no_image_is_shown_twice_for_one_question(abilities):
    scene = Scene(abilities, Slipping())
    scene.run(60)
    shown = [(request.task, request.frames[-1].index) for request in scene.model.asked]
    assert len(shown) == len(set(shown))


def test_what_is_taken_for_something_else_does_not_confirm():
    scene = Scene(VERIFIES, Slipping())
    scene.run(40)
    scene.is_the_one = False
    reports = scene.run(60)
    stamps = {report.tracks[0].grounded_ns for report in reports[10:]}
    assert len(stamps) == 1
