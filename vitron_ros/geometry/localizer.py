"""The targets of one camera in space: waits for the depth of each image, and says why where there is none."""

from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import DepthConfig
from vitron_ros.frame import Frame
from vitron_ros.geometry.camera_model import CameraModel
from vitron_ros.geometry.depth_buffer import DepthBuffer
from vitron_ros.geometry.depth_image import DepthImage, Unit
from vitron_ros.geometry.track_3d import DepthView, Status, Track3D, without_position
from vitron_ros.geometry.transform import IDENTITY, Transform
from vitron_ros.geometry.velocity import VelocityFilter
from vitron_ros.masks import CroppedMask
from vitron_ros.tracking.track import TrackSnapshot, TrackState

MAX_WAITING = 32  # images; beyond, the oldest goes without depth
MAX_ASPECT_CHANGE = 0.01  # of a depth image of another size that has no camera_info of its own

Lookup = Callable[[str, int], Transform | None]
"""The transform to the target frame from a frame at a time in ns; None: not known (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackedImage:
    """The tracks of one image; `silhouettes` by track id, of those that have one.

    Attributes:
        size: width and height, px.
    """

    stamp_ns: int
    frame_id: str
    camera: str
    size: tuple[int, int]
    tracks: tuple[TrackSnapshot, ...]
    silhouettes: Mapping[int, CroppedMask] = field(default_factory=dict)


def tracked_image(
    frame: Frame, tracks: tuple[TrackSnapshot, ...], silhouettes: Mapping[int, CroppedMask]
) -> TrackedImage:
    """The tracks of a frame."""
    return TrackedImage(
        stamp_ns=frame.stamp_ns,
        frame_id=frame.frame_id,
        camera=frame.camera,
        size=(frame.width, frame.height),
        tracks=tracks,
        silhouettes=silhouettes,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tracks3D:
    """The same tracks in space.

    Attributes:
        frame_id: in which the positions are.
        depth_stamp_ns: of the depth image; 0: there was none.
        transform: from the camera's optical frame to that frame.
        problem: what is to be mended so that there are positions, for a person; empty: nothing.
    """

    stamp_ns: int
    frame_id: str
    camera: str
    depth_stamp_ns: int
    transform: Transform
    tracks: tuple[Track3D, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSummary:
    """What became of the positions of targets since activation.

    Attributes:
        counts: of tracks by status; empty: there were none, or positions are not asked for.
        problem: why the newest image's targets have none; empty: nothing is wrong.
    """

    counts: Mapping[Status, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why no target of an image has a position."""

    status: Status
    text: str


