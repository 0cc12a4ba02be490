"""The errors that a caller may catch. Each sentence says what is wrong and how to mend it."""


class VitronError(Exception):
    """Base of every error that vitron_ros raises on purpose."""


class ConfigError(VitronError):
    """A setting is unknown, out of range or does not fit another."""


class UsageError(ConfigError):
    """An option says something that the rest of the command gives no meaning."""


class ImageError(VitronError):
    """One image cannot be decoded; the stream goes on."""


class CalibrationError(VitronError):
    """A camera_info says too little, or nothing that can be, of a camera."""


class RegionError(VitronError):
    """A box, point, polygon, scribble or mask marks nothing inside the image."""


class SourceError(VitronError):
    """A bag, video, folder or camera cannot be read or written."""


class ModelError(VitronError):
    """A model cannot be loaded, or cannot answer this request."""


class InactiveError(VitronError):
    """The node is not active, and takes no goals."""

    def __init__(self) -> None:
        super().__init__("the node is not active; activate it first")


class CallbackError(VitronError):
    """A function that a caller handed in has raised. Its request ends; those beside it go on."""

    def __init__(self, name: str, error: Exception) -> None:
        super().__init__(f"the caller's {name} raised {type(error).__name__}: {error}")


class MetricError(VitronError):
    """A metric cannot be computed from these values; nothing is cut, padded or guessed."""


class PredictionError(VitronError):
    """A file of predictions is stale, cut off, unfinished or does not fit another."""


class MetricUnavailable(MetricError):
    """A metric needs a program, package or network that is not here; reports say "unavailable" instead of a number."""


class EngineError(ModelError):
    """A compiled part of a model cannot be exported, built, loaded or run."""
