"""Settings of the node command. ROS parameters are derived from these fields."""

from dataclasses import dataclass

from vitron_ros.config import CameraConfig, setting


@dataclass(frozen=True, kw_only=True)
class CommandConfig(CameraConfig):
    """The settings of the node command."""

    history: float = setting(5.0, "s of each camera's images kept for commands", low=0.5, high=60.0)
    history_memory: int = setting(256, "MiB of a camera's images kept at most", low=1, high=2**16)
    clip_duration: float = setting(
        2.0, "s of a clip that a command works on, less than history", low=0.1, high=60.0, effect="now"
    )
    clip_rate: float = setting(12.0, "Hz of such a clip at most", low=0.1, high=1000.0, effect="now")
    answer_timeout: float = setting(
        20.0, "s for the node perception to find or answer something", low=0.1, high=3600.0, effect="now"
    )
    max_goals: int = setting(16, "commands that run at once", low=1, high=1000, effect="now")
    conversations: int = setting(16, "conversations remembered at most", low=1, high=10_000, effect="configure")
    feedback_rate: float = setting(10.0, "Hz of the feedback of a command at most", low=0.1, high=1000.0, effect="now")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager", effect="start")
