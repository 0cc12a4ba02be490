"""Cameras in, tracks out: the perception node, lifecycle managed, with the settings of one file.

ros2 launch vitron_ros track.launch.py image:=/camera/image_raw
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode

from vitron_ros.ros.transport import transport_environment

PARAMS = str(Path(__file__).parent / "params" / "perception.yaml")


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument("image", default_value="/camera/image_raw", description="image topic of the camera"),
        DeclareLaunchArgument(
            "image_transport",
            default_value="raw",
            choices=["raw", "compressed"],
            description="raw: sensor_msgs/Image on `image`; compressed: CompressedImage on `image`/compressed",
        ),
        DeclareLaunchArgument("namespace", default_value="vitron", description="namespace of the node and its topics"),
        DeclareLaunchArgument("params_file", default_value=PARAMS, description="YAML file with the node's parameters"),
        DeclareLaunchArgument("use_sim_time", default_value="false", description="take the time from /clock"),
        DeclareLaunchArgument(
            "autostart", default_value="true", description="false: wait for a lifecycle manager's transitions"
        ),
        DeclareLaunchArgument(
            "respawn", default_value="true", description="start the node again 3 s after it died; its goals are gone"
        ),
    ]
    image = LaunchConfiguration("image")
    perception = LifecycleNode(
        package="vitron_ros",
        executable="perception",
        name="perception",
        namespace=LaunchConfiguration("namespace"),
        output="screen",
        respawn=LaunchConfiguration("respawn"),
        respawn_delay=3.0,
        parameters=[
            LaunchConfiguration("params_file"),
            {
                "image_transport": LaunchConfiguration("image_transport"),
                "use_sim_time": LaunchConfiguration("use_sim_time"),
                "autostart": LaunchConfiguration("autostart"),
            },
        ],
        remappings=[("image", image), ("image/compressed", [image, "/compressed"])],
    )
    environment = [SetEnvironmentVariable(name, value) for name, value in transport_environment().items()]
    return LaunchDescription([*arguments, *environment, perception])
