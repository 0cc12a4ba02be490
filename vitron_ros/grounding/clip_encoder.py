"""Clips of requests as the model sees them: the frames that it is shown, encoded, and whether they look strange."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from vitron_ros.backends.frame_encoder import FrameEncoder
from vitron_ros.frame import Frame
from vitron_ros.grounding.frame_tokens import CachedFrameEncoder, FrameTokens
from vitron_ros.grounding.out_of_distribution import FirstFrames, OutOfDistributionDetector
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.model.vitron import VitronModel

logger = logging.getLogger(__name__)


class ClipEncoder:
    """Of one model. Used by one thread.

    Attributes:
        frames: what encodes single frames and remembers them.
        is_out_of_distribution: a camera showed what looks unlike all that the model was trained on. It is logged once.

    Args:
        backend: what encodes frames; None: the model, by torch.
        ood_detector: how the footage looked that the model was trained on; None: like any.
    """

    def __init__(
        self,
        model: VitronModel,
        *,
        backend: FrameEncoder | None = None,
        ood_detector: OutOfDistributionDetector | None = None,
    ) -> None:
        self.frames = CachedFrameEncoder(model, backend=backend)
        self.is_out_of_distribution = False
        self._name = model.config.name
        self._sees_newest_only = model.video is not None
        # An encoder for video sees so many frames as one clip, of which nothing is asked but questions in words.
        self._video_frames = 0 if model.config.video is None else model.config.video.time_frames
        self._first_frames = FirstFrames(ood_detector)

    def shown(self, request: ModelRequest) -> ModelRequest:
        """The request with the frames that the model is shown of it.

        Of a model with an encoder for video: the newest, or of a question about a clip as many as that encoder takes,
        evenly over the clip as VITRON's code samples them.
        """
        count = len(request.frames)
        if not self._sees_newest_only or count <= 1:
            return request
        if request.task is not Task.ASK or not self._video_frames:
            return replace(request, frames=request.frames[-1:])
        places = np.linspace(0, count - 1, self._video_frames, dtype=int)
        return replace(request, frames=tuple(request.frames[place] for place in places))

    def __call__(self, requests: Sequence[ModelRequest]) -> list[list[FrameTokens]]:
        """The clip of each request; frames that are seen one by one are encoded together."""
        if self._sees_newest_only:
            return [
                self.frames.clip(request.frames) if len(request.frames) > 1 else self.frames(request.frames)
                for request in requests
            ]
        frames = [frame for request in requests for frame in request.frames]
        encoded = self.frames(frames)
        self._check_distribution(frames, encoded)
        rest = iter(encoded)
        return [list(islice(rest, len(request.frames))) for request in requests]

    def _check_distribution(self, frames: Sequence[Frame], encoded: Sequence[FrameTokens]) -> None:
        """Warns once where a camera's first frames look unlike all that the model was trained on."""
        for frame, one in zip(frames, encoded, strict=True):
            if self._first_frames.wants(frame):
                self._first_frames.add(frame, one.mean_patch)
        if self._first_frames.are_out_of_distribution and not self.is_out_of_distribution:
            self.is_out_of_distribution = True
            logger.warning(
                "this footage looks unlike all that %s was trained on; expect wrong answers, or use another model",
                self._name,
            )
