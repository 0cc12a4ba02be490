"""Units of time. Times are integers in ns."""

SECOND_NS = 1_000_000_000
