"""Grounding DINO (arXiv 2303.05499), MM-Grounding-DINO (arXiv 2401.02361) and LLMDet (arXiv 2501.18954).

They are built alike and read sentences. A phrase is one, ended by a full stop, and a box's score is its similarity to
the word of the phrase that it is most like: so the authors rank boxes for referring expressions. Split into its nouns,
"the man in the blue coat" would give coats, too.

Shapes: B requests, S text tokens, Q queries.
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

END = "."
MIN_SCORES = {"grounding-dino": 0.35, "mm-grounding-dino": 0.4}
"""By model_type, the cut-offs of the authors' demonstrations and of transformers' examples."""


class GroundingDino:
    """One network of the family."""

    def __init__(self, model: Any, images: Any, tokenizer: Any) -> None:
        self.min_score = MIN_SCORES[model.config.model_type]
        self._model, self._images, self._tokenizer = model, images, tokenizer
        special = (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
        self._no_words = torch.tensor([*special, tokenizer.convert_tokens_to_ids(END)], device=model.device)

    @classmethod
    def load(cls, source: str | Path, run: ModelRun) -> Detector:
        """The detector in a directory; see `Family`."""
        return load_detector(cls, Path(source), run)

    def worded(self, phrase: str) -> tuple[str, str]:
        """The phrase as a sentence, of 256 tokens at most."""
        text, left_out = fitting(phrase, self._count, self._model.config.max_text_len)
        return f"{text}{END}", left_out

    def _count(self, text: str) -> int:
        return len(self._tokenizer(f"{text}{END}", verbose=False)["input_ids"])

    @torch.inference_mode()
    def detect(self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]) -> list[Detections]:
        """The boxes of all queries for each image and its text."""
        device = self._model.device
        words = self._tokenizer(list(texts), padding=True, return_tensors="pt").to(device)
        pixels = prepared(self._images, images, device, self._model.dtype)
        out = self._model(**pixels, **words)
        ids = words["input_ids"]
        is_word = ~torch.isin(ids, self._no_words)  # (B, S)
        alike = out.logits[..., : ids.shape[1]].float().sigmoid()  # (B, Q, S)
        scores = alike.masked_fill(~is_word[:, None], 0).amax(dim=-1)  # (B, Q)
        height, width = images[0].shape[:2]
        return pixel_boxes(out.pred_boxes, scores, (width, height))
