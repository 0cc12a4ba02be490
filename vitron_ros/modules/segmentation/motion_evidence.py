"""What motion says of an object: where the image does not move as the object's surroundings do."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Image
from vitron_ros.modules.segmentation.grab_cut import RNG_SEED
from vitron_ros.tracking.soft_mask import Flags, SoftMask, is_inside

NEIGHBOUR_DISTANCE = 2  # frames
GRID_PX = 8
RANSAC_PX = 1.5
MIN_POINTS = 30
MIN_SIDE_PX = 32
MAX_EVIDENCE = 1.5


def motion_evidence(rgb: Image, neighbour: Image, box_xyxy: Boxes) -> SoftMask | None:
    """Log odds of each pixel to be the object's, (H // 2, W // 2), in +-MAX_EVIDENCE; None: not known.

    Args:
        rgb: (H, W, 3).
        neighbour: another image of the same size, NEIGHBOUR_DISTANCE frames before or after.
        box_xyxy: (4,) px, of the object in `rgb`.
    """
    height, width = rgb.shape[0] // 2, rgb.shape[1] // 2
    if min(height, width) < MIN_SIDE_PX:
        return None
    small = (cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in (rgb, neighbour))
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in small]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(greys[0], greys[1], None)
    return flow_evidence(flow, is_inside(box_xyxy / 2, width, height))


def flow_evidence(flow: NDArray[np.float32], is_near: Flags) -> SoftMask | None:
    """Log odds of each pixel to be the object's by the flow (H, W, 2), px, in +-MAX_EVIDENCE; None: not known.

    The surroundings are taken for a plane, or seen by a camera that only turns: their motion is a homography. Where the
    object hardly moves otherwise than they do, the evidence fades to 0.

    Args:
        is_near: (H, W) the object's box or mask; the rest is its surroundings.
    """
    height, width = is_near.shape
    rows, columns = np.mgrid[GRID_PX // 2 : height : GRID_PX, GRID_PX // 2 : width : GRID_PX].reshape(2, -1)
    is_behind = ~is_near[rows, columns]
    rows, columns = rows[is_behind], columns[is_behind]
    if len(rows) < MIN_POINTS or not is_near.any():
        return None
    start = np.column_stack([columns, rows]).astype(np.float32)
    cv2.setRNGSeed(RNG_SEED)  # RANSAC draws from OpenCV's global generator
    homography = cv2.findHomography(start, start + flow[rows, columns], cv2.RANSAC, RANSAC_PX)[0]
    if homography is None:
        return None
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float32)
    expected = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography).reshape(height, width, 2)
    residual = np.linalg.norm(grid + flow - expected, axis=-1)
    noise = float(np.median(residual[~is_near])) + 0.25
    evidence = np.clip(1.5 * np.log((residual + 0.1) / (3 * noise)), -MAX_EVIDENCE, MAX_EVIDENCE)
    strength = np.clip((np.quantile(residual[is_near], 0.7) / noise - 2) / 3, 0, 1)
    return np.asarray(evidence * strength, np.float32)
