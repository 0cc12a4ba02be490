"""What lies behind an object in a clip, told at the visual tokens that show it.

A question stands behind the images, so what a visual token has gathered of the frames before is all that a question
about motion can look up. The head that asks for it is thrown away. Shapes: F frames, N patches, M tokens, D language
channels.
"""

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from training.worlds import Clip
from training.worlds.facts import SEEN, UNSEEN

WAYS = 4  # (x, y) in the picture and (x, y) against the background
EVENTS = 2  # came later than the first frame; was hidden since it was first seen
WAY_WEIGHT = 5.0  # ways are fractions of the image, far below a cross entropy


def pasts_of(clip: Clip) -> NDArray[np.float32]:
    """(T, objects, 6) of every frame: the ways since an object was first seen, in shorter sides of the image, and what
    happened until then, 1 or 0. NaN before that, and in the clip's first frame, which has no past.
    """
    shown, gone = clip.visible >= SEEN, clip.visible <= UNSEEN
    has_come = np.maximum.accumulate(shown, axis=0)
    first = shown.argmax(axis=0)
    centres = (clip.full_boxes_xyxy[..., :2] + clip.full_boxes_xyxy[..., 2:]) / 2 / min(clip.height, clip.width)
    places = np.concatenate([centres, clip.world_centers], axis=2)
    ways = places - places[first, np.arange(len(clip.objects))]
    came_late = np.broadcast_to(gone[0], shown.shape)
    was_hidden = np.maximum.accumulate(has_come & gone, axis=0)
    pasts = np.concatenate([ways, np.stack([came_late, was_hidden], axis=2)], axis=2)
    pasts[~has_come] = np.nan
    pasts[0] = np.nan
    return pasts.astype(np.float32)


class MotionHistoryHead(nn.Module):
    """One linear map from a state of the language model to all that is asked of it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, WAYS + EVENTS)
        nn.init.normal_(self.out.weight, std=0.02)  # first guesses are near none; else their loss drowns all others

    def forward(self, states: Tensor) -> Tensor:
        """Ways and logits of events, (M, 6), of states (M, D)."""
        asked: Tensor = self.out(self.norm(states)).float()
        return asked


def past_loss(head: MotionHistoryHead, states: Tensor, pasts: Tensor) -> tuple[Tensor, int]:
    """Sum of the losses of states (M, D) whose pasts (M, 6) are known, and the number of these."""
    is_known = ~pasts.isnan().any(dim=1)
    told, true = head(states[is_known]), pasts[is_known]
    ways = WAY_WEIGHT * (told[:, :WAYS] - true[:, :WAYS]).abs().sum()
    events = F.binary_cross_entropy_with_logits(told[:, WAYS:], true[:, WAYS:], reduction="sum")
    return ways + events, len(true)
