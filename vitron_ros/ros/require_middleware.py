"""Importing this ends the process with a sentence where RMW_IMPLEMENTATION names a middleware that cannot be loaded.

Import it before rclpy, which ends the process too, and names neither the variable nor the remedy. Needs no ROS.
"""

import ctypes
import os
import sys

from vitron_ros.doctor import check_middleware


def middleware_error(name: str) -> str:
    """Why the middleware of that name, e.g. "rmw_fastrtps_cpp", cannot be loaded; empty: it can."""
    try:
        ctypes.CDLL(f"lib{name}.so")
    except (OSError, ValueError) as error:
        return str(error)
    return ""


if name := os.environ.get("RMW_IMPLEMENTATION", ""):
    check = check_middleware(name, middleware_error(name))
    if check.status == "fail":
        sys.exit(f"{check.finding}; {check.remedy}")
