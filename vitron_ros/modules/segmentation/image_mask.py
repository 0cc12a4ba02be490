"""One image and what somebody marked in it -> the mask of the object, without weights.

Colours inside and outside the mark and, where a neighbouring frame is at hand, motion against the surroundings give
each pixel a probability; GrabCut then draws the edge.
"""

import cv2
import numpy as np

from vitron_ros.frame import Image
from vitron_ros.modules.segmentation.colour_mask import colour_mask
from vitron_ros.modules.segmentation.grab_cut import chroma, cut_labels, grab_cut
from vitron_ros.modules.segmentation.motion_evidence import motion_evidence
from vitron_ros.modules.segmentation.parts import joined
from vitron_ros.modules.segmentation.prompt import Prompt, read_prompt
from vitron_ros.region import Region
from vitron_ros.tracking.soft_mask import Flags, SoftMask

MOTION_WEIGHT = 2.0
CUT_ROUNDS = 3
SURE = 0.9


def segment_image(rgb: Image, region: Region, neighbour: Image | None = None) -> Flags:
    """The mask of the marked object, (H, W); the same every time.

    Args:
        rgb: (H, W, 3).
        region: in that image. A box holds the whole object; a polygon or mask is its outline, more or less; a point or
            scribble lies on it.
        neighbour: the image a few frames before or after, of the same size; None: there is none.

    Raises:
        RegionError: the region marks nothing inside the image, or nothing there stands out from its surroundings.
    """
    prompt = read_prompt(rgb, region)
    motion = None if neighbour is None else motion_evidence(rgb, neighbour, prompt.box_xyxy)
    if motion is not None:
        height, width = rgb.shape[:2]
        motion = MOTION_WEIGHT * prompt.patch.shrink(cv2.resize(motion, (width, height)))
    likely = colour_mask(prompt.patch.rgb, prompt.prior, prompt.is_allowed, motion)
    labels = cut_labels(likely, is_background=~prompt.is_allowed, is_object=_sure(prompt, likely, motion))
    cut = grab_cut(chroma(prompt.patch.rgb), labels, CUT_ROUNDS)
    if prompt.is_marked.any():
        cut = joined(cut, prompt.is_marked)
    return prompt.patch.enlarge(cut.astype(np.float32))


def _sure(prompt: Prompt, likely: SoftMask, motion: SoftMask | None) -> Flags:
    is_sure = prompt.is_core & (likely > SURE)
    if motion is not None:
        is_sure &= motion >= 0
    return is_sure | prompt.is_marked
