"""Which topic of a recording is played, and what is said of those that cannot be."""

from collections.abc import Mapping
from pathlib import Path

from vitron_ros.errors import SourceError
from vitron_ros.recordings.bag_storage import CDR, ROS1, Topic

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"

_DEPTH = "depth"  # in the name of a topic, such as /camera/depth/image_raw or .../compressedDepth
_PICTURES = ("Image", "Video", "Packet", "Image_", "Video_", "Packet_")
_TRANSPORTS = {"FFMPEGPacket": "ffmpeg", "CompressedVideo": "foxglove", "Packet": "theora"}


def image_topic(path: Path, topics: Mapping[str, Topic], name: str | None = None) -> Topic:
    """The topic called `name`, with its slash or without, or else the only one with images.

    Topics whose names speak of depth are taken only where there is nothing else.

    Args:
        path: of the recording, for the errors.

    Raises:
        SourceError: no images that can be read, several topics to choose from, or `name` is none of them.
    """
    name = f"/{name}" if name not in topics and f"/{name}" in topics else name
    images = {topic.name: topic for topic in topics.values() if _is_readable(topic)}
    choices = ", ".join(sorted(images))
    if name is not None and name in images:
        return images[name]
    if name is not None and name in topics:
        raise SourceError(f"{path}: {_description(topics[name])}")
    if not images:
        raise SourceError(_nothing(path, topics))
    if name is not None:
        raise SourceError(f"{path} has no image topic {name}; choose one of {choices}")
    filled = [topic for topic in images.values() if topic.count > 0]
    if not filled:
        raise SourceError(f"{path} has no image on {choices}; record it while the camera runs")
    colour = [topic for topic in filled if _DEPTH not in topic.name.lower()] or filled
    if len(colour) > 1:
        raise SourceError(f"{path} has several image topics; choose one of {choices}")
    return colour[0]


def _is_readable(topic: Topic) -> bool:
    return topic.type in (IMAGE, COMPRESSED_IMAGE) and topic.serialisation in (CDR, ROS1)


def _nothing(path: Path, topics: Mapping[str, Topic]) -> str:
    pictures = [topic for topic in topics.values() if _last_word(topic.type).endswith(_PICTURES)]
    if pictures:
        return f"{path} has no topic with images that can be read: " + "; ".join(map(_description, pictures))
    found = ", ".join(f"{topic.name} ({topic.type})" for _, topic in sorted(topics.items())) or "nothing"
    return f"{path} has no topic with images, only {found}; record a camera topic"


def _description(topic: Topic) -> str:
    """What a topic is that cannot be read, and how to get images out of it."""
    what = f"{topic.name} is {topic.type} in {topic.serialisation}"
    if not _last_word(topic.type).endswith(_PICTURES):
        return f"{what}, which is not an image"
    transport = _TRANSPORTS.get(_last_word(topic.type))
    if transport is not None and topic.serialisation in (CDR, ROS1):
        return f"{what}; play it through `ros2 run image_transport republish {transport} raw` and record that topic"
    return f"{what}, and only {IMAGE} and CompressedImage of ROS are read; publish it as one of them and record that"


def _last_word(type_name: str) -> str:
    return type_name.replace(".", "/").rsplit("/", 1)[-1]
