"""The depth of a recording, and the targets in space by it."""

from collections.abc import Iterator
from pathlib import Path

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import DepthConfig
from vitron_ros.errors import CalibrationError, ImageError, SourceError
from vitron_ros.geometry.camera_model import camera_model, info_topic
from vitron_ros.geometry.depth_image import DepthImage, depth_image
from vitron_ros.geometry.localizer import Localizer, Tracks3D, tracked_image
from vitron_ros.recordings.bags import Bag
from vitron_ros.recordings.image_topics import IMAGE
from vitron_ros.streaming.pipeline import Report

INFO_TYPE = "sensor_msgs/msg/CameraInfo"


class RecordedDepth:
    """Reads ahead in a recording for the depth image of each tracked image.

    Args:
        topic: of the depth images, sensor_msgs/Image.
        image_topic: of the images that are tracked; the calibration is on camera_info beside it.

    Raises:
        SourceError: no such topic, or no camera_info beside the images; on reading: the recording breaks off.
    """

    def __init__(
        self, path: Path, topic: str, image_topic: str | None = None, config: DepthConfig | None = None
    ) -> None:
        bag = Bag(path)
        topic = topic if topic in bag.topics or f"/{topic}" not in bag.topics else f"/{topic}"
        if topic not in bag.topics or bag.topics[topic].type != IMAGE:
            images = sorted(name for name, found in bag.topics.items() if found.type == IMAGE)
            raise SourceError(f"{path} has no depth on {topic}; there is {', '.join(images) or 'no image topic'}")
        self._topic, self._info = topic, info_topic(bag.image_topic(image_topic).name)
        self._depth_info = info_topic(topic)
        if self._info not in bag.topics or bag.topics[self._info].type != INFO_TYPE:
            raise SourceError(
                f"{path} has no {self._info}, without which depth says nothing; record it with the images"
            )
        self.config = config or DepthConfig()
        self.localizer = Localizer(self.config)
        self._depths = self._read(bag)
        self._ahead_ns = 0

    def place(self, report: Report) -> Tracks3D | None:
        """The targets of a report in space; None: it has no image. Reports come in the order of their images."""
        if report.frame is None:
            return None
        image = tracked_image(report.frame, report.tracks, report.silhouettes)
        while self._ahead_ns <= image.stamp_ns + self.config.depth_window * SECOND_NS:
            depth = next(self._depths, None)
            if depth is None:
                break
            self._ahead_ns = depth.stamp_ns
            self.localizer.add_depth(depth)
        self.localizer.add_image(image)
        return self.localizer.take(is_last=True)[-1]

    def _read(self, bag: Bag) -> Iterator[DepthImage]:
        """The depth images; calibrations and what cannot be read go to the localizer on the way."""
        for message in bag.messages({self._topic, self._info, self._depth_info} & set(bag.topics)):
            try:
                if message.topic == self._topic:
                    yield depth_image(message.value)
                elif message.topic == self._info:
                    self.localizer.set_camera(camera_model(message.value))
                else:
                    self.localizer.set_depth_camera(camera_model(message.value))
            except ImageError as error:
                self.localizer.refuse_depth(str(error))
            except CalibrationError as error:
                if message.topic == self._info:
                    self.localizer.refuse_camera(str(error))
