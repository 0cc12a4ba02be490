"""Goals over a recording, measured against what is true in its images."""
