"""Recorded data in, metrics out."""
