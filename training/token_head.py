"""What a visual token shows, said in the language model's own embeddings: box numbers and words.

A projector that has learned this speaks the language model's language before that has read a single sentence; then a
phrase finds its token by a dot product, and a number is copied rather than computed. The head itself is thrown away.

Shapes: M tokens, D language channels, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.dense import ATTRIBUTES, IGNORE, DenseTargets
from training.losses import NUMBERS
from vitron_ros.model.tokenizer import Tokenizer

CORNERS = 4


class TokenHead(nn.Module):
    """One linear map for each number of a box and each attribute, into the space of the embeddings."""

    def __init__(self, width: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, (CORNERS + len(ATTRIBUTES)) * width)
        words = [[tokenizer.encode(f" {name}")[0] for name in names] for names in ATTRIBUTES.values()]
        self.words = [torch.tensor(ids) for ids in words]

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Of tokens (M, D): what to look for in the embeddings, (M, 4, D) for the box and (M, 4, D) for attributes."""
        wanted = self.out(self.norm(tokens)).unflatten(-1, (-1, tokens.shape[-1]))
        return wanted[:, :CORNERS], wanted[:, CORNERS:]


def token_loss(
    head: TokenHead,
    tokens: Tensor,
    indices: Tensor,
    targets: DenseTargets,
    embeddings: Tensor,
    number_ids: Tensor,
    soft: Tensor,
) -> Tensor:
    """Mean loss of the kept tokens (F, K, D) of patches `indices` (F, K), those that show an object.

    Args:
        embeddings: (V, D) of the language model's output.
        number_ids: (101,) int64, the token of each number.
        soft: (101, 101) from `soft_numbers`.
    """
    is_object = targets.objectness.gather(1, indices) == 1
    boxes = targets.boxes.gather(1, indices[..., None].expand(-1, -1, 4))[is_object]
    attributes = targets.attributes.gather(1, indices[..., None].expand(-1, -1, len(ATTRIBUTES)))[is_object]
    numbers = (boxes * (NUMBERS - 1)).round().long().clamp(0, NUMBERS - 1)  # (M, 4)
    corners, words = head(tokens[is_object])
    count = max(1, len(corners))
    logits = corners.float() @ embeddings[number_ids].float().T
    loss: Tensor = -(soft[numbers] * logits.log_softmax(-1)).sum() / (CORNERS * count)
    for index, ids in enumerate(head.words):
        logits = words[:, index].float() @ embeddings[ids.to(tokens.device)].float().T
        loss = loss + F.cross_entropy(logits, attributes[:, index], reduction="sum", ignore_index=IGNORE) / (
            len(head.words) * count
        )
    return loss
