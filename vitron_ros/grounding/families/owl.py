"""OWL-ViT (arXiv 2205.06230) and OWLv2 (arXiv 2306.09683): boxes for short labels.

A phrase is read to its 16th token, and as a whole: one that singles out a thing by its neighbours is not understood.

Shapes: B requests, Q patches, one box each.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from vitron_ros.config import ModelRun
from vitron_ros.grounding.families.detections import Detections, fitting
from vitron_ros.grounding.families.detector import Detector, load_detector
from vitron_ros.grounding.families.detector_images import pixel_boxes, prepared

MIN_SCORE = 0.1  # of transformers' examples


class Owl:
    """One network of the family."""

    min_score = MIN_SCORE

    def __init__(self, model: Any, images: Any, tokenizer: Any) -> None:
        self._model, self._images, self._tokenizer = model, images, tokenizer
        self._most_tokens = model.config.text_config.max_position_embeddings
        self._is_padded = model.config.model_type == "owlv2"  # to a square, at its right or lower edge

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> Detector:
        """The detector in a directory; see `Family`."""
        return load_detector(cls, Path(source), run)

    def worded(self, phrase: str) -> tuple[str, str]:
        """The phrase, of 16 tokens at most."""
        return fitting(phrase, lambda text: len(self._tokenizer(text, verbose=False)["input_ids"]), self._most_tokens)

    @torch.inference_mode()
    def detect(self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]) -> list[Detections]:
        """The boxes of all patches for each image and its text."""
        device = self._model.device
        words = self._tokenizer(list(texts), padding="max_length", max_length=self._most_tokens, return_tensors="pt")
        pixels = prepared(self._images, images, device, self._model.dtype)
        out = self._model(**pixels, **words.to(device))
        height, width = images[0].shape[:2]
        if self._is_padded:
            width = height = max(width, height)
        return pixel_boxes(out.pred_boxes, out.logits[..., 0].float().sigmoid(), (width, height))
