"""Settings of a module's node. ROS parameters are derived from these fields."""

from dataclasses import dataclass

from vitron_ros.config import CameraConfig, ModelRun, check_device, setting
from vitron_ros.module_registry import REGISTRY
from vitron_ros.modules.module import EMBEDDED, ModuleJob, TooLarge

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class ModuleConfig(CameraConfig):
    """The settings of one of the nodes segmentation, editing and generation."""

    backend: str = setting(
        EMBEDDED, "embedded: needs no weights; or the folder or hub id of a model of this module", effect="configure"
    )
    device: str = setting("cpu", "where a model runs: cpu, cuda or cuda:N", effect="configure")
    threads: int = setting(1, "threads of a job's computation on the CPU", low=1, high=256, effect="configure")
    niceness: int = setting(10, "how far a job yields the CPU to others", low=0, high=19, effect="configure")
    idle_unload: float = setting(
        300.0, "s without a goal after which the backend's memory is freed", low=1.0, high=86400.0, effect="configure"
    )
    max_queue: int = setting(8, "goals that run or wait at most", low=1, high=1000, effect="now")
    job_timeout: float = setting(600.0, "s that one goal may run", low=0.1, high=86400.0, effect="now")
    max_pixels: int = setting(4096 * 2304, "pixels of one image at most", low=1, high=2**30, effect="now")
    max_frames: int = setting(600, "images of a clip at most", low=1, high=100_000, effect="now")
    max_clip_pixels: int = setting(2 * 10**8, "pixels of all images of a goal at most", low=1, high=2**40, effect="now")
    max_message: int = setting(256, "MiB of images that a result may carry", low=1, high=4096, effect="now")
    max_memory: int = setting(
        0, "MiB of data that the process may hold; 0: no limit", low=0, high=2**24, effect="configure"
    )
    input_folder: str = setting("", "folder of the files that a goal may name in `input`; empty: none", effect="now")
    output_folder: str = setting("", "folder that results are written to; empty: none are", effect="now")
    max_output: int = setting(2048, "MiB of the files of one goal at most", low=1, high=2**24, effect="now")
    min_free_disk: int = setting(
        512, "MiB that must stay free where results are written", low=0, high=2**24, effect="now"
    )
    history: float = setting(
        0.0, "s of each camera's images kept for goals without images; 0: no camera is listened to", low=0.0, high=60.0
    )
    history_memory: int = setting(256, "MiB of a camera's images kept at most", low=1, high=2**16)
    preview_rate: float = setting(1.0, "Hz of the previews of a goal at most", low=0.01, high=100.0, effect="now")
    preview_width: int = setting(320, "px; wider previews are made smaller", low=16, high=4096, effect="now")
    diagnostics_period: float = setting(1.0, "s between diagnostics", low=0.05, high=3600.0, effect="configure")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager", effect="start")

    @property
    def model_run(self) -> ModelRun:
        return ModelRun(device=self.device)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_device("device", self.device)

    def check_images(self, width: int, height: int, count: int) -> None:
        """Raises TooLarge if so many images of such a size are beyond the limits."""
        pixels = width * height
        if pixels > self.max_pixels:
            raise TooLarge(f"an image has {width}x{height} pixels, the limit is max_pixels={self.max_pixels}")
        if count > self.max_frames:
            raise TooLarge(f"a clip has {count} images, the limit is max_frames={self.max_frames}; give fewer")
        if count * pixels > self.max_clip_pixels:
            raise TooLarge(
                f"{count} images of {width}x{height} have {count * pixels} pixels, the limit is "
                f"max_clip_pixels={self.max_clip_pixels}; give fewer or smaller ones"
            )

    def check_message(self, job: ModuleJob) -> None:
        """Raises TooLarge if the images and masks of a job's result would be more than a message may carry."""
        sizes = [(frame.width, frame.height) for frame in job.frames] or [(job.settings.width, job.settings.height)]
        count = max(len(job.frames), job.settings.frame_count if REGISTRY[job.module].makes_clip else 1)
        mib = count * sizes[0][0] * sizes[0][1] * (3 + 1) // MIB
        if mib > self.max_message:
            raise TooLarge(
                f"the result would have {mib} MiB, the limit is max_message={self.max_message}; name a folder in "
                "output and set files_only"
            )
