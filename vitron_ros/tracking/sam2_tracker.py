"""SAM 2 as a box tracker: a mask from the first box, and the mask's box in every image."""

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.masks import CroppedMask, covered_pixels
from vitron_ros.model.sam2 import Sam2Network, Sam2Object
from vitron_ros.region import Region
from vitron_ros.tracking.box_tracker import BoxEstimate, View


class Sam2Tracker:
    """Follows one object.

    The score is the network's probability that the object is in the image; it is 0 where no pixel is the object's, and
    then the box stays where it was seen last. A lost object is looked for in the whole image in every step.
    """

    def __init__(self, network: Sam2Network) -> None:
        self._network = network
        self._object: Sam2Object
        self._box_xyxy = np.zeros(4)

    def start(self, view: View, box_xyxy: Boxes) -> None:
        image = self._network.encode(view.frame.rgb)
        self._object = Sam2Object(self._network, image, Region.from_box(box_xyxy))
        self._box_xyxy = np.array(box_xyxy, np.float64)

    def step(self, view: View, *, redetect: bool = True) -> BoxEstimate:
        seen = self._object.step(self._network.encode(view.frame.rgb))
        if seen.box_xyxy is None:
            return BoxEstimate(self._box_xyxy, 0.0)
        self._box_xyxy = seen.box_xyxy
        return BoxEstimate(self._box_xyxy, seen.score)

    def mask(self, box_xyxy: Boxes) -> CroppedMask | None:
        """The object's pixels inside a box (4,) px of the frame that came last; None: there are none."""
        seen = self._object.newest
        x_min, y_min, x_max, y_max = covered_pixels(box_xyxy, seen.width, seen.height)
        pixels = seen.pixels[y_min:y_max, x_min:x_max]
        return CroppedMask(pixels, x_min, y_min) if pixels.any() else None
