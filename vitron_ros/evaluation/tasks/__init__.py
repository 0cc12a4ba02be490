"""What suites ask, a file a kind: the row that comes of a sample, and the figures that rows give."""
