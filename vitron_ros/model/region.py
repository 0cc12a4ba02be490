"""Region encoders: a marked region of a frame to tokens of the language model.

Shapes: R regions, T frames, N patches, C vision channels, D language channels, S px of the model's square.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitron_ros.boxes import Boxes, norm_from_xyxy
from vitron_ros.errors import ModelError
from vitron_ros.model.config import ModelConfig, VisionConfig
from vitron_ros.model.preprocess import mask_from_region
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.region import Region


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedRegion:
    """A region on one frame of a clip.

    Attributes:
        region: what was drawn, in pixels of the camera image.
        width, height: px, of that image.
        frame: its place in the clip, from 0.
    """

    region: Region
    width: int
    height: int
    frame: int = 0


class RegionEncoder(Protocol):
    """Turns regions into tokens.

    Attributes:
        levels: the hidden states of the vision encoder that it needs, 1 is the first layer's.
        tokens_per_region: tokens of one region.
    """

    levels: tuple[int, ...]
    tokens_per_region: int

    def __call__(self, features: VisionFeatures, regions: Sequence[MarkedRegion]) -> Tensor:
        """Tokens (R, tokens_per_region, D).

        Raises:
            RegionError: a region marks nothing that the model sees.
            ModelError: a region lies on a frame that the features do not have.
        """
        ...


class MultiLevelRegionEncoder(nn.Module):
    """Two tokens a region: appearance (`looks`) and location (`place`).

    Appearance: the patches of several layers, averaged with the share of each patch that the mask covers, after Osprey
    (arXiv 2312.10032), which VITRON follows. Location: the box in fractions of the image, and the mask made small.
    """

    tokens_per_region = 2

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.vision, self.mask_size, self.levels = config.vision, config.region.mask_size, config.region_levels
        width, out = config.vision.hidden_size, config.language.hidden_size
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in self.levels)
        self.looks = nn.Sequential(nn.Linear(len(self.levels) * width, out), nn.GELU(), nn.Linear(out, out))
        self.place = nn.Sequential(nn.Linear(4 + self.mask_size**2, out), nn.GELU(), nn.Linear(out, out))

    def forward(self, features: VisionFeatures, regions: Sequence[MarkedRegion]) -> Tensor:
        frames = torch.tensor(frame_index(features, regions), device=features.patches.device)
        masks = torch.stack([mask_from_region(r.region, r.width, r.height, self.vision) for r in regions])
        boxes = np.stack([norm_from_xyxy(r.region.bounding_box(r.width, r.height), r.width, r.height) for r in regions])
        return self.encode(frames, masks, torch.from_numpy(boxes).float(), features.levels)

    def encode(self, frames: Tensor, masks: Tensor, boxes: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Tokens (R, 2, D): the part that is arithmetic alone, and can be exported.

        Args:
            frames: (R,) int64.
            masks: (R, S, S) float32, the share of each model pixel.
            boxes: (R, 4) float32, fractions of the image.
            levels: each (T, N, C).
        """
        masks = masks[:, None]
        share = F.normalize(F.avg_pool2d(masks, self.vision.patch_size).flatten(1), p=1, dim=1)  # (R, N)
        small = F.adaptive_avg_pool2d(masks, self.mask_size).flatten(1)
        small = small / small.amax(dim=1, keepdim=True)  # a click covers little of any cell, and is still a mask
        share = share.to(levels[0])
        pooled = [
            (share[:, None] @ norm(level[frames])).squeeze(1)  # (R, C)
            for norm, level in zip(self.norms, levels, strict=True)
        ]
        place = torch.cat([boxes, small], dim=1).to(levels[0])
        return torch.stack([self.looks(torch.cat(pooled, dim=1)), self.place(place)], dim=1)


