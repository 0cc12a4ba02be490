"""Fault drills without DDS: what a model may say, and images that come as nobody expects, at the pipeline itself."""

import itertools

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import BOX, FRAME_NS, ScriptedModel, ScriptedTracker, frame, true_box
from vitron_ros.config import PipelineConfig
from vitron_ros.grounding.request import ModelReply, ReplyStatus
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.goals import Outcome, TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.tracking.track import TrackState

FRAMES = 12
CONFIG = {"keyframe_period": 0.01, "model_period": 0.05, "keyframes": 2}
DRAWN, ASKED = TrackRequest(region=Region.from_box(BOX)), TrackRequest(prompt="mug")

numbers = st.floats(allow_nan=True, allow_infinity=True, width=64) | st.floats(-100, 200)
scores = st.floats(0, 1) | st.floats(allow_nan=True, allow_infinity=True)
replies = st.tuples(st.sampled_from(ReplyStatus), st.lists(numbers, min_size=4, max_size=4), scores, st.integers(0, 3))


def pipeline_of(**config):
    return CameraPipeline(
        PipelineConfig(**CONFIG | config), ScriptedTracker, itertools.count(1), model_frames=CONFIG["keyframes"]
    )


def saying(script):
    """A model that goes through the script: a status, a box, a score, and how many frames too many it speaks of."""

    def answer(request):
        status, box, score, surplus = next(script)
        boxes = np.tile(np.array(box, np.float64), (len(request.frames) + surplus // 3, 1))
        return ModelReply(id=request.id, task=request.task, status=status, boxes_xyxy=boxes, score=score)

    return ScriptedModel(answer)


def step(pipeline, model, index):
    """One frame; what it makes the pipeline ask is answered before the next."""
    report = pipeline.step(frame(index), frame(index).stamp_ns)
    if report.requests:
        for request, reply in zip(report.requests, answers(model, report.requests), strict=True):
            pipeline.receive(request, reply)
    pipeline.catch_up()
    return report


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(replies, min_size=1, max_size=8))
def test_whatever_a_model_says_what_was_drawn_is_followed_and_what_was_asked_for_ends_or_waits(script):
    """A tracker that is sure, and right, is never talked out of it by a model that has shown nothing."""
    pipeline, model = pipeline_of(), saying(itertools.cycle(script))
    pipeline.add("drawn", DRAWN, 0)
    pipeline.add("asked", ASKED, 0)
    finished = {}
    for index in range(FRAMES):
        report = step(pipeline, model, index)
        finished |= report.finished
        assert all(np.isfinite(track.box_xyxy).all() and 0 <= track.score <= 1 for track in report.tracks)
        (mine,) = [track for track in report.tracks if track.id == 1]
        assert mine.state in (TrackState.TENTATIVE, TrackState.TRACKED)
        np.testing.assert_allclose(mine.box_xyxy, true_box(index))
    assert "drawn" not in finished
    if "asked" in finished:
        assert finished["asked"].outcome in (Outcome.MODEL_ERROR, Outcome.NOT_UNDERSTOOD, Outcome.TIMEOUT)
        assert finished["asked"].message
    pipeline.cancel("asked")
    pipeline.cancel("drawn")
    finished |= pipeline.tick(frame(FRAMES).stamp_ns).finished
    assert finished.keys() == {"drawn", "asked"}


sizes = st.sampled_from([(64, 48), (32, 24), (1, 1), (640, 3)])
steps_ns = st.sampled_from([FRAME_NS, 1, -FRAME_NS, -(10**9), 3600 * 10**9, 0])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(sizes, steps_ns), min_size=1, max_size=20))
def test_however_images_come_every_goal_goes_on_or_ends_with_words_and_a_new_one_works(images):
    pipeline, model = pipeline_of(), ScriptedModel(lambda request: ModelReply(id=request.id, task=request.task,
                                                                               status=ReplyStatus.ABSENT))  # fmt: skip
    pipeline.add("drawn", DRAWN, 0)
    pipeline.add("asked", ASKED, 0)
    stamp_ns, running, ended = 10**12, {"drawn", "asked"}, {}
    for index, ((width, height), step_ns) in enumerate(images):
        stamp_ns = max(1, stamp_ns + step_ns)
        image = frame(index, width=width, height=height, stamp_ns=stamp_ns)
        report = pipeline.step(image, 10**12 + index * FRAME_NS)
        for request, reply in zip(report.requests, answers(model, report.requests), strict=True):
            pipeline.receive(request, reply)
        pipeline.catch_up()
        ended |= report.finished
        assert all(result.message for result in report.finished.values())
        assert report.feedback.keys() == running - ended.keys(), "each goal goes on or has ended"
    pipeline.add("new", DRAWN, 10**12 + len(images) * FRAME_NS)
    last = frame(0, stamp_ns=stamp_ns + 10**9)
    report = pipeline.step(last, 10**12 + len(images) * FRAME_NS)
    assert "new" in report.feedback
    assert [track for track in report.tracks if np.allclose(track.box_xyxy, BOX)], "where it was drawn"
