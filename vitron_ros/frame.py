"""The frame: one decoded camera image with the time it speaks of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ImageError

Image = NDArray[np.uint8]


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
