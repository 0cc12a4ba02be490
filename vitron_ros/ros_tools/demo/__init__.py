"""`vitron demo`."""
