"""The training module: a VitronModel with its auxiliary heads; batches in, named losses out."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from training.attention_supervision import (
    AttentionPlan,
    AttentionTargets,
    AttributeWords,
    attention_loss,
    attribute_word_targets,
    copy_targets,
    first_appearance_targets,
    object_targets,
    previous_token_targets,
    question_word_targets,
    visual_token_attributes,
)
from training.config import LossWeightsConfig, TrainConfig
from training.data import Batch, normalise
from training.dense import ATTRIBUTES, DenseHead, DenseTargets, dense_loss, gate_loss
from training.distributed import gathered_weights
from training.losses import PointerHead, coordinate_loss, pointer_loss, soft_coordinates, text_loss
from training.motion_history import MotionHistoryHead, motion_history_loss
from training.packed_attention import QueriesKeys, in_rows, packed_attention
from training.packing import IGNORE, PackedQuestions, embed, no_questions
from training.visual_token_head import VisualTokenHead, visual_token_loss
from vitron_ros.errors import ConfigError
from vitron_ros.model.token_selector import GatedTSelector
from vitron_ros.model.tokenizer import Tokenizer
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VisualTokens, VitronModel

AUXILIARY_HEADS = ("dense_head", "pointer_head", "visual_token_head", "motion_history_head")
LOSS_NAMES = tuple(field.name for field in fields(LossWeightsConfig))
TERM_NAMES = (*LOSS_NAMES, "objectness", "box", *ATTRIBUTES)
ATTENTION_LOSSES = tuple(name for name in LOSS_NAMES if name.endswith("_attention"))
COUNTED = ("text", "coordinate", "pointer")
BATCHES = "batches"


class Losses(NamedTuple):
    """The weighted loss of a batch, and each of its terms by name."""

    total: Tensor
    terms: dict[str, Tensor]


def loss_counts(batches: Iterable[Batch]) -> dict[str, int]:
    """By what the losses of batches are divided: COUNTED ones by their positions, the others, means, by BATCHES."""
    counts = dict.fromkeys((*COUNTED, BATCHES), 0)
    for batch in batches:
        counts[BATCHES] += 1
        for name, count in ({} if batch.packs is None else batch.packs.counts).items():
            counts[name] += count
    return counts


class TrainingModule(nn.Module):
    """A model and its auxiliary heads, which are not part of the model's checkpoints."""

    def __init__(self, model: VitronModel, tokenizer: Tokenizer, config: TrainConfig) -> None:
        super().__init__()
        if model.video is not None or model.config.temporal != "frames":
            raise ConfigError(
                f"the model {model.config.name} averages video over time; only frame-by-frame models can be trained"
            )
        if config.loss_weights.gate and not isinstance(model.selector, GatedTSelector):
            raise ConfigError(
                f"loss_weights.gate is for the gated selector; this model has {model.config.selector.kind}"
            )
        vision, language = model.config.vision, model.config.language
        self.model = model
        self.loss_weights = config.loss_weights
        self._has_questions = bool(config.tasks)
        self.dense_head = DenseHead(vision.hidden_size, vision.grid)
        self.pointer_head = PointerHead(language.hidden_size, vision.hidden_size)
        self.visual_token_head = VisualTokenHead(language.hidden_size, tokenizer)
        self.motion_history_head = MotionHistoryHead(language.hidden_size)
        self.words = AttributeWords(tokenizer)
        self.plan = AttentionPlan.of(language.num_layers)
        self._history_states: Tensor | None = None
        self.model.language.model.layers[self.plan.history].register_forward_hook(self._keep_history_states)
        numbers = tokenizer.number_ids()
        self.number_ids: Tensor
        self.soft: Tensor
        self.register_buffer("number_ids", torch.tensor([ids[0] for ids in numbers]), persistent=False)
        self.register_buffer("soft", soft_coordinates(config.coordinate_sigma), persistent=False)

    def _keep_history_states(self, layer: nn.Module, inputs: object, states: Tensor) -> None:
        self._history_states = states if self.loss_weights.motion_history else None

    def freeze_all_but(self, groups: Collection[str]) -> None:
        """Freezes all weights but those of the named groups, of adapters and of the auxiliary heads."""
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(group_of(name) in groups or "lora_" in name)
        for name in AUXILIARY_HEADS:
            weight = getattr(self.loss_weights, name.removesuffix("_head"))
            self.get_submodule(name).requires_grad_(weight > 0)

    def train(self, mode: bool = True) -> "TrainingModule":
        """As nn.Module.train, but batch norms of the vision encoder keep their statistics outside the dense stages."""
        super().train(mode)
        if self.loss_weights.text or not (self.loss_weights.dense and self._is_vision_trainable):
            self.model.vision.eval()
        return self

    @property
    def _is_vision_trainable(self) -> bool:
        return any(parameter.requires_grad for parameter in self.model.vision.parameters())

    def forward(self, batch: Batch, counts: Mapping[str, int] | None = None) -> Losses:
        """The losses of a batch.

        Args:
            counts: `loss_counts` of all batches of the step, so that its losses add up to the step's; None: of this
                one.
        """
        counts = loss_counts([batch]) if counts is None else counts
        packs = batch.packs
        if packs is None and self._has_questions:  # all processes run the same parts
            packs = no_questions(batch.images.device)
        features = self._encode(batch.images)
        terms: dict[str, Tensor] = {}
        if self.loss_weights.dense:
            terms |= dense_loss(self.dense_head, features.patches, batch.dense)
        if self.loss_weights.gate:
            log_p = cast(GatedTSelector, self.model.selector).log_probabilities(features.patches)
            terms["gate"] = gate_loss(log_p, batch.dense.gate_targets)
        if self.loss_weights.visual_token or packs is not None:
            visual = self.model.visual_tokens(features)
            if self.loss_weights.visual_token and visual.indices is not None:
                terms["visual_token"] = visual_token_loss(
                    self.visual_token_head,
                    visual.tokens,
                    visual.indices,
                    batch.dense,
                    self.model.language.lm_head.weight,
                    self.number_ids,
                    self.soft,
                )
            if packs is not None:
                terms |= self._question_losses(packs, batch.dense, features, visual)
        terms = {name: value / max(1, counts[name if name in COUNTED else BATCHES]) for name, value in terms.items()}
        weighted = [getattr(self.loss_weights, name) * terms[name] for name in LOSS_NAMES if name in terms]
        total = torch.stack([*weighted, self._zero()]).sum()
        return Losses(total, {name: value.detach() for name, value in terms.items()})

    def _zero(self) -> Tensor:
        """0 with a gradient, of 0, for every weight, so that all processes have gradients of the same weights."""
        firsts = [weight.flatten()[:1] for weight in gathered_weights(self)]
        return 0 * torch.cat(firsts).sum() if firsts else torch.zeros((), device=self.soft.device)

    def _encode(self, images: Tensor) -> VisionFeatures:
        model = self.model
        levels = () if model.region is None else model.region.levels
        with torch.set_grad_enabled(self._is_vision_trainable and torch.is_grad_enabled()):
            features: VisionFeatures = model.vision(
                normalise(images), levels=levels, attention=model.selector.needs_attention
            )
        return features

    def _question_losses(
        self, packs: PackedQuestions, dense: DenseTargets, features: VisionFeatures, visual: VisualTokens
    ) -> dict[str, Tensor]:
        """Losses of packed questions: COUNTED ones are sums, the others means."""
        model, weights = self.model, self.loss_weights
        regions = model.region_tokens(features, packs.regions) if packs.regions else None
        is_supervised = visual.indices is not None and any(getattr(weights, name) for name in ATTENTION_LOSSES)
        attend = packed_attention(packs.segments, self.plan.layers if is_supervised else ())
        is_token = packs.segments >= 0
        embeds = embed(model, packs, visual.tokens, regions)[is_token][None]
        hidden = in_rows(model.language.hidden_states(embeds, attend, packs.positions[is_token][None]), is_token)
        is_labelled = packs.labels != IGNORE
        labels, is_number = packs.labels[is_labelled], packs.is_number[is_labelled]
        logits = model.language.lm_head(hidden[is_labelled])  # (L, V): only where there is a label
        losses = {
            "text": text_loss(logits[~is_number], labels[~is_number]),
            "coordinate": coordinate_loss(logits[is_number], labels[is_number], self.number_ids, self.soft),
        }
        if weights.pointer and len(packs.pointers):
            rows, columns, frames = packs.pointers.unbind(1)
            logits = self.pointer_head(hidden[rows, columns], features.patches, frames)
            losses["pointer"] = pointer_loss(logits, packs.pointer_targets)
        means: dict[str, tuple[Tensor, int]] = {}
        if self._history_states is not None and visual.indices is not None:
            shown = packs.visual[is_token]
            index = visual.indices[..., None].expand(-1, -1, dense.motion_history.shape[2])
            targets = dense.motion_history.gather(1, index).flatten(0, 1)
            means["motion_history"] = motion_history_loss(
                self.motion_history_head, self._history_states[0, shown >= 0], targets[shown[shown >= 0]]
            )
        if visual.indices is not None and attend.heads:
            means |= self._attention_losses(packs, attend.heads, visual.indices, dense)
        return losses | {name: value / max(1, count) for name, (value, count) in means.items()}

    def _attention_losses(
        self, packs: PackedQuestions, heads: dict[int, QueriesKeys], indices: Tensor, dense: DenseTargets
    ) -> dict[str, tuple[Tensor, int]]:
        def loss(layer: int, targets: AttentionTargets, *, last_heads: bool = False) -> Tensor:
            return attention_loss(heads[layer], packs.segments, targets, last_heads=last_heads)

        attributes = attribute_word_targets(packs, self.words, visual_token_attributes(dense, indices))
        question = question_word_targets(packs, self.words)
        copied = copy_targets(packs)
        previous = previous_token_targets(packs, copied)
        history = first_appearance_targets(packs, indices, dense.object_ids)
        first, middle, copies = self.plan.words, self.plan.objects, self.plan.copies
        objects = [object_targets(packs, indices, step, len(middle)) for step in range(len(middle))]
        return {
            "attribute_attention": (loss(first, attributes), len(attributes.rows)),
            "question_attention": (loss(first, question, last_heads=True), len(question.rows)),
            "object_attention": (
                torch.stack([loss(layer, targets) for layer, targets in zip(middle, objects, strict=True)]).sum(),
                sum(len(targets.rows) for targets in objects),
            ),
            "history_attention": (loss(self.plan.history, history, last_heads=True), len(history.rows)),
            "copy_attention": (
                torch.stack([loss(layer, copied, last_heads=True) for layer in copies]).sum()
                + loss(first, previous, last_heads=True),
                len(copied.rows) * len(copies) + len(previous.rows),
            ),
        }


def group_of(name: str) -> str:
    """The group of `config.GROUPS` that a weight of a VitronModel belongs to."""
    if name.startswith(("language.model.embed_tokens", "language.lm_head")):
        return "embeddings"
    return name.split(".")[0]
