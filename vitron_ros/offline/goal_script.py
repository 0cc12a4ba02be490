"""Goals written down beforehand, for replay: what to follow, and when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.errors import ConfigError, RegionError
from vitron_ros.region import Region
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.yaml_file import read_entries

REGIONS: dict[str, Callable[[Any], Region]] = {
    "box": Region.from_box,
    "point": lambda point: Region.from_point(*point),
    "polygon": Region.from_polygon,
    "scribble": Region.from_scribble,
}
LIMITS = ("timeout", "lost_timeout", "min_score", "duration")
KEYS = ("at", "cancel_at", "prompt", "camera", "max_targets", "target", *REGIONS, *LIMITS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScriptedGoal:
    """A goal that is sent before the first frame at or after `at_s`, counted from the first frame of the recording.

    targets: the true objects that it means, by id, for evaluation; empty: not said.
    """

    request: TrackRequest
    at_s: float = 0.0
    cancel_at_s: float | None = None
    targets: tuple[int, ...] = ()


def read_goals(path: Path) -> list[ScriptedGoal]:
    """The goals of a YAML file: a list under the key `goals`.

    Each has a `prompt`, or `box: [x_min, y_min, x_max, y_max]`, `point`, `polygon` or `scribble` (px), or both, and may
    have `at` and `cancel_at` (s), `max_targets` and the limits of TrackObject. `target`, for `vitron eval bag`, is the
    id of the true object that is meant, or a list of ids.

    Raises:
        ConfigError: the file cannot be read, or a goal in it says something unknown or impossible.
    """
    return [_goal(item, where) for where, item in read_entries(path, "goals", KEYS)]


def _goal(item: Mapping[str, Any], where: str) -> ScriptedGoal:
    kinds = [kind for kind in REGIONS if kind in item]
    if len(kinds) > 1:
        raise ConfigError(f"{where} has {' and '.join(kinds)}; give one of them")
    try:
        region = REGIONS[kinds[0]](np.asarray(item[kinds[0]], np.float64)) if kinds else None
        limits: dict[str, Any] = {name: float(item[name]) for name in LIMITS if name in item}
        request = TrackRequest(
            prompt=str(item.get("prompt") or ""),
            camera=str(item.get("camera") or ""),
            region=region,
            max_targets=_whole(item["max_targets"]) if "max_targets" in item else None,
            **limits,
        )
        cancel_at_s = _time_s(item["cancel_at"]) if "cancel_at" in item else None
        targets = _targets(item["target"]) if "target" in item else ()
        return ScriptedGoal(request=request, at_s=_time_s(item.get("at", 0)), cancel_at_s=cancel_at_s, targets=targets)
    except (ConfigError, RegionError, TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _targets(value: Any) -> tuple[int, ...]:
    ids = tuple(map(_whole, value if isinstance(value, list) else [value]))
    if not ids or len(set(ids)) != len(ids):
        raise ValueError(f"target is {value!r}; give one id, or a list of different ids")
    return ids


def _time_s(value: Any) -> float:
    time_s = float(value)
    if not 0 <= time_s < np.inf:
        raise ValueError(f"{value!r} is not a valid time; give seconds from the start, 0 or more")
    return time_s
