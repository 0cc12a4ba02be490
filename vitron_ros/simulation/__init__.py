"""A robot with a camera in a room of drawn shapes, for tests, demonstrations and the documentation. Knows no ROS."""
