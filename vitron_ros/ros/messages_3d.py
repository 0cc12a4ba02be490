"""Targets in space as messages."""

import math

import numpy as np
from geometry_msgs.msg import Point, PoseWithCovarianceStamped, Quaternion, Vector3
from std_msgs.msg import Header
from vitron_msgs.msg import Track3D as Track3DMsg
from vitron_msgs.msg import Track3DArray

from vitron_ros.geometry.localizer import Tracks3D
from vitron_ros.geometry.track_3d import Array, Status, Track3D
from vitron_ros.ros.conversions import time_from_ns
from vitron_ros.tracking.track import TrackState

ANY_ANGLE = math.pi**2 / 3  # variance of an angle that is not known


def header_3d(result: Tracks3D) -> Header:
    return Header(stamp=time_from_ns(result.stamp_ns), frame_id=result.frame_id)


def track_3d_array(result: Tracks3D) -> Track3DArray:
    return Track3DArray(
        header=header_3d(result),
        camera=result.camera,
        depth_stamp=time_from_ns(result.depth_stamp_ns),
        rotation=rotation(result),
        tracks=[_track_message(track) for track in result.tracks],
    )


def target_pose(result: Tracks3D) -> PoseWithCovarianceStamped | None:
    """The pose of the target with the lowest id of those that have not ended; None: it has no position.

    So a robot that follows one target never turns to another because the first is hidden.
    """
    alive = [track for track in result.tracks if track.track.state is not TrackState.ENDED]
    if not alive or alive[0].status is not Status.OK:
        return None
    message = PoseWithCovarianceStamped(header=header_3d(result))
    message.pose.pose.position = point(alive[0].position)
    message.pose.covariance = pose_covariance(alive[0].covariance)
    return message


def pose_covariance(position: Array) -> list[float]:
    """The 36 numbers of a pose whose position has this covariance (3, 3), and whose orientation is not known."""
    whole = np.diag([0.0] * 3 + [ANY_ANGLE] * 3)
    whole[:3, :3] = position
    return [float(value) for value in whole.ravel()]


def point(position: Array) -> Point:
    x, y, z = map(float, position)
    return Point(x=x, y=y, z=z)


def vector(value: Array) -> Vector3:
    x, y, z = map(float, value)
    return Vector3(x=x, y=y, z=z)


def rotation(result: Tracks3D) -> Quaternion:
    """Of the camera's optical axes in the frame of the positions."""
    x, y, z, w = result.transform.quaternion
    return Quaternion(x=x, y=y, z=z, w=w)


def _track_message(placed: Track3D) -> Track3DMsg:
    track = placed.track
    return Track3DMsg(
        id=track.id,
        phrase=track.phrase,
        label=track.label,
        state=int(track.state),
        score=float(track.score),
        status=int(placed.status),
        position=point(placed.position),
        covariance=placed.covariance.ravel(),
        velocity=vector(placed.velocity),
        size=vector(placed.size),
    )
