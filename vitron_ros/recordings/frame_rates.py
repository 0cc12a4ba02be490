"""How many frames a second a recording has, in Hz."""

DEFAULT_FPS = 25.0  # of what does not say
MAX_FPS = 1e5  # stamps are whole nanoseconds of 31 bits of seconds
