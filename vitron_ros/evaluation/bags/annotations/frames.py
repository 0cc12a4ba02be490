"""Boxes by the number of their frame, from 0, and how those between keyframes come about."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vitron_ros.boxes import Boxes
from vitron_ros.errors import SourceError
from vitron_ros.recordings.ground_truth import TrueBox

Frames = dict[int, tuple[TrueBox, ...]]
"""The boxes of every frame that a file speaks of, by its number from 0; empty: it says that nothing is there."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Keyframe:
    """One object in a frame that the file lists.

    Attributes:
        box_xyxy: (4,) px; None: the object is not there.
        holds: whether the object is there after this frame, up to the next keyframe.
    """

    frame: int
    box_xyxy: Boxes | None
    holds: bool


def interpolated(keyframes: Sequence[Keyframe], length: int, where: str) -> dict[int, Boxes | None]:
    """The box of one object in each frame from its first keyframe to the end, linear between keyframes.

    Args:
        length: frames of the video.

    Raises:
        SourceError: keyframes are not in order, each once, or not in the video.
    """
    numbers = [keyframe.frame for keyframe in keyframes]
    for number in numbers:
        check_frame(number, length, where)
    if numbers != sorted(set(numbers)):
        raise SourceError(f"{where} does not list its frames in order, each once")
    found: dict[int, Boxes | None] = {}
    for here, after in zip(keyframes, [*keyframes[1:], None], strict=True):
        found[here.frame] = here.box_xyxy
        for frame in range(here.frame + 1, length if after is None else after.frame):
            if here.box_xyxy is None or not here.holds:
                found[frame] = None
            elif after is None or after.box_xyxy is None:
                found[frame] = here.box_xyxy
            else:
                share = (frame - here.frame) / (after.frame - here.frame)
                found[frame] = here.box_xyxy + share * (after.box_xyxy - here.box_xyxy)
    return found


def by_frame(boxes: Iterable[tuple[int, TrueBox | None]]) -> Frames:
    """Boxes in order of frames; None: the frame is spoken of."""
    frames: dict[int, list[TrueBox]] = defaultdict(list)
    for frame, box in boxes:
        frames[frame] += [] if box is None else [box]
    return {frame: tuple(frames[frame]) for frame in sorted(frames)}


def check_frame(frame: int, length: int, where: str) -> None:
    """Raises SourceError if a frame is not in a video of that length."""
    if not 0 <= frame < length:
        raise SourceError(
            f"{where} speaks of frame {frame} (from 0), but the topic has {length} images; is it of this recording?"
        )


def check_length(said: int, length: int, where: str) -> None:
    """Raises SourceError if a file is about a video of another length."""
    if said != length:
        raise SourceError(f"{where} is about {said} frames, but the topic has {length} images; annotate every image")
