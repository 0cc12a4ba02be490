"""Several cameras as one rig: the tracks of all of them under common ids, by where they are in space. Knows no ROS."""