class Localizer:
    """Gives every tracked image its depth and every seen target a position, or the reason why not.

    Not thread-safe: the camera's worker owns it.

    Args:
        lookup: of the transform to `target_frame`; None: positions stay in the camera's optical frame.
    """

    def __init__(self, config: DepthConfig, target_frame: str = "", lookup: Lookup | None = None) -> None:
        self.config = config
        self.counts: Counter[Status] = Counter()  # of tracks, by what became of them
        self._target_frame = target_frame
        self._lookup = lookup
        self._camera: CameraModel | _Refusal = _Refusal(
            Status.NO_CAMERA_INFO, "no camera_info has come; it is expected beside the image topic"
        )
        self._depth_camera: CameraModel | None = None
        self._depths = DepthBuffer()
        self._bad_depth = ""
        self._waiting: deque[TrackedImage] = deque()
        self._velocities: dict[int, VelocityFilter] = {}
        self._newest_ns = 0

    def set_camera(self, camera: CameraModel) -> None:
        """The calibration of the image."""
        self._camera = camera

    def refuse_camera(self, problem: str) -> None:
        """The calibration of the image cannot be used, and why."""
        self._camera = _Refusal(Status.BAD_CAMERA_INFO, problem)

    def set_depth_camera(self, camera: CameraModel) -> None:
        """The calibration of the depth image, where it has one of its own."""
        self._depth_camera = camera

    def add_depth(self, depth: DepthImage) -> None:
        self._bad_depth = ""
        self._depths.put(depth)

    def refuse_depth(self, problem: str) -> None:
        """A depth image has come that cannot be read, and why."""
        self._bad_depth = problem

    def add_image(self, image: TrackedImage) -> None:
        """The next image; one older than the last, as when a recording starts anew, begins anew."""
        if image.stamp_ns < self._newest_ns:
            self._waiting.clear()
            self._velocities.clear()
        self._newest_ns = image.stamp_ns
        self._waiting.append(image)

    def take(self, *, is_last: bool = False) -> list[Tracks3D]:
        """What is known by now, in the order of the images. is_last: nothing more will come to wait for."""
        done = []
        while self._waiting:
            image = self._waiting[0]
            age_ns = self._newest_ns - image.stamp_ns
            must_go = is_last or age_ns > self.config.depth_wait * SECOND_NS or len(self._waiting) > MAX_WAITING
            placed = self._place(image, must_go=must_go)
            if placed is None:
                break
            self._waiting.popleft()
            done.append(placed)
        return done

    def _place(self, image: TrackedImage, *, must_go: bool) -> Tracks3D | None:
        """The tracks of an image in space; None: wait."""
        if not any(track.is_seen for track in image.tracks):
            return self._result(image, None, IDENTITY, tuple(_unseen(track) for track in image.tracks))
        view = self._view(image, must_go=must_go)
        if view is None:
            return None
        if isinstance(view, _Refusal):
            return self._refused(image, view)
        transform = IDENTITY if self._lookup is None else self._lookup(image.frame_id, image.stamp_ns)
        if transform is None:
            if not must_go:
                return None
            text = f"no transform from {image.frame_id!r} to target_frame {self._target_frame!r} at the image's time"
            return self._refused(image, _Refusal(Status.NO_TRANSFORM, text))
        tracks = tuple(
            self._moved(image.stamp_ns, view.locate(track, image.silhouettes.get(track.id)), transform)
            for track in image.tracks
        )
        return self._result(image, view.depth, transform, tracks)

    def _view(self, image: TrackedImage, *, must_go: bool) -> DepthView | _Refusal | None:
        camera = self._camera
        if isinstance(camera, _Refusal):
            return camera
        if camera.size != image.size:
            text = f"camera_info is of {_by(camera.size)}, the image of {_by(image.size)}; they must be one camera's"
            return _Refusal(Status.BAD_CAMERA_INFO, text)
        if not image.stamp_ns:
            return _Refusal(Status.NO_DEPTH, "the image has no stamp to find its depth image by; mend the driver")
        if not (must_go or self._depths.is_settled(image.stamp_ns)):
            return None
        depth = self._depths.nearest(image.stamp_ns, int(self.config.depth_window * SECOND_NS))
        if depth is None:
            if self._bad_depth:
                return _Refusal(Status.BAD_DEPTH, self._bad_depth)
            within = f"no depth image within depth_window={self.config.depth_window:g} s of the image's stamp came"
            return _Refusal(Status.NO_DEPTH, f"{within} within depth_wait={self.config.depth_wait:g} s")
        if depth.frame_id and image.frame_id and depth.frame_id != image.frame_id:
            return _Refusal(
                Status.DEPTH_MISMATCH,
                f"depth is in frame {depth.frame_id!r}, the image in {image.frame_id!r}; publish depth that is "
                "registered to the image (realsense: align_depth.enable, others: depth_image_proc/register)",
            )
        if (unit := depth.unit()) is not Unit.PLAUSIBLE:
            return _Refusal(Status.WRONG_UNIT, f"depth values are implausible: {unit.value}; mend the driver")
        depth_camera = self._camera_of(depth, camera)
        if depth_camera is None:
            shapes = f"depth of {_by(depth.size)} has another shape than the image of {_by(image.size)}"
            advice = "publish its own camera_info beside it, or depth that is registered to the image"
            return _Refusal(Status.DEPTH_MISMATCH, f"{shapes}; {advice}")
        return DepthView(
            camera=camera,
            depth=depth,
            depth_camera=depth_camera,
            max_distance=self.config.depth_max,
            error=self.config.depth_error,
        )

    def _camera_of(self, depth: DepthImage, camera: CameraModel) -> CameraModel | None:
        """The calibration that a depth image goes by; None: it cannot be told from the image's."""
        own = self._depth_camera
        if own is not None and own.size == depth.size:
            return camera if own.equals(camera) else own
        if depth.size == camera.size:
            return camera
        (width, height), (image_width, image_height) = depth.size, camera.size
        if abs(width / image_width * image_height / height - 1) > MAX_ASPECT_CHANGE:
            return None
        return camera.resized(depth.size)

    def _moved(self, stamp_ns: int, track: Track3D, transform: Transform) -> Track3D:
        """In the target frame, with its velocity there."""
        if track.status is not Status.OK:
            return track
        position = transform.point(track.position)
        velocity = self._velocities.setdefault(track.track.id, VelocityFilter()).update(stamp_ns, position)
        covariance = transform.covariance(track.covariance)
        return replace(track, position=position, covariance=covariance, velocity=velocity)

    def _refused(self, image: TrackedImage, refusal: _Refusal) -> Tracks3D:
        tracks = tuple(
            without_position(track, refusal.status) if track.is_seen else _unseen(track) for track in image.tracks
        )
        return self._result(image, None, IDENTITY, tracks, refusal.text)

    def _result(
        self,
        image: TrackedImage,
        depth: DepthImage | None,
        transform: Transform,
        tracks: tuple[Track3D, ...],
        problem: str = "",
    ) -> Tracks3D:
        self.counts.update(track.status for track in tracks)
        alive = {track.track.id for track in tracks if track.track.state is not TrackState.ENDED}
        self._velocities = {number: known for number, known in self._velocities.items() if number in alive}
        return Tracks3D(
            stamp_ns=image.stamp_ns,
            frame_id=self._target_frame or image.frame_id,
            camera=image.camera,
            depth_stamp_ns=0 if depth is None else depth.stamp_ns,
            transform=transform,
            tracks=tracks,
            problem=problem,
        )


def _unseen(track: TrackSnapshot) -> Track3D:
    return without_position(track, Status.NOT_SEEN)


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
