"""What is optimised: a VitronModel and the heads that teach it, batches in, named losses out."""

from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from training.attention import (
    AttentionPlan,
    AttributeWords,
    Looks,
    attention_loss,
    looks_at_objects,
    looks_at_past,
    looks_at_words,
    looks_back,
    looks_of_words,
    looks_to_copy,
    shown_attributes,
)
from training.config import TrainConfig, WeightsConfig
from training.data import Batch, normalise
from training.dense import DenseHead, DenseTargets, dense_loss, gate_loss
from training.losses import PointerHead, number_loss, pointer_loss, soft_numbers, text_loss
from training.motion_history import MotionHistoryHead, past_loss
from training.packed_attention import Heads, PackedAttention
from training.packing import IGNORE, Packs, embed
from training.token_head import TokenHead, token_loss
from vitron_ros.errors import ConfigError
from vitron_ros.model.token_selector import GatedTSelector
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VisualTokens, VitronModel

HEADS = ("dense_head", "pointer_head", "token_head", "past_head")
SPLITS = 6  # of the rows of a batch by length
PARTS = tuple(field.name for field in fields(WeightsConfig))  # of the loss
LOOKS = tuple(name for name in PARTS if name.endswith("_look"))


@dataclass(frozen=True, eq=False)
class Losses:
    """The weighted loss of a batch, and the means of all that it is made of, by name."""

    total: Tensor
    terms: dict[str, Tensor]


