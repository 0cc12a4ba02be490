"""Multi-object tracking as TrackEval computes it: CLEAR (MOTA, MOTP, switches), identity (IDF1) and HOTA.

Counts of sequences are added, never their scores averaged. motmetrics agrees on IDF1, FP and FN; its MOTA, MOTP,
switches and fragmentations follow other definitions.

MOTA    1 - (FN + FP + switches) / truth; an object keeps its match of the frame before where their IoU is 0.5 or more
        (Bernardin and Stiefelhagen, 2008).
IDF1    2 IDTP / (truth + predicted), IDTP by the best assignment of whole tracks (Ristani et al., ECCV 2016).
HOTA    mean over IoU 0.05, ..., 0.95 of sqrt(DetA * AssA) (Luiten et al., IJCV 2021).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes, iou_matrix
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Flags, Values, finite, same_length

MATCH_IOU = 0.5
ALPHAS = np.arange(1, 20) / 20
MOSTLY, HARDLY = 0.8, 0.2
PEDESTRIAN = 1
DISTRACTORS = (2, 7, 8, 12)  # classes of MOT16 and MOT17
EPS = np.finfo(float).eps

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Objects:
    """What is in one frame: ids (N,), each once, and boxes_xyxy (N, 4) px."""

    ids: Ids
    boxes_xyxy: Boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MotCounts:
    """What the figures are made of; counts of several sequences add up.

    Attributes:
        overlap: sum of the IoU of the matches, for MOTP.
        hota_*: (19,) each, by ALPHAS; hota_association is the sum of AssIoU over matches.
    """

    frames: int
    true: int
    predicted: int
    matches: int
    switches: int
    fragmentations: int
    mostly_tracked: int
    mostly_lost: int
    overlap: float
    identity_matches: int
    hota_matches: Values
    hota_association: Values
    hota_overlap: Values

    def __add__(self, other: "MotCounts") -> "MotCounts":
        return MotCounts(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)}
        )

    def figures(self) -> dict[str, float]:
        """MOTA, IDF1, HOTA and the rest; ratios in [0, 1], MOTA at most 1, the others counts.

        Raises:
            MetricError: there is no true box.
        """
        if not self.true:
            raise MetricError("there is no true box in any frame")
        misses, false_alarms = self.true - self.matches, self.predicted - self.matches
        found = np.maximum(self.hota_matches, 1)
        detection = self.hota_matches / (self.true + self.predicted - self.hota_matches)
        association = self.hota_association / found
        return {
            "mota": (self.matches - false_alarms - self.switches) / self.true,
            "motp": self.overlap / max(self.matches, 1),
            "idf1": 2 * self.identity_matches / (self.true + self.predicted),
            "hota": float(np.sqrt(detection * association).mean()),
            "det_a": float(detection.mean()),
            "ass_a": float(association.mean()),
            "loc_a": float(np.where(self.hota_matches > 0, self.hota_overlap / found, 1).mean()),
            "switches": self.switches,
            "fragmentations": self.fragmentations,
            "fp": false_alarms,
            "fn": misses,
            "mostly_tracked": self.mostly_tracked,
            "mostly_lost": self.mostly_lost,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frame:
    """Rows of true and predicted tracks (G,) and (P,), and their IoU (G, P)."""

    true: Ids
    predicted: Ids
    overlap: Values


def count(true: Sequence[Objects], predicted: Sequence[Objects]) -> MotCounts:
    """The counts of one sequence, one `Objects` a frame on either side.

    Raises:
        MetricError: lengths differ, empty, an id occurs twice in a frame, or a box is not finite.
    """
    frames = same_length(true=true, predicted=predicted)
    for name, side in (("true", true), ("predicted", predicted)):
        for index, objects in enumerate(side):
            _check(objects, f"{name} frame {index}")
    own, other = (_rows([objects.ids for objects in side]) for side in (true, predicted))
    pairs = [
        _Frame(true=g, predicted=p, overlap=iou_matrix(a.boxes_xyxy.reshape(-1, 4), b.boxes_xyxy.reshape(-1, 4)))
        for g, p, a, b in zip(own, other, true, predicted, strict=True)
    ]
    lengths = np.bincount(np.concatenate(own)), np.bincount(np.concatenate(other))
    return MotCounts(
        frames=frames,
        true=int(lengths[0].sum()),
        predicted=int(lengths[1].sum()),
        identity_matches=_identity_matches(pairs, *lengths),
        **_clear(pairs, lengths[0]),
        **_hota(pairs, *lengths),
    )


def mot16_objects(true: Objects, classes: Ids, counts: Flags, predicted: Objects) -> tuple[Objects, Objects]:
    """What of one frame of MOT16 or MOT17 is scored, as TrackEval prepares it.

    Predictions matched to persons on vehicles, static persons, distractors and reflections are removed; the truth is
    that of pedestrians which counts.

    Args:
        classes: (N,) of the true boxes, 1..13.
        counts: (N,) their flags.
    """
    same_length(classes=np.append(classes, 0), counts=np.append(counts, 0), true=np.append(true.ids, 0))
    overlap = iou_matrix(true.boxes_xyxy.reshape(-1, 4), predicted.boxes_xyxy.reshape(-1, 4))
    rows, columns = _matched(np.where(overlap >= MATCH_IOU - EPS, overlap, 0))
    kept = np.ones(len(predicted.ids), bool)
    kept[columns[np.isin(np.asarray(classes)[rows], DISTRACTORS)]] = False
    scored = (np.asarray(classes) == PEDESTRIAN) & np.asarray(counts, bool)
    return (
        Objects(ids=true.ids[scored], boxes_xyxy=true.boxes_xyxy[scored]),
        Objects(ids=predicted.ids[kept], boxes_xyxy=predicted.boxes_xyxy[kept]),
    )


def _check(objects: Objects, where: str) -> None:
    if len(objects.ids):
        finite(objects.boxes_xyxy, where, (len(objects.ids), 4))
    elif np.size(objects.boxes_xyxy):
        raise MetricError(f"{where} has {len(objects.boxes_xyxy)} boxes and no ids")
    values, times = np.unique(objects.ids, return_counts=True)
    if (times > 1).any():
        raise MetricError(f"{where} has id {values[times > 1][0]} more than once")


def _rows(ids: Sequence[Ids]) -> list[Ids]:
    """The ids of each frame as numbers of tracks, from 0."""
    _, rows = np.unique(np.concatenate(ids).astype(np.int64), return_inverse=True)
    return np.split(rows, np.cumsum([len(item) for item in ids])[:-1])


def _clear(frames: Sequence[_Frame], lengths: Ids) -> dict[str, Any]:
    last = np.full(len(lengths), -1)  # track that each object was matched to when it last was
    before = last.copy()  # ... in the last frame that had boxes of both sides
    matched, begun = np.zeros(len(lengths), int), np.zeros(len(lengths), int)
    switches, overlap = 0, 0.0
    for frame in frames:
        if not frame.overlap.size:
            continue
        kept = frame.predicted == before[frame.true][:, None]
        rows, columns = _matched(np.where(frame.overlap >= MATCH_IOU - EPS, 1000 * kept + frame.overlap, 0))
        own, other = frame.true[rows], frame.predicted[columns]
        switches += int(((last[own] >= 0) & (last[own] != other)).sum())
        begun[own[before[own] < 0]] += 1
        matched[own] += 1
        overlap += float(frame.overlap[rows, columns].sum())
        last[own] = other
        before[:] = -1
        before[own] = other
    shares = matched / lengths
    return {
        "matches": int(matched.sum()),
        "switches": switches,
        "fragmentations": int((begun[begun > 0] - 1).sum()),
        "mostly_tracked": int((shares > MOSTLY).sum()),
        "mostly_lost": int((shares < HARDLY).sum()),
        "overlap": overlap,
    }


def _identity_matches(frames: Sequence[_Frame], true_lengths: Ids, predicted_lengths: Ids) -> int:
    together = np.zeros((len(true_lengths), len(predicted_lengths)))
    for frame in frames:
        together[np.ix_(frame.true, frame.predicted)] += frame.overlap >= MATCH_IOU
    return int(together[_assigned(together)].sum())


def _hota(frames: Sequence[_Frame], true_lengths: Ids, predicted_lengths: Ids) -> dict[str, Any]:
    both = true_lengths[:, None] + predicted_lengths
    together = np.zeros(both.shape)
    for frame in frames:
        either = frame.overlap.sum(axis=0) + frame.overlap.sum(axis=1)[:, None] - frame.overlap
        together[np.ix_(frame.true, frame.predicted)] += np.divide(
            frame.overlap, either, out=np.zeros_like(either), where=either > EPS
        )
    alignment = together / (both - together)
    matches = np.zeros((len(ALPHAS), *both.shape))
    located = np.zeros(len(ALPHAS))
    for own, other, overlap in _aligned(frames, alignment):
        reached = overlap >= ALPHAS[:, None] - EPS  # (19, matches)
        matches[:, own, other] += reached
        located += (reached * overlap).sum(axis=1)
    association = matches / np.maximum(both - matches, 1)
    return {
        "hota_matches": matches.sum(axis=(1, 2)),
        "hota_association": (matches * association).sum(axis=(1, 2)),
        "hota_overlap": located,
    }


def _aligned(frames: Sequence[_Frame], alignment: Values) -> Iterator[tuple[Ids, Ids, Values]]:
    for frame in frames:
        rows, columns = _assigned(alignment[np.ix_(frame.true, frame.predicted)] * frame.overlap)
        yield frame.true[rows], frame.predicted[columns], frame.overlap[rows, columns]


def _matched(quality: Values) -> tuple[Ids, Ids]:
    """The best assignment, of pairs that are worth anything."""
    rows, columns = _assigned(quality)
    worth = quality[rows, columns] > EPS
    return rows[worth], columns[worth]


def _assigned(quality: Values) -> tuple[Ids, Ids]:
    from scipy.optimize import linear_sum_assignment  # a third of the start of every `vitron eval`

    rows, columns = linear_sum_assignment(quality, maximize=True)
    return rows, columns
