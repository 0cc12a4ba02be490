"""Makes torchvision's wheel from PyPI usable beside a torch for the CPU alone, whose operators it cannot load.

For tests only: they see that models load with torchvision as without it. Import this before transformers.
"""

import sys

import torch


def nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """Indices of the boxes (N, 4) that no better one overlaps, best first."""
    kept: list[int] = []
    low, high = boxes[:, :2], boxes[:, 2:]
    area = (high - low).prod(dim=1)
    for index in scores.argsort(descending=True).tolist():
        inside = (torch.minimum(high, high[index]) - torch.maximum(low, low[index])).clamp(min=0).prod(dim=1)
        if not any(inside[other] > threshold * (area[other] + area[index] - inside[other]) for other in kept):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long)


def forget_torchvision() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]


try:
    import torchvision
except RuntimeError:  # its operators are not there
    forget_torchvision()
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    import torchvision
    import torchvision.extension

    torchvision.extension._has_ops = lambda: True
    torchvision.extension._assert_has_ops = lambda: None
