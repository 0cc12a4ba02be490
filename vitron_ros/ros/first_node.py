"""Importing this makes a ROS node and lets it go: for the doctor, to see whether this environment lets one be made."""

import rclpy

rclpy.init(args=[])
rclpy.create_node("vitron_doctor").destroy_node()
rclpy.shutdown()
