"""Does footage look like what a model was trained on? The distance of a frame's mean patch feature from theirs.

A Gaussian over features and the Mahalanobis distance, after arXiv 1807.03888. Shapes: M frames, C channels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.model.files import SHOWN, is_file

FILE = "out_of_distribution.safetensors"
# Of frames of the worlds beyond the limit. With vitron-tiny's encoder 0.02 finds most frames of 13 in 15 real
# sequences strange, 0.005 those of 3; the distances of the worlds themselves have a long tail.
OUTLIER_SHARE = 0.02
SHRINKAGE = 0.05  # of the covariance towards a multiple of the identity
FOLDS = 5
FIRST_FRAMES = 8  # of a camera, of which most must look familiar


@dataclass(frozen=True, eq=False)
class OutOfDistributionDetector:
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
    def fit(cls, features: NDArray[np.float32]) -> "OutOfDistributionDetector":
        """From the features (M, C) of known frames. The limit is set by distances of frames that were left out in turn.

        Raises:
            ValueError: there are fewer than 10.
        """
        if len(features) < 2 * FOLDS:
            raise ValueError(f"{len(features)} frames are too few to tell what is familiar; give hundreds")
        fold = np.arange(len(features)) % FOLDS
        distances = np.concatenate(
            [cls._gaussian(features[fold != out]).distances(features[fold == out]) for out in range(FOLDS)]
        )
        fitted = cls._gaussian(features)
        return cls(fitted.mean, fitted.precision, float(np.quantile(distances, 1 - OUTLIER_SHARE)))

    @classmethod
    def _gaussian(cls, features: NDArray[np.float32]) -> "OutOfDistributionDetector":
        """Mean and precision of features (M, C), without a limit."""
        known = features.astype(np.float64)
        covariance = np.atleast_2d(np.cov(known, rowvar=False))
        level = np.trace(covariance) / len(covariance)
        shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
        return cls(known.mean(axis=0).astype(np.float32), np.linalg.inv(shrunk).astype(np.float32), 0.0)

    @classmethod
    def load(cls, directory: Path, channels: int) -> "OutOfDistributionDetector | None":
        """What stands beside a model whose features have so many channels; None: nothing does.

        Raises:
            ModelError: the file is damaged, or of another model.
        """
        path = directory / FILE
        if not is_file(path):
            return None
        try:
            tensors = load_file(path)
            mean, precision, limit = tensors["mean"], tensors["precision"], float(tensors["limit"])
        except Exception as error:  # safetensors raises several kinds
            raise ModelError(f"{path} is damaged: {str(error)[:SHOWN]}; fetch or export the model again") from error
        are_floats = mean.dtype.kind == precision.dtype.kind == "f"
        fits = mean.shape == (channels,) and precision.shape == (channels, channels) and limit >= 0
        if not (are_floats and fits and all(np.isfinite(part).all() for part in (mean, precision, limit))):
            raise ModelError(
                f"{path} holds no mean, precision and limit of {channels} channels; fetch or export the model again"
            )
        return cls(mean, precision, limit)

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


class FirstFrames:
    """Whether the first frames of some camera look strange, most of them. Single-threaded."""

    def __init__(self, ood_detector: OutOfDistributionDetector | None) -> None:
        """
        Args:
            ood_detector: None: nothing is strange.
        """
        self._ood_detector = ood_detector
        self._seen: dict[str, dict[int, bool]] = {}  # camera to stamp to whether that frame is strange

    def wants(self, frame: Frame) -> bool:
        """Whether this frame is one of its camera's first."""
        seen = self._seen.setdefault(frame.camera, {})
        return self._ood_detector is not None and len(seen) < FIRST_FRAMES and frame.stamp_ns not in seen

    def add(self, frame: Frame, feature: NDArray[np.float32]) -> None:
        """Looks at a frame by its mean patch feature (C,)."""
        if self._ood_detector is not None and self.wants(frame):
            self._seen[frame.camera][frame.stamp_ns] = not self._ood_detector.knows(feature[None])[0]

    @property
    def are_out_of_distribution(self) -> bool:
        return any(2 * sum(seen.values()) > len(seen) for seen in self._seen.values())
