"""Visual-token loss: box and attributes of a visual token, predicted in the language model's embedding space.

It aligns the projector's output with the embeddings before the language model has seen a sentence; then a phrase finds
its visual token by a dot product, and a coordinate is copied rather than computed. The head is not shipped.

Shapes: M tokens, D language channels, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.dense import ATTRIBUTES, IGNORE, DenseTargets
from training.losses import NUMBERS
from vitron_ros.model.tokenizer import Tokenizer

COORDINATES = 4


class VisualTokenHead(nn.Module):
    """A linear map into the embedding space for each coordinate of a box and each attribute."""

    def __init__(self, width: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, (COORDINATES + len(ATTRIBUTES)) * width)
        words = [[tokenizer.encode(f" {name}")[0] for name in names] for names in ATTRIBUTES.values()]
        self.words = [torch.tensor(ids) for ids in words]

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Of tokens (M, D): queries into the embeddings, (M, 4, D) for the box and (M, 4, D) for the attributes."""
        queries = self.out(self.norm(tokens)).unflatten(-1, (-1, tokens.shape[-1]))
        return queries[:, :COORDINATES], queries[:, COORDINATES:]


def visual_token_loss(
    head: VisualTokenHead,
    tokens: Tensor,
    indices: Tensor,
    targets: DenseTargets,
    embeddings: Tensor,
    number_ids: Tensor,
    soft: Tensor,
) -> Tensor:
    """Mean loss of the selected tokens (F, K, D) of patches `indices` (F, K) that show an object.

    Args:
        embeddings: (V, D), the language model's output embeddings.
        number_ids: (101,) int64, the token of each number.
        soft: (101, 101) from `soft_coordinates`.
    """
    is_object = targets.objectness.gather(1, indices) == 1
    boxes = targets.boxes.gather(1, indices[..., None].expand(-1, -1, 4))[is_object]
    attributes = targets.attributes.gather(1, indices[..., None].expand(-1, -1, len(ATTRIBUTES)))[is_object]
    numbers = (boxes * (NUMBERS - 1)).round().long().clamp(0, NUMBERS - 1)  # (M, 4)
    coordinates, words = head(tokens[is_object])
    count = max(1, len(coordinates))
    logits = coordinates.float() @ embeddings[number_ids].float().T
    loss: Tensor = -(soft[numbers] * logits.log_softmax(-1)).sum() / (COORDINATES * count)
    for index, ids in enumerate(head.words):
        logits = words[:, index].float() @ embeddings[ids.to(tokens.device)].float().T
        loss = loss + F.cross_entropy(logits, attributes[:, index], reduction="sum", ignore_index=IGNORE) / (
            len(head.words) * count
        )
    return loss
