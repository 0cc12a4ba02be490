"""What makes a sequence hard, read from its true boxes; names and thresholds of LaSOT (Fan et al., CVPR 2019)."""

import numpy as np

from vitron_ros.boxes import Boxes

LOW_RESOLUTION_PX2 = 1000.0
RATIO = 2.0


def box_attributes(true_ltwh: Boxes) -> tuple[str, ...]:
    """Those of a sequence of (T, 4) px, nan where the target is absent; the first box is there.

    "absent": in some frame; "aspect ratio change", "scale variation": by a factor of 2 from the first box; "fast
    motion": by more than its size, the root of its area, between two frames; "low resolution": below 1000 px².
    """
    seen = np.isfinite(true_ltwh).all(axis=1)
    width, height = true_ltwh[seen, 2], true_ltwh[seen, 3]
    area = width * height
    center = true_ltwh[:, :2] + true_ltwh[:, 2:] / 2
    step = np.linalg.norm(np.diff(center, axis=0), axis=1)
    size = np.sqrt(true_ltwh[1:, 2] * true_ltwh[1:, 3])
    has = {
        "absent": not seen.all(),
        "aspect ratio change": _leaves(width / height),
        "fast motion": bool((step > size).any()),  # nan compares as False
        "low resolution": bool((area < LOW_RESOLUTION_PX2).any()),
        "scale variation": _leaves(area),
    }
    return tuple(name for name, is_so in has.items() if is_so)


def _leaves(values: Boxes) -> bool:
    ratio = values / values[0]
    return bool((ratio > RATIO).any() or (ratio < 1 / RATIO).any())
