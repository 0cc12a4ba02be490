"""What a stage on records costs, by arithmetic: FLOP, hours and memory on 8 A100, and whether clips fit the context.

No weights are loaded. Text lengths are those that the stage's file states for each set of records; of the data, it is
said what is there.
Activations are counted after Korthikanti et al. (arXiv 2205.05198), with attention that keeps no scores.
"""

from dataclasses import dataclass

from torch import nn

from training.adapters import TARGETS
from training.assemble import PROFILES
from training.config import RecordsConfig, TrainConfig
from training.sources import open_source
from training.throughput import PEAK_FLOPS, forward_flops, passes
from training.tiny import read_model
from training.training_module import group_of
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.model.config import ModelConfig
from vitron_ros.model.vitron import VitronModel, build_empty

GPUS, GPU, GPU_BYTES = 8, "A100", 80e9
MFU = (0.5, 0.4)  # of well-packed batches
MARKER_TOKENS = 8  # of a frame in a clip, such as "Frame 12: " and its separator
TRAINED_BYTES, FROZEN_BYTES = 16, 2  # a weight: float32 with gradient and two moments; bfloat16
LAYER_BYTES = 34  # of activations, for each token and channel of a layer
LOGIT_BYTES = 10  # bfloat16, float32 and its gradient
OVERHEAD = 1.15  # of the allocator


@dataclass(frozen=True, kw_only=True)
class Costs:
    """The costs of a stage. Memory is of one GPU, for a batch of the longest records.

    Attributes:
        weights, trained: of the model, with adapters.
        records: in all steps.
        tokens, frames, labels: of a record, on average.
        flops: of a record on average, activations that are computed again included.
        longest, context: tokens of the longest record, and of the language model.
        hours: at each of MFU.
        memory_bytes: by what takes it.
    """

    weights: int
    trained: int
    records: int
    tokens: float
    frames: float
    labels: float
    flops: float
    longest: int
    context: int
    hours: tuple[float, ...]
    memory_bytes: dict[str, float]

    @property
    def total_bytes(self) -> float:
        return OVERHEAD * sum(self.memory_bytes.values())


def costs(config: TrainConfig) -> Costs:
    """The costs of a stage.

    Raises:
        ConfigError: the stage is not on records, its clips exceed the context, its batches do not divide among the
            GPUs, or a GPU has too little memory.
    """
    if not config.records:
        raise ConfigError(f"{config.name} is on clips of the worlds; a dry run is of stages on records")
    model = PROFILES[config.model] if config.model in PROFILES else read_model(config.model)
    config.batches_per_step(GPUS)
    _check_context(config, model)
    shares = sum(each.share for each in config.records)

    def mean(values: list[float]) -> float:
        return sum(each.share * value for each, value in zip(config.records, values, strict=True)) / shares

    lengths = [(each.min_frames + each.max_frames) / 2 for each in config.records]
    tokens = [record_tokens(each, model, frames) for each, frames in zip(config.records, lengths, strict=True)]
    labels = [_labels(each, frames) for each, frames in zip(config.records, lengths, strict=True)]
    flops = mean([_flops(config, model, *sizes) for sizes in zip(lengths, tokens, labels, strict=True)])
    records = config.steps * config.global_batch
    weights, trained = _weights(config, build_empty(model))
    found = Costs(
        weights=weights,
        trained=trained,
        records=records,
        tokens=mean(tokens),
        frames=mean(lengths),
        labels=mean(labels),
        flops=flops,
        longest=max(round(record_tokens(each, model, each.max_frames)) for each in config.records),
        context=model.language.max_positions,
        hours=tuple(records * flops / (GPUS * PEAK_FLOPS[GPU] * share) / 3600 for share in MFU),
        memory_bytes=_memory(config, model, weights, trained),
    )
    if found.total_bytes > GPU_BYTES:
        raise ConfigError(
            f"{config.name} takes {found.total_bytes / 1e9:.0f} GB of a GPU, which has {GPU_BYTES / 1e9:.0f}; lower "
            "records_per_batch, or set activation_checkpointing"
        )
    return found


