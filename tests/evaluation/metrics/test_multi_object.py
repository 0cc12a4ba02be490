"""CLEAR, identity and HOTA: cases worked by hand, and the reference toolkits on random scenes."""

import numpy as np
import pytest

from vitron_ros.boxes import iou_matrix, xyxy_from_ltwh
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.multi_object import Objects, count, mot16_objects


def objects(**boxes: tuple[float, float]) -> Objects:
    """Squares of 10 px by the id, as in a1=(x, y)."""
    return Objects(
        ids=np.array([int(name[1:]) for name in boxes], int),
        boxes_xyxy=np.array([[x, y, x + 10, y + 10] for x, y in boxes.values()], float).reshape(-1, 4),
    )


A = objects(a1=(0, 0))
NOTHING = objects()


@pytest.mark.parametrize(
    ("true", "predicted", "expected"),
    [
        ([A] * 4, [A] * 4, {"mota": 1, "idf1": 1, "hota": 1, "switches": 0, "motp": 1, "mostly_tracked": 1}),
        ([A] * 4, [NOTHING] * 4, {"mota": 0, "idf1": 0, "hota": 0, "fn": 4, "mostly_lost": 1}),
        ([A] * 4, [objects(a1=(90, 0))] * 4, {"mota": -1, "idf1": 0, "hota": 0, "fp": 4, "fn": 4}),
        # Half under one id, half under another: AssA is 0.5 at every alpha.
        ([A] * 4, [A, A, objects(a2=(0, 0)), objects(a2=(0, 0))],
         {"mota": 0.75, "idf1": 0.5, "switches": 1, "det_a": 1, "ass_a": 0.5, "hota": 0.5**0.5}),
        ([A] * 4, [A, NOTHING, A, A], {"mota": 0.75, "fragmentations": 0, "switches": 0}),
        ([A] * 4, [A, objects(a1=(90, 0)), A, A], {"fragmentations": 1, "mota": 0.5}),
        # IoU exactly 0.5 is a match; HOTA's from 0.05 to 0.5 are 10 of 19.
        ([A], [Objects(ids=A.ids, boxes_xyxy=np.array([[0.0, 0, 5, 10]]))], {"mota": 1, "motp": 0.5, "hota": 10 / 19}),
    ],
    ids=["perfect", "nothing", "elsewhere", "one switch", "a frame without any box", "a gap", "at the threshold"],
)  # fmt: skip
def test_hand_worked_sequences(true, predicted, expected):
    figures = count(true, predicted).figures()
    assert {key: figures[key] for key in expected} == pytest.approx(expected)


def test_a_match_is_kept_though_another_box_is_nearer():
    near, kept = objects(a1=(0, 0)), objects(a1=(2, 0), a2=(0, 0))
    figures = count([A, A], [near, kept]).figures()
    assert (figures["switches"], figures["motp"]) == (0, pytest.approx((1 + 8 / 12) / 2))


def test_sequences_are_added_and_not_averaged():
    one, other = count([A] * 9, [A] * 9), count([A], [NOTHING])
    assert (one + other).figures()["mota"] == 0.9
    assert (one + other).figures()["hota"] == pytest.approx(0.9**0.5)


def test_a_prediction_on_a_distractor_is_not_a_false_alarm():
    """The numbers are those of TrackEval's own reader of MOT16 for the same rows."""
    frames = []
    for index, left in enumerate((10, 12, 14)):
        true = Objects(ids=np.array([1, 2]), boxes_xyxy=xyxy_from_ltwh([[left, 10, 40, 80], [200, 10, 40, 80]]))
        boxes = [[11, 10, 40, 80], [12, 11, 40, 80], [14, 10, 40, 80]][index]
        predicted = Objects(
            ids=np.array([5 if index < 2 else 6, 9]), boxes_xyxy=xyxy_from_ltwh([boxes, [200, 10, 40, 80]])
        )
        frames.append(mot16_objects(true, np.array([1, 8]), np.array([True, False]), predicted))
    true, predicted = zip(*frames, strict=True)
    figures = count(true, predicted).figures()
    assert figures["fp"] == 0
    assert figures["switches"] == 1
    assert figures["mota"] == figures["idf1"] == pytest.approx(2 / 3)
    assert figures["hota"] == pytest.approx(0.745356, abs=1e-6)


