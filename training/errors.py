"""Errors of training, beside those of vitron_ros."""

from vitron_ros.errors import ModelError, VitronError


class TrainingError(VitronError):
    """A run cannot continue: its loss is not finite, or nothing is trained."""


class RecordError(VitronError):
    """A record of a data set cannot be used; training goes on without it, and counts it."""


class DamagedError(ModelError):
    """A checkpoint of a run is damaged or incomplete; the one before may be usable."""
