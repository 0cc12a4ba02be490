"""What the model has seen of recent frames, so that clips which overlap are not encoded twice."""

import weakref
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vitron_ros.backends import frame_encoder
from vitron_ros.frame import Frame, Image
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VitronModel

KEPT = 64  # frames; a clip of each of eight cameras

Key = tuple[str, int, int]  # camera, stamp in ns, id of the pixels


@dataclass(frozen=True, slots=True, eq=False)
class FrameTokens:
    """One frame as the model sees it.

    Attributes:
        tokens: (K, D), for the language model.
        kept: (G, G) bool, the patches that those are; None where tokens are mixtures.
        features: of one frame, for regions and for what the frame looks like.
    """

    tokens: Tensor
    kept: NDArray[np.bool_] | None
    features: VisionFeatures

    @property
    def mean_patch(self) -> NDArray[np.float32]:
        """(C,), the mean patch."""
        return np.asarray(self.features.patches[0].mean(dim=0).float().cpu())


class CachedFrameEncoder:
    """Encodes frames and remembers the most recent. Used by one thread.

    A frame is known again by its camera, its stamp and the very array of its pixels, which is not kept alive here: a
    camera's images are large, their tokens small. Frames that nobody holds any more are forgotten first.
    """

    def __init__(
        self, model: VitronModel, kept: int = KEPT, *, backend: frame_encoder.FrameEncoder | None = None
    ) -> None:
        """
        Args:
            model: one that looks at each frame by itself, though it may have an encoder for video beside.
            kept: frames that are remembered.
            backend: what encodes them; None: the model, by torch.
        """
        self.encoded = 0  # frames, in all
        self._model, self._limit = model, kept
        self._backend = frame_encoder.TorchFrameEncoder(model) if backend is None else backend
        self._known: OrderedDict[Key, tuple[weakref.ref[Image], FrameTokens]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    @torch.inference_mode()
    def __call__(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        """Each frame as the model sees it; those that are not known yet are encoded side by side, each once."""
        found = {key: known for frame in frames if (known := self._recall(key := _key(frame), frame)) is not None}
        new = list({_key(frame): frame for frame in frames if _key(frame) not in found}.values())
        # Of several frames at once the encoder for video would make one clip.
        most = self._model.config.max_frames if self._model.video is None else 1
        for begin in range(0, len(new), most):
            batch = new[begin : begin + most]
            found |= zip(map(_key, batch), self._encode(batch), strict=True)
        for frame in frames:
            key = _key(frame)
            self._known[key] = weakref.ref(frame.rgb), found[key]
            self._known.move_to_end(key)
        if len(self._known) > self._limit:
            for key in [key for key, (pixels, _) in self._known.items() if pixels() is None]:
                del self._known[key]
        while len(self._known) > self._limit:
            self._known.popitem(last=False)
        return [found[_key(frame)] for frame in frames]

    @torch.inference_mode()
    def clip(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        """The frames of a video as the model's encoder for video sees them together; they are not remembered.

        Raises:
            ModelError: it takes another number of frames.
        """
        return self._encode(frames)

    def _recall(self, key: Key, frame: Frame) -> FrameTokens | None:
        pixels, tokens = self._known.get(key, (None, None))
        # An id is given again once its array is gone.
        return tokens if pixels is not None and pixels() is frame.rgb else None

    def _encode(self, frames: Sequence[Frame]) -> list[FrameTokens]:
        model = self._model
        encoded = self._backend.encode(model.pixels(frames), regions=True)
        visual, features = encoded.visual, encoded.features
        assert features is not None  # regions ask for them
        self.encoded += len(frames)
        grids = [None] * len(frames) if visual.indices is None else self._grids(visual.indices)
        return [
            FrameTokens(
                visual.tokens[place],
                grids[place],
                VisionFeatures(
                    patches=features.patches[place : place + 1],
                    levels=tuple(level[place : place + 1] for level in features.levels),
                ),
            )
            for place in range(len(frames))
        ]

    def _grids(self, indices: Tensor) -> list[NDArray[np.bool_]]:
        """Kept patches (T, K) as grids (G, G) bool."""
        grid = self._model.config.vision.grid
        kept = np.zeros((len(indices), grid * grid), np.bool_)
        np.put_along_axis(kept, indices.cpu().numpy(), True, axis=1)
        return list(kept.reshape(-1, grid, grid))


def _key(frame: Frame) -> Key:
    return frame.camera, frame.stamp_ns, id(frame.rgb)