def random_scene(rng: np.random.Generator, frames: int) -> tuple[list[Objects], list[Objects]]:
    """Objects that wander, come and go; tracks that jitter, swap and miss."""
    start, speed = rng.uniform(0, 25, (4, 2)), rng.normal(0, 2, (4, 2))
    names = rng.permutation(4)
    true, predicted = [], []
    for index in range(frames):
        corners = start + index * speed + rng.normal(0, 0.5, (4, 2))
        boxes = np.concatenate([corners, corners + 12], axis=1)
        if rng.random() < 0.3:
            names = rng.permutation(6)[:4]
        for side, kept, noise in ((true, 0.85, 0.0), (predicted, 0.8, 1.5)):
            there = rng.random(4) < kept
            ids = (names if noise else np.arange(4))[there]
            side.append(Objects(ids=ids, boxes_xyxy=boxes[there] + rng.normal(0, noise, (there.sum(), 4))))
    return true, predicted


def rows(side: list[Objects]) -> tuple[list[np.ndarray], int]:
    known = sorted({int(item) for frame in side for item in frame.ids})
    return [np.array([known.index(item) for item in frame.ids], int) for frame in side], len(known)


def test_agrees_with_trackeval():
    trackeval = pytest.importorskip("trackeval", reason="pip install --no-deps trackeval, see requirements-dev.txt")
    rng = np.random.default_rng(6)
    quiet = {"PRINT_CONFIG": False}
    clear, identity, hota = trackeval.metrics.CLEAR(quiet), trackeval.metrics.Identity(quiet), trackeval.metrics.HOTA()
    for _ in range(1000):
        true, predicted = random_scene(rng, 6)
        (own, objects_in_all), (other, tracks) = rows(true), rows(predicted)
        data = {
            "num_timesteps": 6, "gt_ids": own, "tracker_ids": other, "num_gt_ids": objects_in_all,
            "num_tracker_ids": tracks, "num_gt_dets": sum(map(len, own)), "num_tracker_dets": sum(map(len, other)),
            "similarity_scores": [
                iou_matrix(a.boxes_xyxy, b.boxes_xyxy) for a, b in zip(true, predicted, strict=True)
            ],
        }  # fmt: skip
        figures = count(true, predicted).figures()
        theirs = clear.eval_sequence(data) | identity.eval_sequence(data)
        theirs |= {key: np.mean(value) for key, value in hota.eval_sequence(data).items()}
        names = {
            "mota": "MOTA", "motp": "MOTP", "idf1": "IDF1", "hota": "HOTA", "det_a": "DetA", "ass_a": "AssA",
            "loc_a": "LocA", "switches": "IDSW", "fragmentations": "Frag", "fp": "CLR_FP", "fn": "CLR_FN",
            "mostly_tracked": "MT", "mostly_lost": "ML",
        }  # fmt: skip
        assert figures == pytest.approx({key: float(theirs[name]) for key, name in names.items()}, abs=1e-9)


def test_idf1_and_errors_agree_with_motmetrics():
    motmetrics = pytest.importorskip("motmetrics")
    rng = np.random.default_rng(7)
    for _ in range(20):
        true, predicted = random_scene(rng, 50)
        accumulator = motmetrics.MOTAccumulator(auto_id=True)
        for a, b in zip(true, predicted, strict=True):
            overlap = iou_matrix(a.boxes_xyxy, b.boxes_xyxy)
            accumulator.update(a.ids, b.ids, np.where(overlap >= 0.5, 1 - overlap, np.nan))
        theirs = motmetrics.metrics.create().compute(
            accumulator, metrics=["idf1", "num_false_positives", "num_misses"], return_dataframe=False
        )
        figures = count(true, predicted).figures()
        assert figures["idf1"] == pytest.approx(theirs["idf1"], abs=1e-12)
        assert (figures["fp"], figures["fn"]) == (theirs["num_false_positives"], theirs["num_misses"])


@pytest.mark.parametrize(
    ("true", "predicted", "words"),
    [
        ([A], [A, A], "true 1, predicted 2"),
        ([], [], "nothing to score"),
        ([NOTHING], [A], "no true box"),
        (
            [A],
            [Objects(ids=np.array([1, 1]), boxes_xyxy=np.zeros((2, 4)))],
            "frame 0 has id 1 more than once",
        ),
        ([A], [Objects(ids=np.array([1]), boxes_xyxy=np.full((1, 4), np.nan))], "predicted frame 0 has 4 values"),
        ([A], [Objects(ids=np.array([], int), boxes_xyxy=np.zeros((1, 4)))], "1 boxes and no ids"),
        ([A], [Objects(ids=np.array([1, 2]), boxes_xyxy=np.zeros((1, 4)))], r"shape \(1, 4\)"),
    ],
)
def test_bad_input_is_refused(true, predicted, words):
    with pytest.raises(MetricError, match=words):
        count(true, predicted).figures()
