"""What the vision encoder has seen of recent frames, so that clips which overlap are not encoded twice."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.frame import Frame
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VitronModel

KEPT = 64  # frames; a clip of each of eight targets


@dataclass(frozen=True, slots=True, eq=False)
class FrameTokens:
    """One frame as the model sees it.

    Attributes:
        frame: the frame itself; while it is held here, no other object can be taken for it.
        tokens: (K, D), for the language model.
        kept: (G, G) bool, the patches that those are; None where tokens are mixtures.
        features: of one frame, for regions and for what the frame looks like.
    """

    frame: Frame
    tokens: Tensor
    kept: NDArray[np.bool_] | None
    features: VisionFeatures

    @property
    def look(self) -> NDArray[np.float32]:
        """(C,), the mean patch."""
        return np.asarray(self.features.patches[0].mean(dim=0).float().cpu())


class FrameEncoder:
    """Encodes frames and keeps the most recent. A frame is known by the object that it is."""

    def __init__(self, model: VitronModel, kept: int = KEPT) -> None:
        self.encoded = 0  # frames, in all
        self._model, self._limit = model, kept
        self._known: OrderedDict[int, FrameTokens] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        """Each frame as the model sees it; those that are not known yet are encoded side by side.

        Raises:
            ModelError: a frame is no image that the model takes.
        """
        found = {id(frame): self._known[id(frame)] for frame in frames if id(frame) in self._known}
        new = list({id(frame): frame for frame in frames if id(frame) not in found}.values())
        for begin in range(0, len(new), self._model.config.max_frames):
            for one in self._encode(new[begin : begin + self._model.config.max_frames]):
                found[id(one.frame)] = one
        for key, one in found.items():
            self._known[key] = one
            self._known.move_to_end(key)
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
        return [found[id(frame)] for frame in frames]

    def _encode(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        model = self._model
        features = model.features(model.pixels(frames))
        visual = model.visual_tokens(features)
        self.encoded += len(frames)
        return [
            FrameTokens(
                frame,
                visual.tokens[place],
                None if visual.indices is None else self._grid(visual.indices[place]),
                VisionFeatures(
                    patches=features.patches[place : place + 1],
                    levels=tuple(level[place : place + 1] for level in features.levels),
                ),
            )
            for place, frame in enumerate(frames)
        ]

    def _grid(self, indices: Tensor) -> NDArray[np.bool_]:
        grid = self._model.config.vision.grid
        kept = np.zeros(grid * grid, bool)
        kept[indices.cpu().numpy()] = True
        return kept.reshape(grid, grid)
