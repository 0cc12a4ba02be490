"""Benchmarks of nodes over DDS."""
