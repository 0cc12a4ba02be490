"""Memory that a node no longer needs goes back to the system."""

import ctypes
import gc


def trim_memory() -> None:
    """Collect what is dead and let the C library return its free pages. Takes some tenths of a second.

    rclpy's entities and the callbacks that they were given know each other, so that what they hold, images and a model
    among it, would stay until Python's collector of cycles comes by, minutes later. And the C library keeps most of
    what tensors were freed from without using it again: glibc 2.36, 60 MB more each time that a model was loaded anew.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim is not None:
        trim(0)
