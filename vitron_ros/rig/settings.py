"""Settings of the node rig. ROS parameters are derived from these fields."""

from dataclasses import dataclass

from vitron_ros.config import Checked, check_cameras, setting
from vitron_ros.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RigConfig(Checked):
    """The settings of the node rig."""

    cameras: tuple[str, ...] = setting(
        (), "names of perception's cameras that are one rig, each with the topic <name>/tracks_3d", effect="configure"
    )
    timeout: float = setting(
        10.0, "s in which one of the cameras must find the target", low=0.01, high=3600.0, effect="now"
    )
    max_goals: int = setting(8, "goals that run side by side at most", low=1, high=1000, effect="now")
    feedback_rate: float = setting(10.0, "Hz of a goal's feedback at most", low=0.1, high=1000.0, effect="now")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager", effect="start")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cameras(self.cameras)

    def require_cameras(self) -> None:
        """Raises ConfigError if there are none."""
        if not self.cameras:
            raise ConfigError(
                "cameras is empty; give the names of the cameras that perception has, such as [left, right]"
            )
