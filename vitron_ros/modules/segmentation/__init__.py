"""Segmentation of images and clips: the embedded backend, and what it is made of, a file each."""
