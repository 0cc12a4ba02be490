"""Dense targets: what every patch shows, and which patches the token selector should select. The head is not shipped.

Shapes: F frames, N patches, C channels.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.motion_history import DISPLACEMENTS, EVENTS, motion_history_targets
from training.worlds import Clip
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES

MIN_OBJECT_SHARE = 0.15  # of a patch; one that an object covers less is ignored: neither object nor background
IGNORE = -100
ATTRIBUTES = {"colour": COLOURS, "shape": SHAPES, "pattern": PATTERNS, "size": SIZES}
OUTPUT_WIDTHS = (1, 4, *map(len, ATTRIBUTES.values()))
RANKED_PATCHES = 6  # patches of an object that have a gate target
BOX_WEIGHT = 5.0  # fractions of the image are far smaller than a cross entropy


@dataclass(frozen=True, eq=False)
class DenseTargets:
    """What the patches of F frames show.

    Attributes:
        objectness: (F, N) int64, 1 object, 0 background, -100 neither.
        boxes: (F, N, 4) float32, the visible box of the patch's object in fractions; 0 where there is none.
        attributes: (F, N, 4) int64, colour, shape, pattern and size; -100 where there is no object.
        gate_targets: (F, N) float32, 1 for the patch that shows most of an object, 1/2 for the second, and so on: what
            the gate of a token selector should select.
        object_ids: (F, N) int64, the object of the clip that the patch shows; -100 where there is none.
        motion_history: (F, N, 6) float32, `motion_history_targets` of the patch's object; NaN where there is none.
    """

    objectness: Tensor
    boxes: Tensor
    attributes: Tensor
    gate_targets: Tensor
    object_ids: Tensor
    motion_history: Tensor

    def to(self, device: torch.device) -> "DenseTargets":
        return DenseTargets(*(value.to(device, non_blocking=True) for value in vars(self).values()))


def unknown_targets(frames: int, patches: int) -> DenseTargets:
    """The targets of frames of which nothing is known."""
    unknown = torch.full((frames, patches), IGNORE)
    return DenseTargets(
        objectness=unknown,
        boxes=torch.zeros(frames, patches, 4),
        attributes=unknown[..., None].expand(-1, -1, len(ATTRIBUTES)),
        gate_targets=torch.zeros(frames, patches),
        object_ids=unknown,
        motion_history=torch.full((frames, patches, DISPLACEMENTS + EVENTS), math.nan),
    )


def patch_shares(clip: Clip, grid: int) -> NDArray[np.float32]:
    """The share of each patch that each object covers: (T, objects, N), N in raster order."""
    frames, height, width = clip.instances.shape
    rows = np.arange(height) * grid // height
    cells = rows[:, None] * grid + np.arange(width) * grid // width
    count, objects = grid * grid, len(clip.objects)
    keys = (np.arange(frames)[:, None, None] * (objects + 1) + clip.instances) * count + cells
    pixels = np.bincount(keys.ravel(), minlength=frames * (objects + 1) * count).reshape(frames, objects + 1, count)
    return (pixels[:, 1:] / np.bincount(cells.ravel(), minlength=count)).astype(np.float32)


def dense_targets(clip: Clip, shares: NDArray[np.float32]) -> DenseTargets:
    """Targets of every frame of a clip. A patch belongs to the object that covers most of it; every visible object
    has at least the patch that it covers most, unless another covers more of that one."""
    object_id = shares.argmax(axis=1)  # (T, N)
    share = shares.max(axis=1)
    objectness = np.where(share >= MIN_OBJECT_SHARE, 1, np.where(share == 0, 0, IGNORE))
    order = np.argsort(-shares, axis=2, kind="stable")  # (T, objects, N)
    best = order[:, :, 0]
    gate_targets = np.zeros_like(share)
    for rank in range(min(RANKED_PATCHES, shares.shape[2])):
        patch = order[:, :, rank]
        value = np.where(np.take_along_axis(shares, patch[..., None], 2)[..., 0] > 0, 0.5**rank, 0.0)
        for object_ in range(shares.shape[1]):
            frames = np.arange(len(shares))
            gate_targets[frames, patch[:, object_]] = np.maximum(
                gate_targets[frames, patch[:, object_]], value[:, object_]
            )
    for frame, object_ in zip(*np.nonzero(shares.max(axis=2) > 0), strict=True):
        patch = best[frame, object_]
        if object_id[frame, patch] == object_:
            objectness[frame, patch] = 1
    is_object = objectness == 1
    names = np.array(
        [[names.index(getattr(spec, key)) for key, names in ATTRIBUTES.items()] for spec in clip.objects], np.int64
    )
    boxes = np.nan_to_num(clip.boxes_xyxy / [clip.width, clip.height, clip.width, clip.height])
    boxes = np.take_along_axis(boxes, object_id[..., None], axis=1)
    motion_history = np.take_along_axis(motion_history_targets(clip), object_id[..., None], axis=1)
    return DenseTargets(
        torch.from_numpy(objectness.astype(np.int64)),
        torch.from_numpy(np.where(is_object[..., None], boxes, 0.0).astype(np.float32)),
        torch.from_numpy(np.where(is_object[..., None], names[object_id], IGNORE)),
        torch.from_numpy(gate_targets.astype(np.float32)),
        torch.from_numpy(np.where(is_object, object_id, IGNORE)),
        torch.from_numpy(np.where(is_object[..., None], motion_history, np.float32(np.nan))),
    )


class DenseHead(nn.Module):
    """A linear map from a patch's features to objectness, box and attributes."""

    def __init__(self, width: int, grid: int) -> None:
        super().__init__()
        self.grid = grid
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, sum(OUTPUT_WIDTHS))
        nn.init.normal_(self.out.weight, std=0.02)  # first boxes at their patches, or the box loss dominates all others

    def forward(self, patches: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Of patches (F, N, C): objectness logits (F, N), boxes (F, N, 4) in fractions, logits of each attribute."""
        objectness, offsets, *attributes = self.out(self.norm(patches)).float().split(OUTPUT_WIDTHS, dim=-1)
        cells = torch.arange(self.grid, device=patches.device)
        centres = (torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1).reshape(-1, 2) + 0.5) / self.grid
        return objectness.squeeze(-1), offsets + centres.repeat(1, 2), tuple(attributes)


def dense_loss(head: DenseHead, patches: Tensor, targets: DenseTargets) -> dict[str, Tensor]:
    """The mean loss of each target, by name, and their sum as `dense`."""
    objectness, boxes, attributes = head(patches)
    known, is_object = targets.objectness != IGNORE, targets.objectness == 1
    losses = {
        "objectness": F.binary_cross_entropy_with_logits(objectness[known], targets.objectness[known].float()),
        "box": BOX_WEIGHT * (boxes[is_object] - targets.boxes[is_object]).abs().sum() / is_object.sum().clamp(min=1),
    }
    for index, (name, logits) in enumerate(zip(ATTRIBUTES, attributes, strict=True)):
        true = targets.attributes[..., index][is_object]
        losses[name] = F.cross_entropy(logits[is_object], true, reduction="sum") / is_object.sum().clamp(min=1)
    return losses | {"dense": torch.stack(list(losses.values())).sum()}


def gate_loss(log_p: Tensor, gate_targets: Tensor) -> Tensor:
    """Mean cross entropy of a gate's log probabilities (F, N) against gate targets (F, N)."""
    target = gate_targets / gate_targets.sum(dim=1, keepdim=True).clamp(min=1e-6)
    return -(target * log_p).sum(dim=1).mean()
