"""Recordings through the pipeline, with no ROS: the same bytes every time."""
