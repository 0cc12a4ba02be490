"""Editing of images and clips."""
