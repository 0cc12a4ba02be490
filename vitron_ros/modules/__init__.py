"""Expert modules: segmentation, editing and generation of images and clips. Nothing here knows ROS."""
