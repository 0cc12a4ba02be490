"""A robot follows a target: from where it is to how to drive. Knows no ROS and no clock."""
