"""The frame: one decoded camera image with the time it speaks of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import ImageError

Image = NDArray[np.uint8]

_MAX_SEC = 2**31  # builtin_interfaces/Time counts seconds in an int32


def ns_from_stamp(sec: int, nanosec: int) -> int:
    """The time of a message's stamp in ns, of every image that comes in, live or recorded. 0: it has none.

    Raises:
        ImageError: it is not a valid time: negative, past the year 2038, or of more than a second of nanoseconds.
    """
    if not (0 <= sec < _MAX_SEC and 0 <= nanosec < SECOND_NS):
        raise ImageError(f"its stamp, {sec} s and {nanosec} ns, is not a valid time; mend the camera's clock")
    return int(sec) * SECOND_NS + int(nanosec)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """One camera image.

    Attributes:
        rgb: (H, W, 3) uint8. Shared between threads, so nobody writes to it.
        stamp_ns: the image's own stamp, never the time of arrival. 0: the camera gave none.
        camera: the camera's name; empty: the only camera.
        frame_id: the coordinate frame of the image header.
        index: number of the frame in its stream, from 0.
    """

    rgb: Image
    stamp_ns: int
    camera: str = ""
    frame_id: str = ""
    index: int = 0

    def __post_init__(self) -> None:
        if self.rgb.ndim != 3 or self.rgb.shape[2] != 3 or self.rgb.dtype != np.uint8:
            raise ImageError(f"a frame is (H, W, 3) uint8, this is {self.rgb.shape} {self.rgb.dtype}")
        if self.rgb.size == 0:
            raise ImageError(f"a frame has pixels, this is {self.rgb.shape}")

    @property
    def height(self) -> int:
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        return int(self.rgb.shape[1])
