"""Recordings -> frames and true boxes, without ROS."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.evaluation.bag_storage import RawMessage, Topic, open_storages
from vitron_ros.frame import Frame, Image
from vitron_ros.images.decode import decode_compressed, decode_image
from vitron_ros.interfaces import bag_types, ros1_types

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
TRACK_ARRAY = "vitron_msgs/msg/TrackArray"
GROUND_TRUTH_TOPIC = "/ground_truth"

_SECOND_NS = 1_000_000_000
_log = logging.getLogger(__name__)


def log_bad_frame(index: int, error: ImageError) -> None:
    """The default of `on_bad`: one line of warning for each."""
    _log.warning("image %d left out: %s", index, error)


@dataclass(frozen=True, slots=True)
class BagMessage:
    """One message as the object that rosbags makes of it: the fields of its .msg. `log_ns`: when it was recorded."""

    topic: str
    log_ns: int
    value: Any


class Bag:
    """A recording, open for reading as often as one likes. No file stays open between two iterations.

    Attributes:
        path: a rosbag2 directory, or a single .mcap, .db3 or ROS 1 .bag file.
        topics: what it holds, by name.

    Raises:
        SourceError: there is no recording at the path, or nothing of it can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._storages = open_storages(path)
        self.topics: dict[str, Topic] = {}
        for topic in (topic for storage in self._storages for topic in storage.topics):
            before = self.topics.get(topic.name)
            self.topics[topic.name] = (
                topic if before is None else Topic(topic.name, topic.type, before.count + topic.count)
            )

    def raw_messages(self, names: Collection[str]) -> Iterator[RawMessage]:
        """The serialised messages of these topics.

        Raises:
            SourceError: after everything readable, if some part of the recording is damaged.
        """
        damage: SourceError | None = None
        for storage in self._storages:
            try:
                yield from storage.messages(names)
            except SourceError as error:
                damage = damage or error
        if damage is not None:
            raise damage

    def messages(self, names: Collection[str]) -> Iterator[BagMessage]:
        """The messages of these topics.

        Raises:
            SourceError: a message does not fit its type; or as `raw_messages`.
        """
        for raw in self.raw_messages(names):
            try:
                value = deserialise(raw)
            except ValueError as error:
                raise SourceError(f"{self.path}: a message of {raw.topic} cannot be read: {error}") from error
            yield BagMessage(raw.topic, raw.log_ns, value)

    def image_topic(self, name: str | None = None) -> Topic:
        """The topic called `name`, or the only one with images.

        Raises:
            SourceError: no images in the bag, several topics to choose from, or `name` is none of them.
        """
        images = {topic.name: topic for topic in self.topics.values() if topic.type in (IMAGE, COMPRESSED_IMAGE)}
        choices = ", ".join(sorted(images))
        if not images:
            found = ", ".join(sorted(self.topics)) or "nothing"
            raise SourceError(f"{self.path} has no topic with images, only {found}; record a camera topic")
        if name is not None:
            if name not in images:
                raise SourceError(f"{self.path} has no image topic {name}; choose one of {choices}")
            return images[name]
        filled = [topic for topic in images.values() if topic.count > 0]
        if not filled:
            raise SourceError(f"{self.path} has no image on {choices}; record it while the camera runs")
        if len(filled) > 1:
            raise SourceError(f"{self.path} has several image topics; choose one of {choices}")
        return filled[0]


def read_images(
    path: Path, topic: str | None = None, on_bad: Callable[[int, ImageError], None] = log_bad_frame
) -> Iterator[Frame]:
    """The decoded images of one topic, sensor_msgs Image or CompressedImage, in order.

    A frame's stamp is its header's. Where that is 0 the camera gave none: a warning says so once, and the time of
    recording stands in, so that a replay has a clock. An image that cannot be decoded goes to `on_bad` with its index
    and leaves a gap, so that `index` always counts messages.

    Args:
        topic: may be None where only one topic has images.

    Raises:
        SourceError: at once: no bag, no such topic; after the last readable frame: the bag breaks off.
    """
    bag = Bag(path)
    name = bag.image_topic(topic).name
    return _frames(bag, name, on_bad)


def _frames(bag: Bag, topic: str, on_bad: Callable[[int, ImageError], None]) -> Iterator[Frame]:
    is_stamp_missing = False
    for index, raw in enumerate(bag.raw_messages([topic])):
        try:
            message = deserialise(raw)
            rgb = decode_message(message)
        except ValueError as error:
            on_bad(index, ImageError(f"the message cannot be read: {error}"))
            continue
        except ImageError as error:
            on_bad(index, error)
            continue
        stamp_ns = stamp_of(message.header)
        if stamp_ns == 0:
            if not is_stamp_missing:
                _log.warning("%s: images of %s have no stamp; their time of recording is used", bag.path, topic)
            is_stamp_missing = True
            stamp_ns = raw.log_ns
        yield Frame(rgb=rgb, stamp_ns=stamp_ns, frame_id=message.header.frame_id, index=index)


@dataclass(frozen=True, slots=True, eq=False)
class TrueBox:
    """Where one object really is in one image.

    Attributes:
        box_xyxy: (4,) px, of the whole object, hidden parts included, clipped to the image.
        visibility: share of the whole object that can be seen, in [0, 1].
    """

    id: int
    label: str
    box_xyxy: Boxes
    visibility: float


def read_ground_truth(path: Path, topic: str = GROUND_TRUTH_TOPIC) -> dict[int, tuple[TrueBox, ...]]:
    """The true boxes of each image by its stamp in ns. Recorded as vitron_msgs/TrackArray, `score` is the visibility.

    Raises:
        SourceError: no bag, no such topic, or it breaks off.
    """
    bag = Bag(path)
    found = bag.topics.get(topic)
    if found is None or found.type != TRACK_ARRAY:
        raise SourceError(f"{path} has no true boxes: there is no topic {topic} of type {TRACK_ARRAY}")
    return {
        stamp_of(message.value.header): tuple(
            TrueBox(int(track.id), track.label, np.asarray(track.box, np.float64), float(track.score))
            for track in message.value.tracks
        )
        for message in bag.messages([topic])
    }


def decode_message(message: Any) -> Image:
    """The picture in an Image or CompressedImage of rosbags.

    Raises:
        ImageError: it cannot be decoded.
    """
    if hasattr(message, "format"):
        return decode_compressed(message.format, message.data)
    return decode_image(
        message.encoding, message.width, message.height, message.step, bool(message.is_bigendian), message.data
    )


def stamp_of(header: Any) -> int:
    """The stamp of a std_msgs/Header of rosbags in ns."""
    return int(header.stamp.sec) * _SECOND_NS + int(header.stamp.nanosec)


def deserialise(raw: RawMessage) -> Any:
    """The message as an object with the fields of its .msg.

    Raises:
        ValueError: the bytes are too few or do not fit the type.
    """
    types = ros1_types() if raw.is_ros1 else bag_types()
    try:
        return (types.deserialize_ros1 if raw.is_ros1 else types.deserialize_cdr)(raw.data, raw.type)
    except Exception as error:  # generated code: struct.error, IndexError, SerdeError and more on damaged bytes
        raise ValueError(str(error) or type(error).__name__) from error
