"""Masks of rows, which `encode_mask` wrote as COCO's compressed runs."""

from typing import Any

import numpy as np

from vitron_ros.errors import PredictionError
from vitron_ros.evaluation.metrics.checks import Flags


def mask_from_json(value: Any, where: str) -> Flags:
    """A mask (H, W) of a row.

    Raises:
        PredictionError: it is none; `where` says of what.
    """
    from pycocotools.mask import decode

    try:
        return np.asarray(decode({"size": value["size"], "counts": value["counts"].encode("ascii")}), bool)
    except (KeyError, TypeError, ValueError, AttributeError, UnicodeEncodeError) as error:
        raise PredictionError(f"{where} has no mask: {error}; run it again") from error
