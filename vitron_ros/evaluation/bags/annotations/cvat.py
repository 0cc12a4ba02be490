"""CVAT's own XML, version 1.1, "for video" and "for images"; frames count from 0.

Of a video each track lists frames: with `outside` the object is not there, from that frame on. Between listed frames
boxes are linear, and after the last one the box stays. Of images each box needs an attribute `track_id` that says which
object it is. `occluded` does not say how much is hidden: such a box counts as in sight.
"""

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import numpy as np

from vitron_ros.boxes import Boxes
from vitron_ros.errors import SourceError
from vitron_ros.evaluation.bags.annotations.frames import (
    Frames,
    Keyframe,
    by_frame,
    check_frame,
    check_length,
    interpolated,
)
from vitron_ros.recordings.ground_truth import TrueBox

CORNERS = ("xtl", "ytl", "xbr", "ybr")


def read_cvat(text: str, length: int, where: str) -> Frames:
    """The boxes of an annotations.xml.

    Args:
        length: frames of the video.

    Raises:
        SourceError: it is not such a file, has a DOCTYPE, is about another length, or a box in it is none.
    """
    if "<!DOCTYPE" in text:
        raise SourceError(f"{where} has a DOCTYPE, which CVAT does not write; it is not read")
    try:
        root = ElementTree.fromstring(text)
        if root.tag != "annotations":
            raise ValueError(f"it begins with <{root.tag}>, not <annotations>")
        _check_task(root, length, where)
        images = root.findall("image")
        found = _of_images(images, length, where) if images else _of_tracks(root.findall("track"), length, where)
        return by_frame(found)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise SourceError(f"{where} cannot be used: {reason}; export the task as CVAT 1.1") from error


def _check_task(root: Element, length: int, where: str) -> None:
    """A task of a part of the video, or of every so many frames, does not say which images of a recording they are."""
    words = {name: (root.findtext(f".//{name}") or "").strip() for name in ("frame_filter", "start_frame", "size")}
    if words["frame_filter"] not in ("", "step=1") or words["start_frame"] not in ("", "0"):
        raise ValueError("its task has a part of the video's frames alone; annotate all")
    if words["size"]:
        check_length(int(words["size"]), length, where)


def _of_tracks(tracks: list[Element], length: int, where: str) -> Iterator[tuple[int, TrueBox | None]]:
    for track in tracks:
        number, label = int(track.attrib["id"]), track.get("label", "")
        keyframes = [_keyframe(box) for box in track.iter("box")]
        for frame, box in interpolated(keyframes, length, f"{where}: track {number}").items():
            yield frame, None if box is None else TrueBox(number, label, box, 1.0)


def _keyframe(box: Element) -> Keyframe:
    outside = box.get("outside", "0") == "1"
    return Keyframe(frame=int(box.attrib["frame"]), box_xyxy=None if outside else _corners(box), holds=not outside)


def _of_images(images: list[Element], length: int, where: str) -> Iterator[tuple[int, TrueBox | None]]:
    for image in images:
        frame = int(image.attrib["id"])
        check_frame(frame, length, where)
        yield frame, None
        for box in image.iter("box"):
            ids = [item.text for item in box.iter("attribute") if item.get("name") == "track_id"]
            if len(ids) != 1:
                raise ValueError(f"a box of image {frame} has no attribute track_id, which says which object it is")
            yield frame, TrueBox(int(ids[0] or ""), box.get("label", ""), _corners(box), 1.0)


def _corners(box: Element) -> Boxes:
    if float(box.get("rotation", 0)) % 180:
        raise ValueError(f"a box is turned by {box.get('rotation')} degrees; only upright boxes are compared")
    return np.array([float(box.attrib[side]) for side in CORNERS])
