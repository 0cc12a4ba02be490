"""Generation of images and clips."""
