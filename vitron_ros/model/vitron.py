"""The model: frames, regions and text in, logits out. One class for VITRON and Elysium; its config says which.

    pixels -> VisionEncoder -> TokenSelector -> Projector -> visual tokens -+
                   |-> RegionEncoder -> region tokens ----------------------+-> splice -> LanguageModel
    prompt -> text embeddings ----------------------------------------------+

Shapes: T frames, K tokens a frame, R regions, S tokens of a prompt, D language channels, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame, Image
from vitron_ros.model.config import ModelConfig
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.preprocess import pixels_from_images
from vitron_ros.model.projector import build_projector
from vitron_ros.model.prompts import ImageSegment, Prompt, RegionSegment, TextSegment
from vitron_ros.model.region import MarkedRegion, RegionEncoder, build_region_encoder
from vitron_ros.model.token_selector import TokenSelector, build_selector
from vitron_ros.model.vision import VisionEncoder, VisionFeatures


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """The visual tokens of a clip.

    Attributes:
        tokens: (T, K, D); (1, K, D) where video is averaged over time.
        indices: (T, K) int64, the selected patches of each frame, in raster order; None where tokens are mixtures.
    """

    tokens: Tensor
    indices: Tensor | None


class VitronModel(nn.Module):
    """A vision language model built from its config, with random weights; `from_pretrained` loads trained ones.

    features = model.features(model.pixels(frames))       # the costly part, once a frame
    visual = model.visual_tokens(features).tokens
    regions = model.region_tokens(features, [MarkedRegion(region=region, width=640, height=480)])
    embeds = model.splice(prompt, visual, regions)         # for model.language
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.vision = VisionEncoder(config.vision)
        self.video = VisionEncoder(config.video) if config.video else None
        # Protocols do not say so, but every one of them is a module.
        self.selector = cast(nn.Module, build_selector(config))
        self.projector = build_projector(config)
        self.region = cast("nn.Module | None", build_region_encoder(config))
        self.language = LanguageModel(config.language)

    @property
    def device(self) -> torch.device:
        return self.language.device

    @property
    def dtype(self) -> torch.dtype:
        return self.language.dtype

    def pixels(self, images: Sequence[Frame | Image]) -> Tensor:
        """Frames of any sizes, ready for the vision encoder: (T, 3, S, S) float32 on the model's device.

        Raises:
            ModelError: there are none, or more than the config allows, or one is not (H, W, 3) uint8.
        """
        self._check_count(len(images))
        return pixels_from_images(images, self.config.vision).to(self.device)

    def features(self, pixels: Tensor) -> VisionFeatures:
        """Vision features of prepared frames (T, 3, S, S): what the selector and the region encoder need.

        Raises:
            ModelError: no frames, more than the config allows, or of the wrong size.
        """
        frames = pixels.shape[0]  # not len(): that would fix the number in an exported graph
        self._check_count(frames)
        encoder = self.video if self.video is not None and frames > 1 else self.vision
        levels = () if self.region is None else cast(RegionEncoder, self.region).levels
        selector = cast(TokenSelector, self.selector)
        features: VisionFeatures = encoder(pixels, levels=levels, attention=selector.needs_attention)
        return features

    def visual_tokens(self, features: VisionFeatures) -> VisualTokens:
        """The selected and projected tokens of each frame, or of the clip where video is averaged over time."""
        if self.config.temporal == "average":
            features = replace(
                features,
                patches=features.patches.mean(dim=0, keepdim=True),
                attention=None if features.attention is None else features.attention.mean(dim=0, keepdim=True),
            )
        selected = self.selector(features.patches, features.attention)
        return VisualTokens(self.projector(selected.tokens).to(self.dtype), selected.indices)

    def encode_frames(self, pixels: Tensor) -> Tensor:
        """Visual tokens (T, K, D) of prepared frames (T, 3, S, S): `features` and `visual_tokens` in one."""
        return self.visual_tokens(self.features(pixels)).tokens

    def region_tokens(self, features: VisionFeatures, regions: Sequence[MarkedRegion]) -> Tensor:
        """Tokens (R, tokens a region, D) of regions on frames of a clip.

        Raises:
            ModelError: the model takes no regions, or one lies on a frame that is not there.
            RegionError: a region marks nothing that the model sees.
        """
        if self.region is None:
            raise ModelError(f"the model {self.config.name} takes no regions; give the box as text in the prompt")
        tokens: Tensor = self.region(features, regions)
        return tokens.to(self.dtype)

    def splice(self, prompt: Prompt, visual: Tensor | None = None, regions: Tensor | None = None) -> Tensor:
        """Embeddings (S, D) of a prompt: its text, and in their places the tokens of its images and regions.

        Args:
            visual: (images, K, D) from `visual_tokens`; None: the prompt has no images.
            regions: (R, tokens a region, D) from `region_tokens`; None: the prompt has no regions.

        Raises:
            ModelError: the prompt is empty, names an image or region that is not there, or exceeds the context.
        """
        parts = []
        for segment in prompt.segments:
            if isinstance(segment, TextSegment):
                ids = torch.tensor(segment.token_ids, dtype=torch.long, device=self.device)
                parts.append(self.language.embed(ids[None])[0])
            elif isinstance(segment, ImageSegment):
                parts.append(_pick(visual, segment.index, "image"))
            elif isinstance(segment, RegionSegment):
                parts.append(_pick(regions, segment.index, "region"))
        length, limit = sum(map(len, parts)), self.config.language.max_positions
        if not length:
            raise ModelError("the prompt is empty; give it text or an image")
        if length > limit:
            frames = sum(isinstance(segment, ImageSegment) for segment in prompt.segments)
            raise ModelError(
                f"a prompt of {length} tokens with {frames} images of {self.config.tokens_per_frame} exceeds the "
                f"context of {limit}; give fewer frames or shorter text"
            )
        return torch.cat(parts)

    def forward(self, prompt: Prompt, pixels: Tensor | None = None, regions: Sequence[MarkedRegion] = ()) -> Tensor:
        """Logits (S, V) after every token of one prompt; its images are the frames of pixels (T, 3, S, S)."""
        if pixels is None:
            return cast(Tensor, self.language(self.splice(prompt)[None]))[0]
        features = self.features(pixels)
        marked = self.region_tokens(features, regions) if regions else None
        embeds = self.splice(prompt, self.visual_tokens(features).tokens, marked)
        return cast(Tensor, self.language(embeds[None]))[0]

    def _check_count(self, frames: int) -> None:
        if frames == 0:
            raise ModelError("there are no frames; give at least one")
        if frames > self.config.max_frames:
            raise ModelError(
                f"{frames} frames are more than the {self.config.max_frames} that this model takes at once; "
                "sample fewer or split the clip"
            )


def build_empty(config: ModelConfig) -> VitronModel:
    """The model on the meta device: every shape, no memory."""
    with torch.device("meta"):
        return VitronModel(config)


def _pick(tokens: Tensor | None, index: int, what: str) -> Tensor:
    count = 0 if tokens is None else len(tokens)
    if tokens is None or not 0 <= index < count:
        raise ModelError(f"the prompt names {what} {index}, but there are {count} {what}s, counted from 0")
    return tokens[index]
