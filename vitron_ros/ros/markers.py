"""Targets in space as visualization_msgs/MarkerArray, for RViz and Foxglove."""

import math

import numpy as np
from builtin_interfaces.msg import Duration
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from vitron_ros.geometry.localizer import Tracks3D
from vitron_ros.geometry.track_3d import Status, Track3D
from vitron_ros.images.draw import colour_of
from vitron_ros.ros.messages_3d import header_3d, point, rotation, vector
from vitron_ros.tracking.track import TrackState

LIFETIME = Duration(nanosec=500_000_000)  # a marker that is not renewed goes by itself
LEAST_SIDE = 0.02  # m, of a box, so that what is flat can be seen
TEXT_HEIGHT = 0.08  # m
SHAFT, HEAD = 0.015, 0.03  # m, diameters of an arrow
SLOW = 0.05  # m/s, below which there is no arrow


def marker_array(result: Tracks3D) -> MarkerArray:
    """A box, a name and, of what moves, an arrow as long as its way in one second. Ended targets go at once."""
    markers: list[Marker] = []
    for placed in result.tracks:
        if placed.track.state is TrackState.ENDED:
            markers += [_marker(result, placed, name, Marker.CUBE, Marker.DELETE) for name in NAMES]
        elif placed.status is Status.OK:
            markers += [_box(result, placed), _name(result, placed)]
            if np.linalg.norm(placed.velocity) > SLOW:  # False of NaN
                markers.append(_arrow(result, placed))
    return MarkerArray(markers=markers)


NAMES = ("boxes", "names", "velocities")


def _marker(result: Tracks3D, placed: Track3D, name: str, kind: int, action: int = Marker.ADD) -> Marker:
    red, green, blue = (value / 255 for value in colour_of(placed.track.id))
    return Marker(
        header=header_3d(result),
        ns=f"{result.camera}/{name}".lstrip("/"),
        id=placed.track.id & 0x7FFFFFFF,
        type=kind,
        action=action,
        color=ColorRGBA(r=red, g=green, b=blue, a=0.6 if kind == Marker.CUBE else 1.0),
        lifetime=LIFETIME,
    )


def _box(result: Tracks3D, placed: Track3D) -> Marker:
    marker = _marker(result, placed, "boxes", Marker.CUBE)
    marker.pose.position, marker.pose.orientation = point(placed.position), rotation(result)
    marker.scale = vector(np.maximum(placed.size, LEAST_SIDE))
    return marker


def _name(result: Tracks3D, placed: Track3D) -> Marker:
    marker = _marker(result, placed, "names", Marker.TEXT_VIEW_FACING)
    up = result.transform.rotation @ np.array([0, -1, 0])  # the optical frame's y points down
    marker.pose.position = point(placed.position + up * (placed.size[1] / 2 + TEXT_HEIGHT))
    marker.scale.z = TEXT_HEIGHT
    distance = math.dist(placed.position, result.transform.translation)
    name = placed.track.label or placed.track.phrase
    marker.text = f"#{placed.track.id} {name} {distance:.2f} m".replace("  ", " ")
    return marker


def _arrow(result: Tracks3D, placed: Track3D) -> Marker:
    marker = _marker(result, placed, "velocities", Marker.ARROW)
    marker.points = [point(placed.position), point(placed.position + placed.velocity)]
    marker.scale.x, marker.scale.y = SHAFT, HEAD
    return marker