class TrainingModule(nn.Module):
    """A model and its teaching heads, which no checkpoint of the model holds."""

    def __init__(self, model: VitronModel, tokenizer: Tokenizer, config: TrainConfig) -> None:
        super().__init__()
        if model.video is not None or model.config.temporal != "frames":
            raise ConfigError(f"the model {model.config.name} averages video over time; only frame by frame is trained")
        if config.weights.gate and not isinstance(model.selector, GatedTSelector):
            raise ConfigError(f"weights.gate is for the gated selector; this model has {model.config.selector.kind}")
        vision, language = model.config.vision, model.config.language
        self.model = model
        self.weights = config.weights
        self.dense_head = DenseHead(vision.hidden_size, vision.grid)
        self.pointer_head = PointerHead(language.hidden_size, vision.hidden_size)
        self.token_head = TokenHead(language.hidden_size, tokenizer)
        self.past_head = MotionHistoryHead(language.hidden_size)
        self.words = AttributeWords(tokenizer)
        self.plan = AttentionPlan.of(language.num_layers)
        self._gathered: Tensor | None = None
        self.model.language.model.layers[self.plan.pasts].register_forward_hook(self._gather)
        numbers = tokenizer.number_ids()
        self.number_ids: Tensor
        self.soft: Tensor
        self.register_buffer("number_ids", torch.tensor([ids[0] for ids in numbers]), persistent=False)
        self.register_buffer("soft", soft_numbers(config.number_sigma), persistent=False)

    def _gather(self, layer: nn.Module, inputs: object, states: Tensor) -> None:
        self._gathered = states if self.weights.past else None

    def freeze_all_but(self, groups: tuple[str, ...]) -> None:
        """Leaves gradients to the named groups, adapters and the heads alone."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(group_of(name) in groups or "lora_" in name)
        for name in HEADS:
            part = getattr(self.weights, name.removesuffix("_head"))
            self.get_submodule(name).requires_grad_(part > 0)

    def train(self, mode: bool = True) -> "TrainingModule":
        """As of any module, but batch norms of the vision encoder keep their statistics outside the dense stage."""
        super().train(mode)
        if self.weights.text or not (self.weights.dense and self._sees_learning):
            self.model.vision.eval()
        return self

    @property
    def _sees_learning(self) -> bool:
        return any(parameter.requires_grad for parameter in self.model.vision.parameters())

    def forward(self, batch: Batch) -> Losses:
        """The losses of a batch. Each part of the loss is a mean over all of the batch that it is about."""
        features = self._look(batch.images)
        terms: dict[str, Tensor] = {}
        if self.weights.dense:
            terms |= dense_loss(self.dense_head, features.patches, batch.dense)
        if self.weights.gate:
            log_p = cast(GatedTSelector, self.model.selector).log_probabilities(features.patches)
            terms["gate"] = gate_loss(log_p, batch.dense.worth)
        if self.weights.token or batch.packs is not None:
            visual = self.model.visual_tokens(features)
            if self.weights.token and visual.indices is not None:
                terms["token"] = token_loss(
                    self.token_head,
                    visual.tokens,
                    visual.indices,
                    batch.dense,
                    self.model.language.lm_head.weight,
                    self.number_ids,
                    self.soft,
                )
            if batch.packs is not None:
                terms |= self._answer(batch.packs, batch.dense, features, visual)
        parts = [getattr(self.weights, name) * terms[name] for name in PARTS if name in terms]
        # A batch without questions has no part where nothing else is learned.
        total = torch.stack(parts).sum() if parts else torch.zeros((), device=batch.images.device)
        return Losses(total, {name: value.detach() for name, value in terms.items()})

    def _answer(
        self, packs: Packs, dense: DenseTargets, features: VisionFeatures, visual: VisualTokens
    ) -> dict[str, Tensor]:
        """The mean of each loss of what is asked."""
        regions = self.model.region_tokens(features, packs.regions) if packs.regions else None
        sums: dict[str, Tensor] = {}
        counts: dict[str, int] = {}
        for rows in packs.split(SPLITS):
            for name, (value, count) in self._ask(rows, dense, features, visual, regions).items():
                sums[name] = sums[name] + value if name in sums else value
                counts[name] = counts.get(name, 0) + count
        return {name: value / max(1, counts[name]) for name, value in sums.items()}

    def _look(self, images: Tensor) -> VisionFeatures:
        model = self.model
        levels = () if model.region is None else model.region.levels
        with torch.set_grad_enabled(self._sees_learning and torch.is_grad_enabled()):
            features: VisionFeatures = model.vision(
                normalise(images), levels=levels, attention=model.selector.needs_attention
            )
        return features

    def _ask(
        self, packs: Packs, dense: DenseTargets, features: VisionFeatures, visual: VisualTokens, regions: Tensor | None
    ) -> dict[str, tuple[Tensor, int]]:
        model = self.model
        embeds = embed(model, packs, visual.tokens, regions)
        weights = self.weights
        is_taught = visual.indices is not None and any(getattr(weights, name) for name in LOOKS)
        attend = PackedAttention(packs.segments, self.plan.layers if is_taught else ())
        hidden = model.language.hidden_states(embeds, attend, packs.positions)
        asked = packs.labels != IGNORE
        labels, is_number = packs.labels[asked], packs.is_number[asked]
        logits = model.language.lm_head(hidden[asked])  # (L, V): only where something is asked
        is_text = ~is_number
        numbers = int(is_number.sum())
        sums = {
            "text": (text_loss(logits[is_text], labels[is_text]), len(labels) - numbers),
            "number": (number_loss(logits[is_number], labels[is_number], self.number_ids, self.soft), numbers),
        }
        if self.weights.pointer and len(packs.pointers):
            rows, columns, frames = packs.pointers.unbind(1)
            logits = self.pointer_head(hidden[rows, columns], features.patches, frames)
            sums["pointer"] = (pointer_loss(logits, packs.pointer_targets), len(frames))
        if self._gathered is not None and visual.indices is not None:
            is_visual = packs.visual >= 0
            pasts = dense.pasts.gather(1, visual.indices[..., None].expand(-1, -1, dense.pasts.shape[2])).flatten(0, 1)
            sums["past"] = past_loss(self.past_head, self._gathered[is_visual], pasts[packs.visual[is_visual]])
        if visual.indices is not None and attend.heads:
            sums |= self._look_losses(packs, attend.heads, visual.indices, dense)
        return sums

    def _look_losses(
        self, packs: Packs, heads: dict[int, Heads], indices: Tensor, dense: DenseTargets
    ) -> dict[str, tuple[Tensor, int]]:
        def loss(layer: int, looks: Looks, *, last_heads: bool = False) -> Tensor:
            return attention_loss(heads[layer], packs.segments, looks, last_heads=last_heads)

        of_words = looks_of_words(packs, self.words, shown_attributes(dense, indices))
        at_words = looks_at_words(packs, self.words)
        to_copy = looks_to_copy(packs)
        back, at_past = looks_back(packs, to_copy), looks_at_past(packs, indices, dense.owners)
        first, between, copies = self.plan.words, self.plan.objects, self.plan.copies
        at_objects = [looks_at_objects(packs, indices, step, len(between)) for step in range(len(between))]
        return {
            "word_look": (loss(first, of_words), len(of_words.rows)),
            "answer_look": (loss(first, at_words, last_heads=True), len(at_words.rows)),
            "object_look": (
                torch.stack([loss(layer, looks) for layer, looks in zip(between, at_objects, strict=True)]).sum(),
                sum(len(looks.rows) for looks in at_objects),
            ),
            "past_look": (loss(self.plan.pasts, at_past, last_heads=True), len(at_past.rows)),
            "copy_look": (
                torch.stack([loss(layer, to_copy, last_heads=True) for layer in copies]).sum()
                + loss(first, back, last_heads=True),
                len(to_copy.rows) * len(copies) + len(back.rows),
            ),
        }


def group_of(name: str) -> str:
    """The group of `config.GROUPS` that a weight of a VitronModel belongs to."""
    if name.startswith(("language.model.embed_tokens", "language.lm_head")):
        return "embeddings"
    return name.split(".")[0]
