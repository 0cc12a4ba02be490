"""From boxes in an image to points in space, by a depth image: numpy alone, no ROS, no clock."""
