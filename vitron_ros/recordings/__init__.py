"""Recordings in and out: bags, videos, folders of images, webcams."""
