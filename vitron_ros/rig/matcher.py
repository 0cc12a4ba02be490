"""One id for what several cameras see: observations are matched with targets by position and covariance.

Each target is a Kalman filter with constant velocity. An observation belongs to a target if its squared Mahalanobis
distance is below the 99 % quantile of the chi-squared distribution with three degrees of freedom (Bar-Shalom, Li and
Kirubarajan: Estimation with Applications to Tracking and Navigation, 2001, section 2.3 on validation gates).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS

GATE = 11.345  # chi-squared, three degrees of freedom, 99 %
CALIBRATION_ERROR = 0.05  # m, standard deviation: how far the poses of two cameras disagree at least
ACCELERATION = 1.5  # m/s^2, standard deviation of what a target may do
FIRST_SPEED = 1.0  # m/s, standard deviation of a new target's velocity
STRANGE_LIMIT = 5  # observations of one track in a row outside the gate of its target, after which they part
FORGET_S = 20.0  # without any observation; then its place says nothing any more
JUMP_S = 1.0  # by which a camera's stamps go back where time begins anew, as with a bag that loops
LONGEST_GATE = 3.0  # m from where it was predicted, however long ago that was

Array = NDArray[np.float64]
Key = tuple[str, int]  # a camera and its track's id


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """A track of one camera in space, in the frame of the rig. phrase: what was asked for; others never match."""

    camera: str
    track_id: int
    phrase: str
    position: Array
    covariance: Array


@dataclass(slots=True, eq=False)
class RigTarget:
    """One target of the rig.

    Attributes:
        state: (6,) position in m and velocity in m/s; covariance: (6, 6).
        members: the tracks that are of this target, by camera.
        seen_ns: stamp of its newest observation.
    """

    id: int
    phrase: str
    state: Array
    covariance: Array
    seen_ns: int
    members: dict[str, int] = field(default_factory=dict)
    strange: dict[Key, int] = field(default_factory=dict)

    def predicted(self, now_ns: int) -> tuple[Array, Array]:
        """State and covariance at a time; of the past: as they are."""
        elapsed_s = max(now_ns - self.seen_ns, 0) / SECOND_NS
        move = np.eye(6)
        move[:3, 3:] = np.eye(3) * elapsed_s
        push = np.vstack([np.eye(3) * elapsed_s**2 / 2, np.eye(3) * elapsed_s]) * ACCELERATION
        return move @ self.state, move @ self.covariance @ move.T + push @ push.T

    def distance(self, observation: Observation, now_ns: int) -> float:
        """Squared Mahalanobis distance of an observation; infinite beyond `LONGEST_GATE`."""
        state, covariance = self.predicted(now_ns)
        error = observation.position - state[:3]
        if np.linalg.norm(error) > LONGEST_GATE:
            return float("inf")
        return float(error @ np.linalg.solve(covariance[:3, :3] + noise(observation), error))

    def update(self, observation: Observation, now_ns: int) -> None:
        """Take an observation that is of this target."""
        state, covariance = self.predicted(now_ns)
        gain = covariance[:, :3] @ np.linalg.inv(covariance[:3, :3] + noise(observation))
        self.state = state + gain @ (observation.position - state[:3])
        shrink = np.eye(6)
        shrink[:, :3] -= gain
        # Joseph's form stays positive definite whatever is rounded.
        self.covariance = shrink @ covariance @ shrink.T + gain @ noise(observation) @ gain.T
        self.seen_ns = max(now_ns, self.seen_ns)
        self.members[observation.camera] = observation.track_id
        self.strange.pop((observation.camera, observation.track_id), None)


def noise(observation: Observation) -> Array:
    """(3, 3) m^2: of the observation and of the cameras' poses."""
    return observation.covariance + np.eye(3) * CALIBRATION_ERROR**2


class RigMatcher:
    """Gives the observations of all cameras ids that are the same for the same thing. Ids are never used twice."""

    def __init__(self) -> None:
        self.targets: dict[int, RigTarget] = {}
        self._ids = itertools.count(1)
        self._newest_ns: dict[str, int] = {}  # by camera

    def update(self, camera: str, observations: Sequence[Observation], now_ns: int) -> list[RigTarget]:
        """The target of each observation that one camera made in one image, in their order.

        Where a camera's time begins anew, no target is known any more.

        Args:
            now_ns: stamp of the image.
        """
        if now_ns < self._newest_ns.get(camera, now_ns) - JUMP_S * SECOND_NS:
            self.targets.clear()
            self._newest_ns.clear()
        self._newest_ns[camera] = max(now_ns, self._newest_ns.get(camera, now_ns))
        self._forget(now_ns)
        found: dict[int, RigTarget] = {}
        for index, observation in enumerate(observations):
            target = self.target_of(observation.camera, observation.track_id)
            if target is not None and self._is_still(target, observation, now_ns):
                found[index] = target
        self._match(observations, found, now_ns)
        for index, observation in enumerate(observations):
            if index not in found:
                found[index] = self._new(observation, now_ns)
        return [found[index] for index in range(len(observations))]

    def target_of(self, camera: str, track_id: int) -> RigTarget | None:
        """The target that a camera's track is of; None: it has no place yet."""
        for target in self.targets.values():
            if target.members.get(camera) == track_id:
                return target
        return None

    def _is_still(self, target: RigTarget, observation: Observation, now_ns: int) -> bool:
        """Take the observation of a track of this target, unless it has been elsewhere for too long."""
        key = (observation.camera, observation.track_id)
        if target.distance(observation, now_ns) <= GATE:
            target.update(observation, now_ns)
        else:
            target.strange[key] = target.strange.get(key, 0) + 1
            if target.strange[key] >= STRANGE_LIMIT:
                del target.members[observation.camera], target.strange[key]
                return False
        return True

    def _match(self, observations: Sequence[Observation], found: dict[int, RigTarget], now_ns: int) -> None:
        """Give what is new in this camera to targets that it does not see yet, the nearest pair first."""
        taken = {target.id for target in found.values()}
        pairs = [
            (target.distance(observation, now_ns), index, target)
            for index, observation in enumerate(observations)
            for target in self.targets.values()
            if index not in found and target.id not in taken and target.phrase == observation.phrase
        ]
        for distance, index, target in sorted(pairs, key=lambda pair: pair[:2]):
            if distance <= GATE and index not in found and target.id not in taken:
                target.update(observations[index], now_ns)
                found[index] = target
                taken.add(target.id)

    def _new(self, observation: Observation, now_ns: int) -> RigTarget:
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = noise(observation)
        covariance[3:, 3:] = np.eye(3) * FIRST_SPEED**2
        target = RigTarget(
            id=next(self._ids),
            phrase=observation.phrase,
            state=np.concatenate([observation.position, np.zeros(3)]),
            covariance=covariance,
            seen_ns=now_ns,
            members={observation.camera: observation.track_id},
        )
        self.targets[target.id] = target
        return target

    def _forget(self, now_ns: int) -> None:
        old = [target.id for target in self.targets.values() if now_ns - target.seen_ns > FORGET_S * SECOND_NS]
        for target_id in old:
            del self.targets[target_id]
