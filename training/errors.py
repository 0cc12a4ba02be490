"""Errors of training, beside those of vitron_ros."""

from vitron_ros.errors import ModelError, VitronError


class TrainingError(VitronError):
    """A run cannot go on: its loss is no number, or nothing learns."""


class DamagedError(ModelError):
    """A checkpoint of a run is damaged or not whole; the one before may be."""
