"""Does footage look like what a model was trained on? The distance of a frame's mean patch feature from theirs.

A Gaussian over features and the Mahalanobis distance, after arXiv 1807.03888. Shapes: M frames, C channels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from vitron_ros.errors import ModelError

FILE = "familiarity.safetensors"
QUANTILE = 0.995  # of frames that were held out; those beyond are strangers
SHRINKAGE = 0.05  # of the covariance towards a multiple of the identity


@dataclass(frozen=True, eq=False)
class Familiarity:
    """What known footage looks like.

    Attributes:
        mean: (C,) float32.
        precision: (C, C) float32, inverse of the covariance.
        limit: squared distance beyond which a frame is strange.
    """

    mean: NDArray[np.float32]
    precision: NDArray[np.float32]
    limit: float

    @classmethod
    def fit(cls, features: NDArray[np.float32]) -> "Familiarity":
        """From the features (M, C) of known frames; every fifth of them sets the limit and is not fitted.

        Raises:
            ValueError: there are too few.
        """
        is_held_out = np.arange(len(features)) % 5 == 4
        known = features[~is_held_out].astype(np.float64)
        if len(known) < 2 or not is_held_out.any():
            raise ValueError(f"{len(features)} frames are too few to tell what is familiar; give hundreds")
        mean, covariance = known.mean(axis=0), np.atleast_2d(np.cov(known, rowvar=False))
        level = np.trace(covariance) / len(covariance)
        shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
        fitted = cls(mean.astype(np.float32), np.linalg.inv(shrunk).astype(np.float32), 0.0)
        limit = float(np.quantile(fitted.distances(features[is_held_out]), QUANTILE))
        return cls(fitted.mean, fitted.precision, limit)

    @classmethod
    def load(cls, directory: Path) -> "Familiarity | None":
        """What stands beside a model; None: nothing does.

        Raises:
            ModelError: the file is damaged.
        """
        path = directory / FILE
        if not path.is_file():
            return None
        try:
            tensors = load_file(path)
            return cls(tensors["mean"], tensors["precision"], float(tensors["limit"]))
        except Exception as error:  # safetensors raises several kinds
            raise ModelError(f"{path} is damaged: {error}; fetch or export the model again") from error

    def save(self, directory: Path) -> None:
        limit = np.array(self.limit, np.float64)
        save_file({"mean": self.mean, "precision": self.precision, "limit": limit}, directory / FILE)

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Squared Mahalanobis distances (M,) of features (M, C)."""
        away = features.astype(np.float64) - self.mean
        return np.asarray(np.einsum("mc,cd,md->m", away, self.precision.astype(np.float64), away))

    def knows(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(M,) bool, whether frames of these features (M, C) look familiar."""
        return self.distances(features) <= self.limit
