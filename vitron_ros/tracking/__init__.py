"""Following boxes from frame to frame, and the life cycle of a track."""
