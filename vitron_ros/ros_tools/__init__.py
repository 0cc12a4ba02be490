"""Tools around the nodes: the demo, benchmarks, soak tests."""
