"""Whether an evaluation has become worse than an earlier one, for a test that is run on every change."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.datasets.files import read_text

SHARES = ("auc", "precision", "norm_precision", "mota", "motp", "idf1", "hota", "det_a", "ass_a", "loc_a")


def read_baseline(path: Path, measured_on: Mapping[str, str]) -> dict[str, float | None]:
    """The figures of an earlier `vitron eval bag --json`.

    Args:
        measured_on: hashes of the truth and the goals, which must be the same.

    Raises:
        PredictionError: they are not, or the file holds no such figures.
        SourceError: the file cannot be read.
    """
    try:
        baseline = json.loads(read_text(path))
        differ = [name for name in measured_on if baseline["measured_on"][name] != measured_on[name]]
        figures = dict(shares(baseline))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise PredictionError(
            f"{path} holds no figures; write them with: vitron eval bag ... --json > {path}"
        ) from error
    if differ:
        raise PredictionError(f"{path} is of other {' and '.join(differ)}; write it again with these")
    return figures


def fallen(baseline: Mapping[str, float | None], document: Mapping[str, Any], margin: float) -> list[str]:
    """A sentence for each figure that is worse than before by more than the margin, or no longer there.

    Compared are shares: areas, precisions, MOTA, IDF1, HOTA, recovered returns; and ghosts, of which more are worse. A
    figure that was not measured before is no fall.

    Args:
        baseline: from `read_baseline`.
    """
    now = dict(shares(document))
    sentences = []
    for name, before in baseline.items():
        after = now.get(name)
        if before is not None and after is None:
            sentences.append(f"{name} was {before:.4f} and is not measured any more")
        elif before is not None and after is not None:
            worse = after - before if name.endswith("ghosts") else before - after
            if worse > margin:
                verb = "rose" if after > before else "fell"
                sentences.append(f"{name} {verb} from {before:.4f} to {after:.4f}, by more than {margin:g}")
    return sentences


def shares(document: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """Every share in a document, by what a person calls it.

    Raises:
        ValueError: one is no number.
    """
    named = [*((item["name"], item) for item in document["goals"]), ("all goals", document["all"])]
    for name, item in named:
        for variant, figures in (item["single"] or {}).items():
            yield from ((f"{name}: {variant} {key}", _share(figures[key])) for key in SHARES if key in figures)
        yield from ((f"{name}: {key}", _share(item["several"][key])) for key in SHARES if key in item["several"])
        yield from ((f"{name}: streaming {key}", _share(value)) for key, value in (item["streaming"] or {}).items())
        yield f"{name}: recovered", item["recovered"] / item["returns"] if item["returns"] else None
        yield f"{name}: ghosts", None if item["ghosts"] is None else _share(item["ghosts"])


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a figure")
    return float(value)
