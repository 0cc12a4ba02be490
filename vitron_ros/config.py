"""Settings of the perception pipeline. ROS parameters and YAML files are derived from these fields.

Each field carries its range, its description and when a change takes effect, once, here.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from vitron_ros.errors import ConfigError

BACKENDS = ("auto", "torch", "onnx", "tensorrt")  # that a model may run on
WEIGHTS = ("full", "int8", "int4", "fp8")  # of a model's language part
CACHES = ("full", "int8", "fp8")  # kinds of a model's keys and values
MASK_TRACKERS = ("default", "sam2")  # box trackers that know which pixels are their target's

Effect = Literal["now", "activate", "configure", "start"]  # the next of these after which a change counts
CAMERA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")  # what ROS allows in a topic
LONGEST_CAMERA_NAME = 100  # with its namespace and topic it must stay below the 247 characters of DDS
DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?")


def setting(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    effect: Effect = "activate",
) -> Any:
    """A dataclass field with what a person needs to know of it. `low` and `high` are inclusive."""
    return field(
        default=default,
        metadata={"description": description, "low": low, "high": high, "choices": choices, "effect": effect},
    )


class Checked:
    """Refuses values outside the ranges that the fields state."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            check_setting(item.name, getattr(self, item.name), item.metadata)


def check_setting(name: str, value: Any, metadata: Mapping[str, Any]) -> None:
    """Raises ConfigError if the value is outside the range or the choices of its field, NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigError(f"{name} is {value}; it must be a finite number")
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if choices and value not in choices:
        raise ConfigError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    if low is not None and not value >= low:
        raise ConfigError(f"{name} is {value!r}; it must be at least {low}")
    if high is not None and not value <= high:
        raise ConfigError(f"{name} is {value!r}; it must be at most {high}")


@dataclass(frozen=True, kw_only=True)
class LifeCycle(Checked):
    """When a track counts as seen, predicted, lost and found again."""

    min_score: float = setting(0.3, "score from which a target counts as seen", low=0.0, high=1.0, effect="now")
    reacquire_score: float = setting(
        0.5, "score from which a lost target counts as found again", low=0.0, high=1.0, effect="now"
    )
    predict_time: float = setting(0.5, "s a target is predicted before it is lost", low=0.0, high=60.0, effect="now")
    velocity_time: float = setting(0.15, "s over which the velocity is smoothed", low=0.001, high=10.0)
    confirm_frames: int = setting(3, "frames seen that confirm a target", low=1, high=1000)


@dataclass(frozen=True, kw_only=True)
class DepthConfig(Checked):
    """How a depth image is taken for an image, and how far it is believed."""

    depth_window: float = setting(
        0.05, "s between the stamps of an image and of its depth image at most", low=0.0, high=10.0, effect="now"
    )
    depth_wait: float = setting(
        0.3, "s that an image waits for its depth image, and for the transform", low=0.0, high=10.0, effect="now"
    )
    depth_max: float = setting(20.0, "m beyond which depth is not believed", low=0.2, high=1000.0, effect="now")
    depth_error: float = setting(
        0.005,
        "m, standard deviation of depth at 1 m, for the covariance; it grows with the square of the distance",
        low=0.0,
        high=1.0,
        effect="now",
    )


@dataclass(frozen=True, kw_only=True)
class PipelineConfig(LifeCycle):
    """Everything that the core needs to turn the frames of one camera into tracks."""

    tracker: str = setting(
        "default", "box tracker of the fast loop: default, csrt, kcf, nano:FOLDER, vit:FOLDER or sam2:FOLDER"
    )
    publish_masks: bool = setting(
        False, "every target that is seen carries its mask; the tracker must be default or sam2:FOLDER", effect="now"
    )
    publish_3d: bool = setting(
        False,
        "every target that is seen gets a position in space, from depth and camera_info",
        effect="configure",
    )
    max_targets: int = setting(16, "targets that one camera follows at most", low=1, high=1000, effect="now")
    timeout: float = setting(10.0, "s in which a goal must find its target", low=0.01, high=3600.0, effect="now")
    lost_timeout: float = setting(
        0.0, "s a target may stay lost before its goal is aborted; 0: for ever", low=0.0, high=86400.0, effect="now"
    )
    max_image_age: float = setting(
        1.0,
        "s without an image after which the input counts as stale; of a slow camera, 2.5 of its periods",
        low=0.01,
        high=3600.0,
        effect="now",
    )
    history: float = setting(
        1.0, "s of frames kept for regions drawn on an earlier image; four frames at least", low=0.0, high=10.0
    )
    keyframe_period: float = setting(
        0.25, "s between the images that the model is shown", low=0.01, high=60.0, effect="configure"
    )
    keyframes: int = setting(8, "images that the model is shown at once, at most", low=1, high=64)
    model_period: float = setting(
        0.5, "s between two questions to the model whether targets are still right", low=0.05, high=3600.0, effect="now"
    )
    model_targets: int = setting(4, "targets that the model is asked about each time", low=1, high=1000, effect="now")
    model_find_frames: int = setting(
        1, "newest keyframes of a clip in which a phrase is looked for", low=1, high=64, effect="now"
    )
    model_min_score: float = setting(0.5, "score from which the model's word counts", low=0.0, high=1.0, effect="now")
    model_roi_crop: float = setting(
        0.0,
        "a target whose larger side is below this share of the image's is followed from near; 0: none is",
        low=0.0,
        high=1.0,
        effect="now",
    )
    model_timeout: float = setting(
        5.0, "s in which the model must answer a question", low=0.01, high=3600.0, effect="configure"
    )
    model_tries: int = setting(
        3,
        "replies in a row that may fail before a goal does, or be unsure before one counts",
        low=1,
        high=100,
        effect="now",
    )

    @property
    def needs_silhouettes(self) -> bool:
        """Whether masks are made though they may not be published."""
        return self.publish_3d and self._tracker_makes_masks

    @property
    def _tracker_makes_masks(self) -> bool:
        return self.tracker.partition(":")[0] in MASK_TRACKERS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.publish_masks and not self._tracker_makes_masks:
            raise ConfigError(
                f"publish_masks: the tracker {self.tracker[:80]!r} makes no masks; use default or sam2:FOLDER"
            )


@dataclass(frozen=True, kw_only=True)
class ModelRun:
    """Where a model runs and what on, and how its language part is kept: a device, one of BACKENDS, WEIGHTS, CACHES."""

    device: str = "cpu"
    backend: str = "auto"
    weights: str = "full"
    cache: str = "full"


@dataclass(frozen=True, kw_only=True)
class CameraConfig(Checked):
    """The cameras that a node listens to."""

    cameras: tuple[str, ...] = setting(
        (),
        "names of the cameras, each with its topics, such as <name>/image; empty: one camera, topic image",
        effect="configure",
    )
    image_transport: str = setting(
        "raw",
        "raw: sensor_msgs/Image; compressed: CompressedImage on <image>/compressed",
        choices=("raw", "compressed"),
    )
    image_qos: str = setting(
        "sensor_data", "QoS of the image subscriptions, by name", choices=("sensor_data", "reliable", "system_default")
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cameras(self.cameras)


@dataclass(frozen=True, kw_only=True)
class PerceptionConfig(PipelineConfig, DepthConfig, CameraConfig):
    """The settings of the perception node: the pipeline's and those of its topics."""

    images_rectified: bool = setting(
        False, "images and depth are rectified already: P of camera_info holds, not K and D", effect="configure"
    )
    target_frame: str = setting(
        "", "frame in which positions are published, through tf2; empty: the camera's optical frame", effect="configure"
    )
    max_goals: int = setting(32, "goals that run side by side at most", low=1, high=1000, effect="now")
    feedback_rate: float = setting(10.0, "Hz of a goal's feedback at most", low=0.1, high=1000.0, effect="now")
    debug_rate: float = setting(10.0, "Hz of the debug image at most", low=0.1, high=1000.0, effect="now")
    diagnostics_period: float = setting(1.0, "s between diagnostics", low=0.05, high=3600.0, effect="configure")
    model: str = setting(
        "",
        "model that understands prompts: vitron-tiny, a folder, hub id or address of a server, or several joined by "
        "' + ', each for what those before it cannot do; empty: none",
        effect="configure",
    )
    model_device: str = setting("cpu", "where the model runs: cpu, cuda or cuda:N", effect="configure")
    model_backend: str = setting(
        "auto",
        "what the model runs on; auto: ONNX Runtime or TensorRT where it agrees with torch",
        choices=BACKENDS,
        effect="configure",
    )
    model_weights: str = setting(
        "full",
        "weights of its language part; int8, or on a GPU int4 or fp8: less memory",
        choices=WEIGHTS,
        effect="configure",
    )
    model_cache: str = setting(
        "full",
        "its keys and values; int8 or fp8: half of the memory of 16 bits, and slower",
        choices=CACHES,
        effect="configure",
    )
    conversations: int = setting(16, "conversations remembered at most", low=1, high=1000, effect="configure")
    conversation_turns: int = setting(
        8, "turns of a conversation that the model is told", low=0, high=100, effect="configure"
    )
    autostart: bool = setting(True, "configure and activate without a lifecycle manager", effect="start")

    @property
    def model_run(self) -> ModelRun:
        return ModelRun(
            device=self.model_device, backend=self.model_backend, weights=self.model_weights, cache=self.model_cache
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device("model_device", self.model_device)


def check_cameras(names: tuple[str, ...]) -> None:
    """Raises ConfigError if a name cannot be part of a topic, or is there twice."""
    for name in names:
        if not CAMERA_NAME.fullmatch(name) or len(name) > LONGEST_CAMERA_NAME:
            raise ConfigError(
                f"cameras holds {name[:LONGEST_CAMERA_NAME]!r}, which cannot be part of a topic: use up to "
                f"{LONGEST_CAMERA_NAME} letters, digits and underscores, no digit first, such as front_left"
            )
    if len(set(names)) != len(names):
        raise ConfigError(f"cameras is {list(names)}; every name may be there once")


def check_device(name: str, value: str) -> None:
    """Raises ConfigError if the value of a setting is no device."""
    if not DEVICE.fullmatch(value):
        raise ConfigError(f"{name} is {value[:80]!r}; it must be cpu, cuda or cuda:N")
