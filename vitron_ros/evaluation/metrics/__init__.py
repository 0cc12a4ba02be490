"""Metrics as the reference toolkits compute them: pure functions, one file a kind. docs/evaluation.md lists them."""
