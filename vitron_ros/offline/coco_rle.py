"""Masks in the run-length encoding of COCO, as pycocotools reads and writes it."""

from collections.abc import Iterable
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from vitron_ros.errors import ConfigError
from vitron_ros.tracking.track import TrackSnapshot


class CocoRle(TypedDict):
    """The mask of a whole image: `size` is [height, width] in px, `counts` the compressed runs."""

    size: list[int]
    counts: str


def check_coco() -> None:
    """Raises ConfigError where pycocotools is missing."""
    try:
        import pycocotools.mask  # noqa: F401
    except ImportError as error:
        raise ConfigError(f"masks are written with pycocotools ({error}); run: pip install pycocotools") from error


def coco_masks(tracks: Iterable[TrackSnapshot], width: int, height: int) -> dict[int, CocoRle]:
    """By track id, the masks of tracks in an image of that size. Raises ConfigError as `check_coco`."""
    masked = [(track.id, track.mask) for track in tracks if track.mask is not None]
    if not masked:
        return {}
    return {track_id: encode_mask(mask.in_image(width, height) > 0) for track_id, mask in masked}


def encode_mask(mask: NDArray[np.bool_]) -> CocoRle:
    """A mask (H, W) of a whole image. Raises ConfigError as `check_coco`."""
    check_coco()
    from pycocotools.mask import encode

    runs = encode(np.asfortranarray(mask, np.uint8))
    return CocoRle(size=[mask.shape[0], mask.shape[1]], counts=runs["counts"].decode("ascii"))
