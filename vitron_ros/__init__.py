"""Real-time, language-commanded perception for ROS 2."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitron_ros.api import Answer, Reply, TrackResult, TrackStream, ask, do, load_model, track, write_csv, write_mot

__all__ = [
    "Answer",
    "Reply",
    "TrackResult",
    "TrackStream",
    "ask",
    "do",
    "load_model",
    "track",
    "write_csv",
    "write_mot",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """The names of `vitron_ros.api`, imported on first use: `import vitron_ros` alone brings no torch and no OpenCV."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vitron_ros import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
