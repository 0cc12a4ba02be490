"""What a pair of phrase and trajectory must fulfil. "Paper": Elysium (arXiv 2403.16558), section 3.2."""

from dataclasses import dataclass

from vitron_ros.config import Checked, setting
from vitron_ros.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Settings(Checked):
    """Thresholds of the filters, and how videos are read and written."""

    min_detection: float = setting(0.6, "score of a detection (paper: 0.6, of Grounding DINO)", low=0.0, high=1.0)
    min_track_score: float = setting(
        0.4, "score of the tracker in every frame (paper: 0.8, of MixFormer, whose scores are higher)",
        low=0.0, high=1.0,
    )  # fmt: skip
    min_agreement: float = setting(
        0.3, "IoU of track and detection in the middle and last frame (paper: 0.3)", low=0.0, high=1.0
    )
    max_drift: float = setting(
        200.0, "squared Mahalanobis distance from a Kalman filter's prediction (paper: a filter, no threshold)", low=0.0
    )
    min_reverse_iou: float = setting(
        0.5, "mean IoU of the track and the one from the last detection backwards (paper: not there)",
        low=0.0, high=1.0,
    )  # fmt: skip
    min_side: float = setting(0.03, "shorter side of a box, of the image's (paper: not there)", low=0.0, high=1.0)
    max_area: float = setting(0.8, "area of a box, of the image's (paper: not there)", low=0.0, high=1.0)
    same_iou: float = setting(
        0.7, "mean IoU of two tracks of one object; phrases with one head noun are duplicates then", low=0.0, high=1.0
    )
    max_hash_distance: int = setting(
        8, "bits of 64 in which the perceptual hashes of two copies of a video differ, frame by frame", low=0, high=16
    )
    max_cut: float = setting(
        27.0, "mean change of hue, saturation and value from frame to frame, 0..255, that is a cut (as PySceneDetect)",
        low=0.0, high=255.0,
    )  # fmt: skip
    min_frames: int = setting(16, "of a video", low=3, high=10**6)
    max_frames: int = setting(900, "of a video; the rest is not looked at", low=3, high=10**6)
    max_side: int = setting(640, "longer side of the frames, px; larger videos are scaled down", low=32, high=8192)
    frame_step: int = setting(1, "from one frame that is written to the next", low=1, high=10**4)
    jpeg_quality: int = setting(92, "of the frames that are written", low=1, high=100)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_frames < self.min_frames:
            raise ConfigError(f"max_frames is {self.max_frames}, below min_frames {self.min_frames}")
