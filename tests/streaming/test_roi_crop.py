"""Small targets from near: where the window lies, that boxes come back to their places, when whole images serve."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import FRAME_NS, ScriptedModel, found, said, true_box
from tests.streaming.test_model_fusion import Slipping
from tests.streaming.test_prompt_goals import Rig
from vitron_ros.config import PipelineConfig
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.region import Region
from vitron_ros.streaming.answering import answers
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline
from vitron_ros.streaming.roi_crop import MARGIN, SIZES, crop_request, roi_crop, uncrop_reply, up_to_edge
from vitron_ros.tracking.track import TrackState

NAN = [np.nan] * 4
IMAGE = (640, 480)
WINDOW = (100, 50, 300, 250)


def images(count, width=640, height=480):
    pixels = np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3))
    return tuple(Frame(rgb=pixels, stamp_ns=1 + index * FRAME_NS, index=index) for index in range(count))


def numbered(count):
    """Frames whose pixels say where they are: red the column, green the row, in steps of four."""
    y, x = np.mgrid[:480, :640]
    rgb = np.stack([x // 4, y // 4, np.zeros_like(x)], axis=-1).astype(np.uint8)
    return tuple(Frame(rgb=rgb, stamp_ns=1 + index * FRAME_NS, index=index) for index in range(count))


def following(frames, box, window):
    return ModelRequest(id="1", task=Task.FOLLOW, frames=frames, box_xyxy=np.asarray(box, np.float64), roi_xyxy=window)


@st.composite
def ways(draw):
    """An image size, and boxes inside it that are not larger than a tenth of its sides, some of them not known."""
    width, height = draw(st.integers(8, 2000)), draw(st.integers(8, 2000))
    boxes = []
    for _ in range(draw(st.integers(1, 8))):
        w, h = draw(st.floats(0.01, 0.0999)) * width, draw(st.floats(0.01, 0.0999)) * height
        x, y = draw(st.floats(0, 1)) * (width - w), draw(st.floats(0, 1)) * (height - h)
        boxes.append([x, y, x + w, y + h] if not boxes or draw(st.integers(0, 3)) else NAN)
    return width, height, np.array([*boxes, boxes[0]], np.float64)


@given(ways())
def test_a_window_is_square_lies_in_the_image_and_holds_the_way_with_a_margin(way):
    width, height, boxes = way
    window = roi_crop(boxes, images(len(boxes), width, height), 0.1)
    sides = boxes[:, 2:] - boxes[:, :2]
    size = np.nanmax(sides)
    low, high = np.nanmin(boxes[:, :2], axis=0), np.nanmax(boxes[:, 2:], axis=0)
    if window is None:
        reach = max(SIZES * size, (high - low).max() + 2 * MARGIN * size, 48) + 2
        assert reach > min(width, height, 0.75 * max(width, height)), "there was room"
        return
    x_min, y_min, x_max, y_max = window
    assert x_max - x_min == y_max - y_min >= SIZES * size
    assert min(x_min, y_min) >= 0 and x_max <= width and y_max <= height
    wanted_low = np.maximum(low - MARGIN * size, 0)
    wanted_high = np.minimum(high + MARGIN * size, [width, height])
    assert (wanted_low >= [x_min, y_min]).all() and (wanted_high <= [x_max, y_max]).all()


@given(ways())
def test_there_and_back_is_where_it_was(way):
    width, height, boxes = way
    frames = images(len(boxes), width, height)
    window = roi_crop(boxes, frames, 0.1)
    request = following(frames, boxes[0], window)
    close = crop_request(request)
    offset = 0 if window is None else np.tile(window[:2], 2)
    reply = ModelReply(id="1", task=Task.FOLLOW, status=ReplyStatus.OK, boxes_xyxy=boxes - offset)
    np.testing.assert_allclose(uncrop_reply(request, reply).boxes_xyxy, boxes, atol=1e-9)
    np.testing.assert_allclose(close.box_xyxy + offset, boxes[0], atol=1e-9)
    side = (width, height) if window is None else (window[2] - window[0], window[3] - window[1])
    assert {(one.width, one.height) for one in close.frames} == {side}
    assert (close.box_xyxy >= -1e-9).all() and (close.box_xyxy[2:] <= np.array(side) + 1e-9).all()


def test_the_model_is_shown_the_very_pixels_of_the_window_at_their_times():
    frames = numbered(3)
    close = crop_request(following(frames, [140, 120, 160, 140], WINDOW))
    for one, whole in zip(close.frames, frames, strict=True):
        np.testing.assert_array_equal(one.rgb[0, 0], [25, 12, 0])
        np.testing.assert_array_equal(one.rgb[-1, -1], [299 // 4, 249 // 4, 0])
        assert np.shares_memory(one.rgb, whole.rgb)
        assert (one.stamp_ns, one.index) == (whole.stamp_ns, whole.index)
    np.testing.assert_array_equal(close.box_xyxy, [40, 70, 60, 90])


BOX = [300, 200, 330, 230]
NO_WINDOW = {
    "large": ([[300, 200, 364, 230]] * 2, images(2)),
    "large in one image": ([BOX, [300, 200, 330, 248.1], BOX], images(3)),
    "far apart": ([[0, 200, 30, 230], [610, 200, 640, 230]], images(2)),
    "outside": ([BOX, [700, 200, 730, 230]], images(2)),
    "not known in the newest": ([BOX, NAN], images(2)),
    "never known": ([NAN, NAN], images(2)),
    "another image size": ([BOX, BOX], (*images(1, 320, 240), *images(1))),
    "one pixel high": ([[3, 0, 9, 1]] * 2, images(2, 640, 1)),
    "one pixel": ([[0, 0, 1, 1]], images(1, 1, 1)),
    "no area": ([[300, 200, 300, 200]] * 2, images(2)),
}


@pytest.mark.parametrize("case", NO_WINDOW)
def test_whole_images_where_a_window_would_not_serve(case):
    boxes, frames = NO_WINDOW[case]
    assert roi_crop(np.array(boxes, np.float64), frames, 0.1) is None
    if case.startswith("large"):
        assert roi_crop(np.array(boxes, np.float64), frames, 0.2) is not None


def test_never_below_a_share_of_nothing():
    assert roi_crop(np.array([BOX, BOX], np.float64), images(2), 0.0) is None
    assert roi_crop(np.array([BOX, BOX], np.float64), images(2), 0.1) is not None


CUT_RIGHT, CUT_LEFT, WITHIN = [280, 100, 300, 120], [101, 100, 120, 120], [150, 100, 170, 120]


@pytest.mark.parametrize(
    ("boxes", "window", "expected"),
    [
        ([WITHIN, WITHIN], WINDOW, [WITHIN, WITHIN]),
        ([WITHIN, CUT_RIGHT], WINDOW, [WITHIN]),
        ([WITHIN, CUT_LEFT, NAN, NAN], WINDOW, [WITHIN]),
        ([WITHIN, CUT_LEFT, WITHIN], WINDOW, [WITHIN, NAN, WITHIN]),
        ([WITHIN, NAN, NAN], WINDOW, [WITHIN, NAN, NAN]),
        ([NAN, NAN], WINDOW, [NAN, NAN]),
        ([CUT_RIGHT, CUT_LEFT], WINDOW, []),
        ([[90, 40, 310, 260]], WINDOW, []),  # all of it
        ([[0, 0, 20, 20]], (0, 0, 200, 200), [[0, 0, 20, 20]]),  # the image's own corner
        ([[0, 180, 20, 200]], (0, 0, 200, 200), []),
        ([[620, 460, 640, 480]], (440, 280, 640, 480), [[620, 460, 640, 480]]),
    ],
)
def test_nobody_takes_the_edge_of_the_window_for_the_objects(boxes, window, expected):
    np.testing.assert_array_equal(
        up_to_edge(np.array(boxes, np.float64), window, *IMAGE), np.array(expected, np.float64).reshape(-1, 4)
    )


def test_a_reply_of_a_wrong_form_stays_a_failure():
    request = following(images(2), BOX, WINDOW)
    model = ScriptedModel(lambda asked: replace(found(asked), boxes_xyxy=np.zeros((1, 4))))
    (reply,) = answers(model, [request])
    assert reply.status is ReplyStatus.FAILED and reply.boxes_xyxy is None


class ShownRig(Rig):
    """One goal given by a box of that side; a model that is shown what `answering` shows it."""

    def __init__(self, how=None, side=20, tracker=None, **config):
        super().__init__()
        self.side, self.model = side, ScriptedModel(how or self.truth)
        first = iter(() if tracker is None else (tracker,))
        self.pipeline = CameraPipeline(
            PipelineConfig(**{"model_roi_crop": 0.15, **config}),
            lambda: next(first, None) or Slipping(),
            itertools.count(1),
            model_frames=8,
        )
        self.add("0", TrackRequest(region=Region.from_box(self.true(0))))

    def true(self, index):
        return true_box(index) + np.array([200, 150, 180 + self.side, 130 + self.side])

    def truth(self, request):
        """The true boxes in whatever part of the images is shown."""
        x, y = self.corner(request)
        boxes = np.array([self.true(one.index) for one in request.frames]) - [x, y, x, y]
        return replace(found(request), boxes_xyxy=boxes)

    def corner(self, request):
        """Of what is shown: the model itself cannot know, the rig looks at what was asked."""
        window = next(asked.roi_xyxy for asked in reversed(self.asked) if asked.id == request.id)
        return (0, 0) if window is None else window[:2]

    def follow(self, frames):
        reports = []
        for _ in range(frames):
            reports.append(self.run())
            for request in list(self.open.values()):
                del self.open[request.id]
                (reply,) = answers(self.model, [request])
                self.pipeline.receive(request, reply)
        return reports

    @property
    def windows(self):
        return [request.roi_xyxy for request in self.asked]


def test_a_small_target_is_followed_from_near_and_the_reply_lands_where_it_is():
    rig = ShownRig(tracker=Slipping(after=70, score=0.4))
    reports = rig.follow(160)
    off = [float(report.tracks[0].box_xyxy[0] - rig.true(report.frame.index)[0]) for report in reports]
    assert min(off) < -5, "the tracker did slip"
    assert abs(off[-1]) < 3, "and was put right from near"
    assert all(request.task is Task.FOLLOW for request in rig.asked)
    assert all(window is not None for window in rig.windows)
    for shown, asked in zip(rig.model.asked, rig.asked, strict=True):
        assert shown.frames[0].width == shown.frames[0].height == asked.roi_xyxy[2] - asked.roi_xyxy[0] < 240
        assert asked.frames[0].width == 640


@pytest.mark.parametrize(("side", "config"), [(80, {}), (20, {"model_roi_crop": 0.0})])
def test_a_large_target_and_where_it_is_off_every_target_is_seen_in_whole_images(side, config):
    rig = ShownRig(side=side, **config)
    rig.follow(60)
    assert rig.model.asked and rig.windows == [None] * len(rig.model.asked)
    assert {one.frames[0].width for one in rig.model.asked} == {640}


def test_what_is_found_by_a_phrase_is_looked_for_in_whole_images():
    rig = ShownRig()
    rig.pipeline.cancel("0")
    rig.add("1", TrackRequest(prompt="mug"))
    rig.follow(90)
    by_task = {task: [one.roi_xyxy for one in rig.asked if one.task is task] for task in (Task.FIND, Task.FOLLOW)}
    assert by_task[Task.FIND] and set(by_task[Task.FIND]) == {None}
    assert by_task[Task.FOLLOW] and None not in by_task[Task.FOLLOW]


def absent(request):
    return said(request, ReplyStatus.ABSENT)


def at_the_edge(request):
    side = request.frames[0].width
    boxes = np.array([[side - 20, 20, side, 40]] * len(request.frames), np.float64)
    return replace(found(request), boxes_xyxy=boxes)


@pytest.mark.parametrize("how", [absent, at_the_edge])
def test_after_a_miss_the_next_question_shows_whole_images(how):
    rig = ShownRig()
    rig.model = ScriptedModel(lambda asked: how(asked) if asked.frames[0].width < 640 else rig.truth(asked))
    rig.follow(120)
    is_close = [window is not None for window in rig.windows]
    assert is_close[:6] == [True, False, True, False, True, False]


def test_a_target_that_leaves_the_window_changes_nothing_where_it_was_seen_until_then():
    """A model that has earned reliability says that the target goes to the edge of the window, in every close-up."""
    rig = ShownRig(tracker=Slipping())
    rig.follow(60)
    asked = len(rig.asked)

    def leaves(request):
        if request.frames[0].width == 640:
            return rig.truth(request)
        reply = rig.truth(request)
        side = request.frames[0].width
        reply.boxes_xyxy[-2:] = [side - 10, 20, side, 40]
        return reply

    rig.model = ScriptedModel(leaves)
    reports = rig.follow(90)
    assert any(window is not None for window in rig.windows[asked:])
    for report in reports:
        np.testing.assert_array_equal(report.tracks[0].box_xyxy, rig.true(report.frame.index))
        assert report.tracks[0].state is TrackState.TRACKED
        assert report.tracks[0].score == 1.0


def test_a_target_that_is_not_seen_is_looked_for_in_whole_images():
    rig = ShownRig(tracker=Slipping(after=30, score=0.1))
    rig.follow(31)
    asked = len(rig.asked)
    rig.follow(15)
    assert rig.windows[asked:] and set(rig.windows[asked:]) == {None}
