"""Settings of the node follow. ROS parameters are derived from these fields."""

from dataclasses import dataclass
from typing import ClassVar

from vitron_ros.config import Checked, check_cameras, setting


@dataclass(frozen=True, kw_only=True)
class ControllerConfig(Checked):
    """How a robot with two driven wheels keeps its distance to a target."""

    distance: float = setting(1.5, "m that the robot keeps from the target", low=0.1, high=100.0, effect="now")
    tolerance: float = setting(
        0.03, "m by which the distance may be off before the robot drives", low=0.0, high=10.0, effect="now"
    )
    gain: float = setting(1.5, "m/s for each metre that the distance is off", low=0.0, high=10.0, effect="now")
    target_speed_time: float = setting(
        0.5,
        "s over which the target's own speed is estimated; the robot drives as fast, so that it does not lag behind. "
        "0: it is not estimated",
        low=0.0,
        high=10.0,
        effect="now",
    )
    turn_gain: float = setting(
        2.0, "rad/s for each radian between the robot's heading and the target", low=0.0, high=10.0, effect="now"
    )
    max_speed: float = setting(0.5, "m/s at most", low=0.0, high=10.0, effect="now")
    max_turn_rate: float = setting(1.0, "rad/s at most", low=0.0, high=10.0, effect="now")
    max_acceleration: float = setting(1.0, "m/s^2 at most, but for a stop", low=0.01, high=100.0, effect="now")
    max_turn_acceleration: float = setting(3.0, "rad/s^2 at most, but for a stop", low=0.01, high=100.0, effect="now")
    allow_reverse: bool = setting(False, "back off from a target that is too near; nothing looks behind", effect="now")
    max_pose_age: float = setting(
        0.2, "s from a pose's stamp until the robot stops where no newer one comes", low=0.02, high=5.0, effect="now"
    )
    max_deviation: float = setting(
        0.3, "m of standard deviation up to which a pose is used", low=0.0, high=100.0, effect="now"
    )


@dataclass(frozen=True, kw_only=True)
class FollowConfig(ControllerConfig):
    """The settings of the node follow."""

    max_goals: ClassVar[int] = 1  # a robot follows one target

    cameras: tuple[str, ...] = setting(
        (), "names of the cameras, each with the topic <name>/tracks_3d; empty: one camera, topic tracks_3d"
    )
    command_type: str = setting(
        "Twist",
        "message on cmd_vel: geometry_msgs/Twist or TwistStamped",
        choices=("Twist", "TwistStamped"),
        effect="configure",
    )
    base_frame: str = setting(
        "base_link",
        "the robot's frame (x ahead, y left): of positions that come through tf2, and of a TwistStamped",
        effect="now",
    )
    rate: float = setting(20.0, "Hz of cmd_vel while the robot follows", low=4.0, high=1000.0)
    feedback_rate: float = setting(10.0, "Hz of a goal's feedback at most", low=0.1, high=1000.0, effect="now")
    autostart: bool = setting(True, "configure and activate without a lifecycle manager", effect="start")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_cameras(self.cameras)
