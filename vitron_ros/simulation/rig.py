"""Two cameras that look at one floor, side by side and overlapping, and a mug that goes from one to the other."""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.following.controller import from_optical
from vitron_ros.geometry.track_3d import Status
from vitron_ros.grounding.request import LanguageVision
from vitron_ros.rig.matcher import Observation, RigMatcher, RigTarget
from vitron_ros.simulation.perception import SimulatedPerception
from vitron_ros.simulation.room import CameraPose, Card, Lens, Room
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.worlds.clip import ObjectSpec

PHRASE = "the purple mug"
LENS = Lens(240, 180, 208.0)
PERIOD_NS = SECOND_NS // 8
CAMERAS = {"left": CameraPose(0.0, 0.9, 0.35, 0.15), "right": CameraPose(0.0, -0.9, 0.35, -0.15)}
TARGET_X, TARGET_HEIGHT, REACH = 2.4, 0.32, 1.7  # m: how far to the side the mug goes
CROSSING_S = 3.0  # from one side to the other
WAIT_S = 1.0  # before it begins, for it to be found
DEPTH_NOISE = 0.004

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RigMoment:
    """What the rig made of a track in one camera's image.

    Attributes:
        error: m, from the rig's position of the target to where the mug is.
        visible: share of the mug that the camera sees.
    """

    time_s: float
    camera: str
    rig_id: int
    error: float
    visible: float


def mug_place(time_s: float) -> Array:
    """Where the mug is, m: from the left to the right and back, again and again."""
    phase = np.pi * max(time_s - WAIT_S, 0.0) / CROSSING_S
    return np.array([TARGET_X, REACH * np.cos(phase), TARGET_HEIGHT])


def in_rig(camera: CameraPose, position: Array, covariance: Array) -> tuple[Array, Array]:
    """A position in a camera's optical frame, in the frame of the room."""
    ahead, spread = from_optical(position, covariance)
    cos, sin = np.cos(camera.yaw), np.sin(camera.yaw)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return turn @ ahead + [camera.x, camera.y, camera.z], turn @ spread @ turn.T


def _distance(target: RigTarget, place: Array, now_ns: int) -> float:
    """From where the rig says that a target is now to where it is, m."""
    state, _ = target.predicted(now_ns)
    return float(np.linalg.norm(state[:3] - place))


def run_rig(model: LanguageVision, crossings: int, *, seed: int = 1) -> list[RigMoment]:
    """The mug crosses so often from one camera to the other; what the rig makes of every image."""
    room = Room([Card(ObjectSpec("mug", "purple", "medium", "plain"), 0.36)], LENS, seed=seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    ids = itertools.count(1)
    config = PerceptionConfig(publish_3d=True, timeout=3600.0)
    cameras = {name: SimulatedPerception(LENS, model, config, camera=name, ids=ids) for name in CAMERAS}
    for name, camera in cameras.items():
        camera.add(name, TrackRequest(prompt=PHRASE), SECOND_NS)
    matcher, moments = RigMatcher(), []
    for step in range(round((WAIT_S + crossings * CROSSING_S) * SECOND_NS / PERIOD_NS)):
        stamp_ns = SECOND_NS + step * PERIOD_NS
        time_s = step * PERIOD_NS / SECOND_NS
        place = mug_place(time_s)
        for name, camera in cameras.items():
            view = room.view(CAMERAS[name], place[None])
            noise = rng.standard_normal(view.depth.shape, np.float32) * np.float32(DEPTH_NOISE)
            perceived = camera.look(view.rgb, view.depth * (1 + noise), stamp_ns)
            observations = [
                Observation(name, track.track.id, PHRASE, *in_rig(CAMERAS[name], track.position, track.covariance))
                for track in perceived.tracks
                if track.status is Status.OK
            ]
            moments += [
                RigMoment(time_s, name, target.id, _distance(target, place, stamp_ns), view.visible[0])
                for target in matcher.update(name, observations, stamp_ns)
            ]
    return moments
