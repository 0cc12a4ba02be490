"""The messages of bags without ROS: the texts of vitron_msgs, and a store of types that can read and write them."""

from functools import cache
from pathlib import Path

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vitron_ros.errors import SourceError

PATTERNS = ("*.msg", "action/*.action", "srv/*.srv")  # of the files in those folders
_PACKAGE = Path(__file__).resolve().parent
# The fields of vision_msgs 4, in the order of the wire, of what is read from bags; rosbags does not know them.
_VISION_MSGS = {
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "Point2D position\nfloat64 theta",
    "BoundingBox2D": "Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": "ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose",
    "Detection2D": "std_msgs/Header header\nObjectHypothesisWithPose[] results\nBoundingBox2D bbox\nstring id",
    "Detection2DArray": "std_msgs/Header header\nDetection2D[] detections",
}
_FOLDERS = (_PACKAGE / "assets" / "msg", _PACKAGE.parent / "msg")  # an installed package; a checkout


def interface_texts() -> dict[str, str]:
    """The text of every message, action and service by its full name, e.g. "vitron_msgs/msg/Track".

    Raises:
        SourceError: the texts were not installed.
    """
    for folder in _FOLDERS:
        files = [path for pattern in PATTERNS for path in sorted(folder.glob(pattern))]
        if files:
            return {f"vitron_msgs/{path.suffix[1:]}/{path.stem}": path.read_text("utf-8") for path in files}
    raise SourceError(f"no .msg files in {' or '.join(map(str, _FOLDERS))}; install vitron_ros again")


def message_texts() -> dict[str, str]:
    """Those of the messages alone. Raises as `interface_texts`."""
    return {name: text for name, text in interface_texts().items() if name.startswith("vitron_msgs/msg/")}


@cache
def bag_types() -> Typestore:
    """The standard messages of ROS 2, Detection2DArray and vitron_msgs. What we use is equal in Humble to Lyrical."""
    types = get_typestore(Stores.ROS2_JAZZY)
    vision_msgs = {f"vision_msgs/msg/{name}": text for name, text in _VISION_MSGS.items()}
    for name, text in (vision_msgs | message_texts()).items():
        types.register(get_types_from_msg(text, name))
    return types


@cache
def ros1_types() -> Typestore:
    """The standard messages of ROS 1 Noetic."""
    return get_typestore(Stores.ROS1_NOETIC)
