"""Pictures of what was kept and dropped: first, middle and last frame with the boxes of tracker and detector."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

import cv2
import numpy as np

from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.clips import key_frames, read_clip
from training.elysium_track.parts import Part, Row, read_parts
from training.elysium_track.settings import Settings
from vitron_ros.boxes import xyxy_from_norm
from vitron_ros.frame import Image

WIDTH, HEIGHT, BAND = 128, 96, 18  # px of a picture, and of the text above a row of three
TRACKED, DETECTED = (255, 0, 255), (0, 255, 255)
INK, PAPER, KEPT, DROPPED = (20, 20, 20), (250, 250, 250), (0, 130, 60), (180, 30, 30)

Example = tuple[CaptionedVideo, Row]


def contact_sheet(parts: Sequence[Part], kept_ids: set[str], rows: int = 12) -> Image:
    """Kept tracks on the left, dropped ones on the right, every reason in turn; (H, W, 3) uint8 RGB."""
    kept: list[Example] = []
    dropped: dict[str, list[Example]] = {}
    for video, row in read_parts(parts):
        is_copy = row["tracks"] and video.id not in kept_ids
        for one in row["tracks"]:
            shown = {"phrase": one["phrase"], "fault": "duplicate video" if is_copy else "", **_shown(one, row)}
            group = dropped.setdefault("duplicate video", []) if is_copy else kept
            if len(group) < rows:
                group.append((video, shown))
        for one in row["dropped"]:
            if row["fault"] is None and one["fault"] not in ("abstract", "plural"):
                group = dropped.setdefault(one["fault"], [])
                if len(group) < rows:
                    group.append((video, one))
    settings = parts[0].run.settings
    left = [_strip(*example, settings) for example in kept]
    right = [_strip(*example, settings) for example in _in_turn(dropped, rows)]
    blank = np.full((BAND + HEIGHT, 3 * WIDTH, 3), PAPER, np.uint8)
    pairs = list(zip_longest(left, right, fillvalue=blank)) or [(blank, blank)]
    gap = np.full((BAND + HEIGHT, 12, 3), PAPER, np.uint8)
    return np.vstack([np.hstack([one, gap, other]) for one, other in pairs])


def _in_turn(groups: dict[str, list[Example]], count: int) -> list[Example]:
    """One of each group, then the second of each, and so on; ordered by group."""
    turns = [one for turn in zip_longest(*groups.values()) for one in turn if one is not None][:count]
    order = list(groups)
    return sorted(turns, key=lambda example: order.index(example[1]["fault"]))


def _shown(one: Row, row: Row) -> Row:
    keys = key_frames(len(one["box"]))
    boxes = [xyxy_from_norm(one["box"][key], *row["frame_size"]).tolist() for key in keys]
    return {"tracked_px": boxes, "detected_px": [None] * len(boxes)}


def _strip(video: CaptionedVideo, shown: Row, settings: Settings) -> Image:
    frames = read_clip(video.path, settings)
    pictures = [
        _picture(frames[key].rgb, tracked, detected)
        for key, tracked, detected in zip(
            key_frames(len(frames)), shown["tracked_px"], shown["detected_px"], strict=True
        )
    ]
    band = np.full((BAND, 3 * WIDTH, 3), PAPER, np.uint8)
    _write(band, shown["phrase"], 4, INK)
    _write(band, shown["fault"] or "kept", 2 * WIDTH + 8, DROPPED if shown["fault"] else KEPT)
    return np.vstack([band, np.hstack(pictures)])


def _picture(rgb: Image, tracked: Sequence[float] | None, detected: Sequence[float] | None) -> Image:
    height, width = rgb.shape[:2]
    scale = min(WIDTH / width, HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    for box, colour in _boxes(tracked, detected):
        x1, y1, x2, y2 = (round(value * scale) for value in box)
        cv2.rectangle(small, (x1, y1), (x2, y2), colour, 1)
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    top, left = (HEIGHT - size[1]) // 2, (WIDTH - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _boxes(
    tracked: Sequence[float] | None, detected: Sequence[float] | None
) -> Iterator[tuple[Sequence[float], tuple[int, int, int]]]:
    if detected is not None:
        yield detected, DETECTED
    if tracked is not None:
        yield tracked, TRACKED


def _write(band: Image, text: str, x: int, colour: tuple[int, int, int]) -> None:
    cv2.putText(band, text, (x, BAND - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1, cv2.LINE_AA)
