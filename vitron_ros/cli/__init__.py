"""The `vitron` command line, one file a command."""
