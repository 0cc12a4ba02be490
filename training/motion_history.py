"""Motion-history targets: an auxiliary loss at the visual tokens of a clip, about how their object has moved so far.

A question follows the images, so it can only read what visual tokens have gathered from earlier frames. The head is
not shipped. Shapes: F frames, N patches, M tokens, D language channels.
"""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.worlds import Clip
from training.worlds.facts import SEEN, UNSEEN

DISPLACEMENTS = 4  # (x, y) in the image and (x, y) relative to the background
EVENTS = 2  # entered after the first frame; was hidden since it first appeared
DISPLACEMENT_WEIGHT = 5.0  # fractions of the image are far smaller than a cross entropy


def motion_history_targets(clip: Clip) -> NDArray[np.float32]:
    """(T, objects, 6): the displacement of each object since it first appeared, in shorter sides of the image, and its
    events so far, 1 or 0. NaN before it appears, and in the clip's first frame, which has no history.
    """
    shown, gone = clip.visible >= SEEN, clip.visible <= UNSEEN
    has_appeared = np.maximum.accumulate(shown, axis=0)
    first = shown.argmax(axis=0)
    centres = (clip.full_boxes_xyxy[..., :2] + clip.full_boxes_xyxy[..., 2:]) / 2 / min(clip.height, clip.width)
    positions = np.concatenate([centres, clip.world_centers], axis=2)
    displacements = positions - positions[first, np.arange(len(clip.objects))]
    entered_late = np.broadcast_to(gone[0], shown.shape)
    was_hidden = np.maximum.accumulate(has_appeared & gone, axis=0)
    targets = np.concatenate([displacements, np.stack([entered_late, was_hidden], axis=2)], axis=2)
    targets[~has_appeared] = np.nan
    targets[0] = np.nan
    return targets.astype(np.float32)


class MotionHistoryHead(nn.Module):
    """A linear map from a hidden state of the language model to displacements and events."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, DISPLACEMENTS + EVENTS)
        nn.init.normal_(self.out.weight, std=0.02)  # first predictions near 0, or this loss dominates all others

    def forward(self, states: Tensor) -> Tensor:
        """Displacements and event logits, (M, 6), of states (M, D)."""
        predicted: Tensor = self.out(self.norm(states)).float()
        return predicted


def motion_history_loss(head: MotionHistoryHead, states: Tensor, targets: Tensor) -> tuple[Tensor, int]:
    """Sum of the losses of states (M, D) whose targets (M, 6) are known, and the number of these."""
    is_known = ~targets.isnan().any(dim=1)
    predicted, true = head(states[is_known]), targets[is_known]
    displacements = DISPLACEMENT_WEIGHT * (predicted[:, :DISPLACEMENTS] - true[:, :DISPLACEMENTS]).abs().sum()
    events = F.binary_cross_entropy_with_logits(predicted[:, DISPLACEMENTS:], true[:, DISPLACEMENTS:], reduction="sum")
    return displacements + events, len(true)
