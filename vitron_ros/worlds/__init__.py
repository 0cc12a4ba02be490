"""Drawn scenes: coloured shapes over textured backgrounds, with their exact masks and boxes."""