def describe(config: TrainConfig, found: Costs) -> str:
    """Costs as lines for a person."""
    batches = config.batches_per_step(GPUS) // GPUS
    memory = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in found.memory_bytes.items())
    hours = " to ".join(f"{hours:.1f}" for hours in found.hours)
    lines = {
        "trained": f"{found.trained / 1e6:,.0f}M of {found.weights / 1e6:,.0f}M weights",
        "steps": f"{config.steps:,} of {config.global_batch} records, {batches} batches of {config.records_per_batch} "
        f"on each GPU: {found.records:,} records",
        "record": f"{found.tokens:.0f} tokens, {found.labels:.0f} of them answers; {found.frames:.1f} frames; "
        f"{found.flops / 1e12:.1f} TFLOP",
        "context": f"longest record {found.longest:,} of {found.context:,} tokens",
        "total": f"{found.records * found.flops / 1e18:.3g} EFLOP: {hours} hours at {MFU[0]:.0%} to {MFU[1]:.0%} MFU",
        "memory": f"{found.total_bytes / 1e9:.0f} GB a GPU ({memory} GB, and {OVERHEAD - 1:.0%} of overhead)",
    }
    title = f"{config.name}: on {GPUS} {GPU}-80G, by arithmetic"
    return "\n".join([title, *(f"  {name:8} {text}" for name, text in lines.items())])


def describe_data(config: TrainConfig) -> str:
    """The sets of a stage as lines for a person: what is there, and where to get what is not."""
    total = sum(each.share for each in config.records)
    lines = [f"    {each.share / total:4.0%} {each.reader:14} {_there(each)}" for each in config.records]
    return "\n".join(["  data", *lines])


def _there(records: RecordsConfig) -> str:
    try:
        return f"{records.path}: {len(open_source(records)):,} records"
    except (ConfigError, SourceError) as error:
        return str(error)


def record_tokens(records: RecordsConfig, model: ModelConfig, frames: float) -> float:
    """Tokens of a record of that many frames."""
    markers = MARKER_TOKENS if frames > 1 else 0
    return frames * (model.tokens_per_frame + markers) + records.question_tokens + _labels(records, frames)


def _labels(records: RecordsConfig, frames: float) -> float:
    return records.answer_tokens * (frames if records.has_tracks else 1)


def _check_context(config: TrainConfig, model: ModelConfig) -> None:
    context = model.language.max_positions
    for records in config.records:
        takes = record_tokens(records, model, records.max_frames)
        if takes > context:
            most = next(n for n in range(records.max_frames, -1, -1) if record_tokens(records, model, n) <= context)
            raise ConfigError(
                f"{config.name}: {records.max_frames} frames of {records.path} take {takes:,.0f} tokens, and the "
                f"context of the language model has {context:,}; give max_frames {most} at most, select fewer tokens "
                "of a frame (selector alpha), or start from a language model with a longer context"
            )


def _flops(config: TrainConfig, model: ModelConfig, frames: float, tokens: float, labels: float) -> float:
    """Of a record, with activations that are computed again."""
    vision, language = passes(config)
    scores = 2 * model.language.num_layers * tokens**2 * model.language.hidden_size  # causal
    of_layers = forward_flops(model, frames=0, tokens=round(tokens), labels=0) + scores
    of_head = forward_flops(model, frames=0, tokens=0, labels=round(labels))
    of_frame = forward_flops(model, frames=1, tokens=0, labels=0)
    again = int(config.activation_checkpointing)
    return vision * frames * of_frame + (language + again) * of_layers + language * of_head


def _weights(config: TrainConfig, model: VitronModel) -> tuple[int, int]:
    """All weights, and those that are trained, both with adapters."""
    sizes = {name: weight.numel() for name, weight in model.named_parameters()}
    trained = sum(size for name, size in sizes.items() if group_of(name) in config.trainable)
    adapters = sum(
        config.lora_rank * (module.in_features + module.out_features)
        for name, module in model.language.named_modules()
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in TARGETS
    )
    return sum(sizes.values()) + adapters, trained + adapters


def _memory(config: TrainConfig, model: ModelConfig, weights: int, trained: int) -> dict[str, float]:
    language, vision, count = model.language, model.vision, config.records_per_batch
    layer = forward_flops(model, frames=0, tokens=1, labels=0) / 2 / language.num_layers  # weights
    tokens = count * max(record_tokens(each, model, each.max_frames) for each in config.records)
    labels = count * max(_labels(each, each.max_frames) for each in config.records)
    state = tokens * language.hidden_size  # values between two layers
    kept = language.num_layers * (2 if config.activation_checkpointing else LAYER_BYTES)
    again = LAYER_BYTES if config.activation_checkpointing else 0
    patches = count * max(each.max_frames for each in config.records) * (1 + vision.num_patches)
    encoder = LAYER_BYTES * patches * vision.hidden_size * vision.used_layers
    return {
        "state": (TRAINED_BYTES * trained + FROZEN_BYTES * (weights - trained)) / (config.shards or GPUS),
        "gathered": 2 * (2 * layer + 2 * language.vocab_size * language.hidden_size),
        "activations": state * (kept + again) + (encoder if "vision" in config.trainable else 0),
        "logits": LOGIT_BYTES * labels * language.vocab_size,
    }
