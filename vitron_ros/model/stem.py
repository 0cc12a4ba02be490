"""A convolutional stem: strided convolutions in place of CLIP's patch embedding (arXiv 2106.14881).

CLIP cuts an image into patches and maps each by one matrix. A small model with little data learns edges, colours
and shapes sooner with a few strided convolutions. Tokens and everything after them are CLIP's.
"""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from vitron_ros.errors import ConfigError

RESIDUAL_BLOCKS = 2  # at the last but one resolution


class ConvStem(nn.Module):
    """Images (T, 3, S, S) to patches (T, C, S / patch, S / patch), one halving after another.

    Raises:
        ConfigError: the patch size is no power of two of at least 4, or the width too small for it.
    """

    def __init__(self, width: int, patch_size: int) -> None:
        super().__init__()
        halvings = round(math.log2(patch_size))
        first = width >> (halvings - 1)
        if halvings < 2 or 2**halvings != patch_size or first < 1:
            raise ConfigError(
                f"stem convolutions halves the image down to patches: patch_size is a power of two from 4 up to "
                f"2 x hidden_size, not {patch_size} with {width} channels"
            )
        widths = [3, *(width >> (halvings - 1 - step) for step in range(halvings))]
        blocks: list[nn.Module] = []
        for step in range(halvings):
            blocks.append(ConvBlock(widths[step], widths[step + 1], stride=2))
            if step == halvings - 2:
                blocks += [Residual(widths[step + 1]) for _ in range(RESIDUAL_BLOCKS)]
        self.blocks = nn.Sequential(*blocks)
        self.out = nn.Conv2d(width, width, 1)

    @property
    def weight(self) -> Tensor:
        """CLIP's embeddings ask their patch layer's weight for its dtype."""
        return self.out.weight

    def forward(self, pixels: Tensor) -> Tensor:
        return self.out(self.blocks(pixels))  # type: ignore[no-any-return]


class ConvBlock(nn.Module):
    """A 3 x 3 convolution, a batch norm and a rectifier."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.norm.num_batches_tracked = None  # a count that nobody reads, and no checkpoint holds

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class Residual(nn.Module):
    """Two blocks beside a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(ConvBlock(width, width), ConvBlock(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.blocks(x)  # type: ignore[no-any-return]
