"""Tracks as vision_msgs/Detection2DArray, for consumers that speak the standard type. Only where it is installed."""

from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesis, ObjectHypothesisWithPose

from vitron_ros.boxes import center
from vitron_ros.tracking.track import TrackSnapshot


def detection_array(header: Header, tracks: tuple[TrackSnapshot, ...]) -> Detection2DArray:
    """The tracks that are seen in this image; a detection says that something is there."""
    return Detection2DArray(header=header, detections=[_detection(header, track) for track in tracks if track.is_seen])


def class_name(track: TrackSnapshot) -> str:
    """What the target is; "object": it was marked by hand and never named."""
    return track.label or track.phrase or "object"


def _detection(header: Header, track: TrackSnapshot) -> Detection2D:
    hypothesis = ObjectHypothesis(class_id=class_name(track), score=float(track.score))
    detection = Detection2D(header=header, id=str(track.id))
    detection.results = [ObjectHypothesisWithPose(hypothesis=hypothesis)]
    detection.bbox.center.position.x, detection.bbox.center.position.y = map(float, center(track.box_xyxy))
    detection.bbox.size_x, detection.bbox.size_y = map(float, track.box_xyxy[2:] - track.box_xyxy[:2])
    return detection
