"""What the perception node makes of one camera, in simulated time: tracks, and where they are in space."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PerceptionConfig
from vitron_ros.frame import Frame
from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.depth_image import DepthImage
from vitron_ros.geometry.localizer import Localizer, tracked_image
from vitron_ros.geometry.track_3d import Track3D
from vitron_ros.grounding.request import LanguageVision, Task
from vitron_ros.offline.replayed_model import ReplayedModel, fixed
from vitron_ros.simulation.room import Depth, Image, Lens
from vitron_ros.streaming.goals import TrackRequest
from vitron_ros.streaming.pipeline import CameraPipeline, Report
from vitron_ros.tracking.trackers import make_tracker

MODEL_LATENCY_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Perceived:
    """The report of one image, and its tracks in the camera's optical frame."""

    report: Report
    tracks: tuple[Track3D, ...]


class SimulatedPerception:
    """One camera's pipeline with a model that takes its time, and positions by depth.

    Args:
        ids: of the tracks; cameras of one node share them.
    """

    def __init__(
        self,
        lens: Lens,
        model: LanguageVision,
        config: PerceptionConfig,
        *,
        camera: str = "",
        ids: Iterator[int] | None = None,
    ) -> None:
        self.camera = camera
        self._pipeline = CameraPipeline(
            config,
            lambda: make_tracker(config.tracker),
            itertools.count(1) if ids is None else ids,
            camera=camera,
            model_frames=model.max_frames,
            model_can_follow=Task.FOLLOW in model.tasks,
        )
        self._model = ReplayedModel(model, fixed(MODEL_LATENCY_S), int(config.model_timeout * SECOND_NS))
        self._localizer = Localizer(config)
        size = (lens.width, lens.height)
        self._localizer.set_camera(
            CameraModel.from_info(size=size, k=lens.matrix, d=[], p=[0.0] * 12, model="plumb_bob")
        )

    def add(self, goal_id: str, request: TrackRequest, now_ns: int) -> None:
        """Give it a goal."""
        self._pipeline.add(goal_id, request, now_ns)

    def look(self, rgb: Image, depth: Depth, stamp_ns: int) -> Perceived:
        """The next image and its depth, m."""
        self._model.run_until(stamp_ns, self._pipeline.receive)
        frame = Frame(rgb=rgb, stamp_ns=stamp_ns, camera=self.camera)
        report = self._pipeline.step(frame, stamp_ns)
        self._model.submit(report.requests, stamp_ns)
        self._pipeline.catch_up()
        self._localizer.add_depth(DepthImage(values=depth, unit_m=1.0, stamp_ns=stamp_ns))
        self._localizer.add_image(tracked_image(frame, report.tracks, report.silhouettes))
        return Perceived(report, tuple(track for placed in self._localizer.take() for track in placed.tracks))
