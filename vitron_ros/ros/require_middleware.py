"""Importing this ends the process with a sentence where RMW_IMPLEMENTATION names a middleware that cannot be loaded.

Import it before rclpy, which ends the process too, and names neither the variable nor the remedy. Needs no ROS.
"""

import os
import sys

from vitron_ros.doctor import check_middleware
from vitron_ros.ros.middleware import middleware_error

name = os.environ.get("RMW_IMPLEMENTATION", "")
check = check_middleware(name, middleware_error(name))
if check.status == "fail":
    sys.exit(f"{check.finding}; {check.remedy}")
