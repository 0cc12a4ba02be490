"""A small target seen from near: one square part of all images of a clip, at the camera's full resolution.

A model sees an image of whatever size in a few thousand pixels and says boxes in hundredths of it, so that a small
target is a few pixels large and its box a few numbers wide. A window around the target's way is shown to the model in
place of the images; it stays where it is for the whole clip, so that motion stays motion, and is square, so that a
circle stays one. Nobody but `answering` shows windows: before and after it, boxes are those of the whole images.

Shapes: T frames of one request.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vitron_ros.boxes import Boxes, clip
from vitron_ros.frame import Frame
from vitron_ros.grounding.request import ModelReply, ModelRequest, Roi

SIZES = 5.0  # of the target's larger side, that a window is wide at least
MARGIN = 1.0  # of the same, around its way
MIN_SIDE_PX = 48  # a model would have to blow up what is smaller
MOST = 0.75  # of the image's longer side; a wider window would show hardly more than the image
EDGE = 0.011  # of the window's side: the finest step of a box that a model says


def roi_crop(boxes_xyxy: Boxes, frames: Sequence[Frame], below: float) -> Roi | None:
    """The window for a target that was at these boxes (T, 4) px in the frames, NaN where nobody knows.

    None where the whole images serve better: the target's larger side, as a share of the image's, is not below the
    given share anywhere; its way is too long; it is not known in the newest frame, or partly nowhere in the image; or
    the frames differ in size.
    """
    width, height = frames[-1].width, frames[-1].height
    if any((frame.width, frame.height) != (width, height) for frame in frames):
        return None
    known = np.flatnonzero(np.isfinite(boxes_xyxy).all(axis=-1))
    if len(frames) - 1 not in known:
        return None
    boxes = clip(boxes_xyxy[known], width, height)
    sides = boxes[:, 2:] - boxes[:, :2]
    if not (sides > 0).all() or bool(np.max(sides / [width, height]) >= below):
        return None
    size, low, high = float(sides.max()), boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    wanted = max(SIZES * size, float(np.max(high - low)) + 2 * MARGIN * size, MIN_SIDE_PX)
    side = math.ceil(wanted) + 1  # rounding of the corner takes up to half a pixel from either margin
    if side > min(MOST * max(width, height), width, height):
        return None
    x, y = (int(v) for v in np.clip(np.round((low + high - side) / 2), 0, [width - side, height - side]))
    return x, y, x + side, y + side


def crop_request(request: ModelRequest) -> ModelRequest:
    """What the model is shown of a request: its frames cut to the window, without a copy, and its box moved into it."""
    if request.roi_xyxy is None:
        return request
    x_min, y_min, x_max, y_max = request.roi_xyxy
    return replace(
        request,
        frames=tuple(replace(frame, rgb=frame.rgb[y_min:y_max, x_min:x_max]) for frame in request.frames),
        box_xyxy=None if request.box_xyxy is None else request.box_xyxy - corner(request.roi_xyxy),
    )


def uncrop_reply(request: ModelRequest, reply: ModelReply) -> ModelReply:
    """The reply to what was shown of a request, its boxes in the whole images."""
    if request.roi_xyxy is None or reply.boxes_xyxy is None:
        return reply
    offset = corner(request.roi_xyxy)
    return replace(reply, boxes_xyxy=reply.boxes_xyxy + offset, candidates_xyxy=reply.candidates_xyxy + offset)


def up_to_edge(boxes_xyxy: Boxes, roi_xyxy: Roi, width: int, height: int) -> Boxes:
    """What boxes (T, 4) px in a window into images of that size say, for as long as the target is in the window.

    A box that ends where the window ends, but the image goes on, is cut: the edge is the window's, and nobody knows
    where the object's is. It becomes NaN; if there is no whole box after it, what follows is left out: (N, 4), N <= T.
    """
    window, image = np.array(roi_xyxy, np.float64), np.array([0, 0, width, height], np.float64)
    inside = (boxes_xyxy - window) * [1, 1, -1, -1]  # how far each edge is inside the window's, px
    is_cut = ((inside <= EDGE * (window[2] - window[0])) & (window != image)).any(axis=-1)
    whole = np.flatnonzero(np.isfinite(boxes_xyxy).all(axis=-1) & ~is_cut)
    left = int(whole[-1]) + 1 if len(whole) else 0
    end = left if is_cut[left:].any() else len(boxes_xyxy)
    return np.where(is_cut[:, None], np.nan, boxes_xyxy)[:end]


def corner(roi_xyxy: Roi) -> Boxes:
    """(4,) px, from boxes in a window to boxes in the image."""
    return np.array([*roi_xyxy[:2], *roi_xyxy[:2]], np.float64)
