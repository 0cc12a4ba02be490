"""Recordings -> frames and messages, without ROS."""

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError, SourceError
from vitron_ros.frame import Frame, Image, ns_from_stamp
from vitron_ros.images.compressed import decode_compressed
from vitron_ros.images.decode import decode_image
from vitron_ros.images.intensity_window import IntensityWindow
from vitron_ros.interfaces import bag_types, ros1_types
from vitron_ros.recordings.bag_files import open_storages
from vitron_ros.recordings.bag_storage import CDR, ROS1, RawMessage, Topic
from vitron_ros.recordings.bag_zstd import decompress_message
from vitron_ros.recordings.image_topics import image_topic

OnBad = Callable[[int, ImageError], None]

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
        path: a rosbag2 directory, or a single .mcap, .db3 or ROS 1 .bag file, which may be compressed with zstd.
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
            self.topics[topic.name] = topic if before is None else replace(topic, count=before.count + topic.count)

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
        """As `image_topics.image_topic`."""
        return image_topic(self.path, self.topics, name)

    def images(
        self,
        topic: str | None = None,
        on_bad: OnBad = log_bad_frame,
        warn: Callable[[str], None] = _log.warning,
    ) -> Iterator[Frame]:
        """The decoded images of one topic, sensor_msgs Image or CompressedImage, in order.

        A frame's stamp is its header's. Where that is 0 the camera gave none, and the time of recording stands in, so
        that a replay has a clock. An image that cannot be decoded, or whose stamp is not a valid time, goes to `on_bad`
        with its index and leaves a gap, so that `index` always counts messages.

        Args:
            topic: may be None where only one topic has images.
            warn: takes what is worth saying once: that stamps are missing, or how 16-bit values are shown.

        Raises:
            SourceError: at once: no such topic; after the last readable frame: the bag breaks off.
        """
        return self._frames(self.image_topic(topic).name, on_bad, warn)

    def image_stamps(self, topic: str | None = None) -> list[int]:
        """The stamp of each image of one topic in ns, as its frame in `images` has it; no image is decoded.

        Raises:
            SourceError: no such topic, the bag breaks off, or an image has no valid stamp.
        """
        name = self.image_topic(topic).name
        stamps_ns: list[int] = []
        for raw in self.raw_messages([name]):
            try:
                stamps_ns.append(_image_stamp(deserialise(raw), raw))
            except (ValueError, ImageError) as error:
                raise SourceError(
                    f"{self.path}: image {len(stamps_ns)} of {name} has no time: {error}; record the bag again"
                ) from error
        return stamps_ns

    def _frames(self, topic: str, on_bad: OnBad, warn: Callable[[str], None]) -> Iterator[Frame]:
        is_stamp_missing = False
        window = IntensityWindow(lambda text: warn(f"{self.path}: {topic}: {text}"))
        for index, raw in enumerate(self.raw_messages([topic])):
            try:
                message = deserialise(raw)
                stamp_ns = _image_stamp(message, raw)
                if not (stamp_of(message.header) or is_stamp_missing):
                    warn(f"{self.path}: images of {topic} have no stamp; their time of recording is used")
                    is_stamp_missing = True
                rgb = decode_message(message, window)
            except ValueError as error:
                on_bad(index, ImageError(f"the message cannot be read: {error}"))
            except ImageError as error:
                on_bad(index, error)
            else:
                yield Frame(rgb=rgb, stamp_ns=stamp_ns, frame_id=message.header.frame_id, index=index)


def read_images(path: Path, topic: str | None = None, on_bad: OnBad = log_bad_frame) -> Iterator[Frame]:
    """As `Bag.images` of the recording at `path`.

    Raises:
        SourceError: at once if there is none; or as `Bag.images`.
    """
    return Bag(path).images(topic, on_bad)


def decode_message(message: Any, window: IntensityWindow) -> Image:
    """The picture in an Image or CompressedImage of rosbags. `window`: that of its topic.

    Raises:
        ImageError: it cannot be decoded.
    """
    if hasattr(message, "format"):
        return decode_compressed(message.format, message.data, window)
    return decode_image(
        message.encoding, message.width, message.height, message.step, bool(message.is_bigendian), message.data, window
    )


def stamp_of(header: Any) -> int:
    """The stamp of a std_msgs/Header of rosbags in ns.

    Raises:
        ImageError: it is not a valid time.
    """
    return ns_from_stamp(header.stamp.sec, header.stamp.nanosec)


def _image_stamp(message: Any, raw: RawMessage) -> int:
    """The header's stamp, or where that is 0 the time of recording, in ns. Raises ImageError as `stamp_of`."""
    return stamp_of(message.header) or ns_from_stamp(*divmod(raw.log_ns, SECOND_NS))


def deserialise(raw: RawMessage) -> Any:
    """The message as an object with the fields of its .msg.

    Raises:
        ValueError: the bytes are too few, do not fit the type, or are in another serialisation than those of ROS.
    """
    try:
        if raw.serialisation == ROS1:
            return ros1_types().deserialize_ros1(raw.data, raw.type)
        if raw.serialisation != CDR:
            raise ValueError(f"it is in {raw.serialisation}")
        return bag_types().deserialize_cdr(decompress_message(raw.data), raw.type)
    except Exception as error:  # generated code: struct.error, IndexError, SerdeError and more on damaged bytes
        raise ValueError(str(error) or type(error).__name__) from error