class PublishedRegionEncoder(nn.Module):
    """VITRON's region extractor as its code was released, weights and all: one token a region.

    The region is reduced to its box, in pixels of the model's square as if the image had been stretched to it. The
    patches whose centre the box covers are averaged; three linear layers with ReLU between give its appearance,
    two over the raw box its location, and their sum is the token.

    Args:
        transposed: fill the box with x and y exchanged, as the released code does and its weights have learned.
    """

    levels: tuple[int, ...] = ()
    tokens_per_region = 1

    def __init__(self, vision: VisionConfig, out: int, *, transposed: bool) -> None:
        super().__init__()
        self.vision, self.transposed = vision, transposed
        self.looks = nn.Sequential(
            nn.Linear(vision.hidden_size, out), nn.ReLU(), nn.Linear(out, out), nn.ReLU(), nn.Linear(out, out)
        )
        self.place = nn.Sequential(nn.Linear(4, out // 2), nn.ReLU(), nn.Linear(out // 2, out))

    def forward(self, features: VisionFeatures, regions: Sequence[MarkedRegion]) -> Tensor:
        frames = frame_index(features, regions)
        boxes = np.stack([self._on_square(region) for region in regions])
        inside = torch.stack([self._patches_inside(box) for box in boxes.astype(int).tolist()]).to(features.patches)
        index = torch.tensor(frames, device=inside.device)
        return self.encode(index, inside, torch.from_numpy(boxes).to(inside), features.patches)

    def encode(self, frames: Tensor, inside: Tensor, boxes: Tensor, patches: Tensor) -> Tensor:
        """Tokens (R, 1, D): the part that is arithmetic alone, and can be exported.

        Args:
            frames: (R,) int64.
            inside: (R, N), 1 for each patch in the region's box.
            boxes: (R, 4) px of the model's square.
            patches: (T, N, C).
        """
        # The released code divides by the count + 1e-8, which is 0 in half precision where no patch is inside.
        pooled = (inside[:, None] @ patches[frames]).squeeze(1) / inside.sum(dim=1, keepdim=True).clamp(min=1)
        tokens: Tensor = self.looks(pooled) + self.place(boxes)
        return tokens[:, None]

    def _on_square(self, marked: MarkedRegion) -> Boxes:
        """The box of a region, (4,) float64 px of the model's square, in the released code's order of operations."""
        scale = self.vision.image_size / np.array([marked.width, marked.height] * 2)
        return np.asarray(marked.region.bounding_box(marked.width, marked.height) * scale)

    def _patches_inside(self, box_xyxy: list[int]) -> Tensor:
        """Patches whose centre lies in a box of whole pixels, (N,) bool; a small box may have none."""
        size, grid = self.vision.image_size, self.vision.grid
        x_min, y_min, x_max, y_max = box_xyxy
        mask = torch.zeros(size, size)
        if self.transposed:
            mask[x_min:x_max, y_min:y_max] = 1
        else:
            mask[y_min:y_max, x_min:x_max] = 1
        return F.interpolate(mask[None, None], (grid, grid), mode="bilinear", align_corners=False).flatten() > 0


def frame_index(features: VisionFeatures, regions: Sequence[MarkedRegion]) -> list[int]:
    """The frame of each region.

    Raises:
        ModelError: there is no region, or one lies on a frame that is not there.
    """
    if not regions:
        raise ModelError("there are no regions; give at least one")
    frames, count = [marked.frame for marked in regions], len(features.patches)
    if not all(0 <= frame < count for frame in frames):
        raise ModelError(f"regions lie on frames {frames}, but the clip has frames 0 to {count - 1}")
    return frames


def build_region_encoder(config: ModelConfig) -> RegionEncoder | None:
    """The region encoder that a config asks for, an nn.Module; None: this model takes no regions."""
    if config.region.kind == "none":
        return None
    if config.region.kind == "published":
        transposed = config.region.transposed
        return PublishedRegionEncoder(config.vision, config.language.hidden_size, transposed=transposed)
    return MultiLevelRegionEncoder(config)
