"""Whether the middleware that ROS is told to use is there. Needs no ROS."""

import ctypes


def middleware_error(name: str) -> str:
    """Why the middleware of that name, e.g. "rmw_fastrtps_cpp", cannot be loaded; empty: it can, or none is named."""
    try:
        if name:
            ctypes.CDLL(f"lib{name}.so")
    except (OSError, ValueError) as error:
        return str(error)
    return ""
