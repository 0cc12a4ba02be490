"""Targets in space as vision_msgs/Detection3DArray, where that is installed."""

from geometry_msgs.msg import Pose, PoseWithCovariance
from vision_msgs.msg import BoundingBox3D, Detection3D, Detection3DArray, ObjectHypothesis, ObjectHypothesisWithPose

from vitron_ros.geometry.localizer import Tracks3D
from vitron_ros.geometry.track_3d import Status, Track3D
from vitron_ros.ros.detections import class_name
from vitron_ros.ros.messages_3d import header_3d, point, pose_covariance, rotation, vector


def detection_3d_array(result: Tracks3D) -> Detection3DArray:
    """The targets that have a position."""
    placed = [track for track in result.tracks if track.status is Status.OK]
    return Detection3DArray(header=header_3d(result), detections=[_detection(result, track) for track in placed])


def _detection(result: Tracks3D, placed: Track3D) -> Detection3D:
    track = placed.track
    pose = Pose(position=point(placed.position))
    hypothesis = ObjectHypothesis(class_id=class_name(track), score=float(track.score))
    with_pose = PoseWithCovariance(pose=pose, covariance=pose_covariance(placed.covariance))
    box = BoundingBox3D(center=Pose(position=pose.position, orientation=rotation(result)), size=vector(placed.size))
    return Detection3D(
        header=header_3d(result),
        id=str(track.id),
        results=[ObjectHypothesisWithPose(hypothesis=hypothesis, pose=with_pose)],
        bbox=box,
    )
