"""A rigid motion from one coordinate frame to another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Transform:
    """Attributes:
    rotation: (3, 3).
    translation: (3,) m.
    quaternion: the same rotation as x, y, z, w.
    """

    rotation: Array
    translation: Array
    quaternion: tuple[float, float, float, float]

    @classmethod
    def from_quaternion(cls, x: float, y: float, z: float, w: float, translation: Array) -> "Transform":
        """Of a quaternion, which need not be of unit length, and a translation (3,) m."""
        x, y, z, w = np.array([x, y, z, w]) / np.sqrt(x * x + y * y + z * z + w * w)
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, np.asarray(translation, np.float64), (float(x), float(y), float(z), float(w)))

    def point(self, point: Array) -> Array:
        """A point (3,) m in the other frame."""
        return np.asarray(self.rotation @ point + self.translation)

    def covariance(self, covariance: Array) -> Array:
        """A covariance (3, 3) in the other frame."""
        return np.asarray(self.rotation @ covariance @ self.rotation.T)


IDENTITY = Transform(np.eye(3), np.zeros(3), (0.0, 0.0, 0.0, 1.0))
