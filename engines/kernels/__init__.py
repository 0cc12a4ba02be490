"""CUDA kernels: sources, their compilation ahead of time, and their launch on torch's memory and streams."""
