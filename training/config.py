"""The settings of training stages, from a YAML file whose first lines are the command that runs them."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.worlds.sample import Task
from training.worlds.samples import IMAGE_TASKS, VIDEO_TASKS
from vitron_ros.config import Checked, setting
from vitron_ros.errors import ConfigError
from vitron_ros.model.files import quoted, shortened
from vitron_ros.yaml_file import read_yaml

GROUPS = ("vision", "selector", "projector", "region", "embeddings", "language")
MAX_STEPS = 10**9  # batch numbers must have room for them
NAME = re.compile("[a-z][a-z0-9_]*")  # of a stage, which is part of a directory's
_CONVERSATION = ("vqa", "video_qa", "grounded_vqa", "grounded_video_qa", "invocation")
_GROUNDED = ("rec", "reg", "grounded_caption")
_TRACK = ("rsot", "sot", "video_reg")
READER_TASKS = {
    "conversations": _CONVERSATION,
    "captions": ("caption",),
    "regions": _GROUNDED,
    "tracks": _TRACK,
    "shards": (*_CONVERSATION, "caption", *_GROUNDED, *_TRACK),
    **dict.fromkeys(("refcoco", "refcoco+", "refcocog", "visual-genome"), ("rec", "reg")),
    "flickr30k": _GROUNDED,
    **dict.fromkeys(("lasot", "got10k"), _TRACK),
    **dict.fromkeys(("dancetrack", "mot16"), ("sot",)),  # which do not say what their objects are
    **dict.fromkeys(("vqa-v2", "ok-vqa", "gqa"), ("vqa",)),
    **dict.fromkeys(("msvd-qa", "msrvtt-qa", "activitynet-qa", "tgif-qa"), ("video_qa",)),
    **dict.fromkeys(("coco-captions", "msrvtt"), ("caption",)),
}  # what the records of each source can be asked for, see sources/
JSON_READERS = ("conversations", "captions", "regions", "tracks")
NAMES = {int: "a whole number", float: "a number", str: "text in one line", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class ClipsConfig(Checked):
    """One group of clips in every batch, all of one length, and the tasks that are sampled for each clip."""

    frames: int = setting(1, "frames of a clip", low=1, high=64)
    count: int = setting(1, "clips in a batch", low=1, high=4096)
    wide: float = setting(
        0.0, "share of clips with a 4:3 aspect ratio, resized to the model's square", low=0.0, high=1.0
    )
    cluttered: float = setting(0.0, "share of clips with a cluttered background", low=0.0, high=1.0)
    disappearance: float = setting(
        0.0, "probability of objects that leave, enter or return, and of a post that occludes", low=0.0, high=1.0
    )
    pattern_grid: bool = setting(False, "2 x 2 grids of large patterned objects instead of scenes; single images")
    per_task: int = setting(2, "questions per task and clip, at most", low=1, high=64)
    relational: float = setting(
        0.0, 'share of additional relational expressions, such as "the second car from the left"', low=0.0, high=1.0
    )
    box_noise: float = setting(
        0.0,
        "largest standard deviation, in hundredths, of the noise on the boxes that teacher forcing feeds back",
        low=0.0,
        high=50.0,
    )
    tasks: tuple[str, ...] = setting((), "tasks of the worlds; empty: dense targets only")

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.tasks) - set(get_args(Task)))
        if unknown:
            raise ConfigError(f"tasks names {', '.join(unknown)}; the worlds have {', '.join(get_args(Task))}")
        never = sorted(set(self.tasks) - set(IMAGE_TASKS if self.frames == 1 else VIDEO_TASKS))
        if never:
            wanted = "clips of two frames or more" if self.frames == 1 else "single images"
            raise ConfigError(f"tasks names {', '.join(never)}, which need {wanted}; frames is {self.frames}")
        if self.pattern_grid and self.frames != 1:
            raise ConfigError(f"pattern_grid gives single images; set frames to 1, not {self.frames}")


@dataclass(frozen=True, kw_only=True)
class RecordsConfig(Checked):
    """A set of annotated images or clips, and its share of the records of every batch."""

    reader: str = setting("conversations", "what it is, see training/sources", choices=tuple(READER_TASKS))
    path: str = setting("", "JSON file of records; or folder of shards, or of a data set in its official layout")
    media: str = setting("", "folder of the images and videos of a JSON file; empty: that of the file")
    split: str = setting("", "of an official layout; empty: that for training")
    origin: str = setting("", "where to get a JSON file or shards, for the message that they are missing")
    share: float = setting(1.0, "of all records, in proportion to the other shares", low=1e-6, high=1e6)
    tasks: tuple[str, ...] = setting((), "tasks of its questions, of which one is drawn for each record")
    min_frames: int = setting(1, "frames of a clip, at least; of a shorter track all are shown", low=1, high=64)
    max_frames: int = setting(1, "frames of a clip, at most", low=1, high=64)
    max_questions: int = setting(
        1, "questions about an image or video, each asked on its own; conversations keep theirs", low=1, high=64
    )
    max_interval: int = setting(1, "frames of a track from one that is shown to the next, at most", low=1, high=10**4)
    question_tokens: int = setting(60, "of a record on average, for the arithmetic of a dry run", low=0, high=10**6)
    answer_tokens: int = setting(60, "the same, of its answers; of tracks, of one frame", low=1, high=10**6)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError("path is empty; name the file or folder of the records")
        if self.media and self.reader not in JSON_READERS:
            raise ConfigError(f"media is {self.media!r}; {self.reader} has its images and videos below path")
        if self.split and self.reader in (*JSON_READERS, "shards"):
            raise ConfigError(f"split is {self.split!r}; {self.reader} has no splits")
        known = READER_TASKS[self.reader]
        if not self.tasks or (unknown := sorted(set(self.tasks) - set(known))):
            named = ", ".join(unknown) if self.tasks else "nothing"
            raise ConfigError(f"tasks names {named}; records of {self.reader} have {', '.join(known)}")
        if self.max_frames < self.min_frames:
            raise ConfigError(f"max_frames is {self.max_frames}, below min_frames {self.min_frames}")

    @property
    def has_tracks(self) -> bool:
        """Whether its answers have a part for each frame."""
        return not set(self.tasks).isdisjoint(_TRACK)


def _loss_weight(default: float, description: str) -> Any:
    return setting(default, description, low=0.0, high=1e4)


@dataclass(frozen=True, kw_only=True)
class LossWeightsConfig(Checked):
    """Weight of each loss; 0 leaves it out."""

    text: float = _loss_weight(1.0, "cross entropy of answer tokens other than box coordinates")
    coordinate: float = _loss_weight(1.0, "cross entropy of box coordinates against Gaussian soft targets")
    pointer: float = _loss_weight(1.0, "patches that show the object, from the hidden states of the answer")
    attribute_attention: float = _loss_weight(
        0.0, "attention supervision: attribute words to the visual tokens with that attribute"
    )
    question_attention: float = _loss_weight(
        0.0, "attention supervision: answer positions to the attribute words of their question"
    )
    object_attention: float = _loss_weight(
        0.0, "attention supervision: answer positions to the visual tokens of the target"
    )
    copy_attention: float = _loss_weight(
        0.0, "attention supervision: answer positions to the question words that they copy"
    )
    history_attention: float = _loss_weight(
        0.0, "attention supervision: visual tokens to those of the object's first appearance"
    )
    motion_history: float = _loss_weight(0.0, "displacement and events of an object so far, at its visual tokens")
    dense: float = _loss_weight(0.0, "objectness, box and attributes of every patch")
    pattern: float = _loss_weight(0.0, "pattern of every patch, in addition to its part in dense")
    gate: float = _loss_weight(0.0, "patches that a gated token selector should select")
    visual_token: float = _loss_weight(0.0, "box and attributes of every visual token, in the embedding space")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Checked):
    """One stage. A run is repeatable from these alone."""

    name: str = setting("stage", "name of the stage, for records")
    out: str = setting("out/training", "directory of checkpoints, log and record")
    model: str = setting("vitron-tiny", "model profile, or JSON config, of random weights")
    start: str = setting("", "checkpoint, or `out` of the stage before, to start from; empty: random weights")
    seed: int = setting(0, "of weights, clips and noise", low=0, high=MAX_STEPS)
    steps: int = setting(1000, "optimiser steps", low=1, high=MAX_STEPS)
    warmup_steps: int = setting(50, "steps of linear warm-up", low=0, high=MAX_STEPS)
    learning_rate: float = setting(1e-3, "peak learning rate", low=1e-12, high=1.0)
    optimizer: str = setting("adamw", "of the matrices between hidden layers", choices=("adamw", "muon"))
    beta2: float = setting(0.98, "decay of AdamW's mean of squared gradients", low=0.0, high=1.0)
    qk_lr_scale: float = setting(1.0, "factor on the learning rate of query and key projections", low=0.0, high=100.0)
    vision_lr_scale: float = setting(1.0, "factor on the learning rate of the vision encoder", low=0.0, high=100.0)
    min_lr_ratio: float = setting(
        0.02, "final learning rate of the cosine schedule, as a share of the peak", low=0.0, high=1.0
    )
    weight_decay: float = setting(0.05, "on matrices", low=0.0, high=10.0)
    max_grad_norm: float = setting(1.0, "norm to which gradients are clipped", low=1e-6)
    global_batch: int = setting(
        0,
        "clips per optimiser step, of all processes: a multiple of those of a batch; 0: one batch a process",
        low=0,
        high=MAX_STEPS,
    )
    trainable: tuple[str, ...] = setting(
        GROUPS, f"groups that are trained, among {', '.join(GROUPS)}; the others are frozen"
    )
    lora_rank: int = setting(
        0, "rank of adapters on the language model, which is then frozen; 0: none", low=0, high=65536
    )
    lora_dropout: float = setting(0.0, "dropout before adapters", low=0.0, high=0.9)
    precision: str = setting(
        "auto",
        "of matrix products; auto: bfloat16 where it is fast; bfloat16: of frozen weights, too, where state is sharded",
        choices=("auto", "float32", "bfloat16"),
    )
    activation_checkpointing: bool = setting(
        False, "compute the activations of language layers again in the backward pass, for less memory"
    )
    shards: int = setting(
        0, "processes that share one copy of weights and optimiser, such as those of a node; 0: all", low=0, high=65536
    )
    coordinate_sigma: float = setting(
        1.0, "standard deviation of the soft targets of a coordinate 0..100", low=0.01, high=20.0
    )
    tokenizer_clips: int = setting(1500, "clips whose text trains the tokenizer of random weights", low=1, high=10**6)
    workers: int = setting(0, "data loader processes; the data do not depend on it", low=0, high=256)
    save_every: int = setting(500, "steps between checkpoints", low=1, high=MAX_STEPS)
    log_every: int = setting(10, "steps between rows of the log", low=1, high=MAX_STEPS)
    tensorboard: bool = setting(False, "write the log for TensorBoard, too")
    loss_weights: LossWeightsConfig = field(default_factory=LossWeightsConfig)
    clips: tuple[ClipsConfig, ...] = ()
    records: tuple[RecordsConfig, ...] = ()
    records_per_batch: int = setting(0, "records in a batch, in place of clips", low=0, high=4096)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.out:
            raise ConfigError("out is empty; name the directory of the stage's checkpoints")
        unknown = sorted(set(self.trainable) - set(GROUPS))
        if unknown:
            raise ConfigError(f"trainable names {', '.join(unknown)}; there are {', '.join(GROUPS)}")
        if not self.trainable and not self.lora_rank:
            raise ConfigError("trainable is empty; name at least one group")
        if self.lora_rank and "language" in self.trainable:
            raise ConfigError("trainable names language, which lora_rank freezes; leave one of them out")
        if not self.clips and not self.records:
            raise ConfigError("clips is empty, and so is records; name at least one of one kind")
        if self.clips and self.records:
            raise ConfigError("clips and records are both there; a stage is trained on one kind")
        if bool(self.records) != bool(self.records_per_batch):
            raise ConfigError(f"records_per_batch is {self.records_per_batch}; records need it, and clips have count")
        drawn = sorted(
            item.name
            for item in fields(LossWeightsConfig)
            if item.name not in ("text", "coordinate") and getattr(self.loss_weights, item.name)
        )
        if self.records and drawn:
            raise ConfigError(f"loss_weights.{drawn[0]} needs clips of the worlds; set it to 0 for records")
        if not self.tasks and not (self.loss_weights.dense or self.loss_weights.gate or self.loss_weights.visual_token):
            raise ConfigError(
                "nothing is trained: no clip has tasks, and loss_weights.dense, gate and visual_token are 0"
            )
        if self.loss_weights.pattern and not self.loss_weights.dense:
            raise ConfigError(
                "loss_weights.pattern is a part of loss_weights.dense, which is 0; give that a weight too"
            )

    @property
    def tasks(self) -> set[str]:
        """All tasks of its questions."""
        return {task for tasks in [k.tasks for k in self.clips] + [k.tasks for k in self.records] for task in tasks}

    @property
    def max_frames(self) -> int:
        """Frames of the longest clip."""
        return max([kind.frames for kind in self.clips] + [kind.max_frames for kind in self.records])

    @property
    def clips_per_batch(self) -> int:
        return sum(clips.count for clips in self.clips) + self.records_per_batch

    def batches_per_step(self, processes: int) -> int:
        """Batches of an optimiser step, of all processes.

        Raises:
            ConfigError: global_batch cannot be divided among them.
        """
        count = self.clips_per_batch * processes
        if self.global_batch % count:
            raise ConfigError(
                f"global_batch is {self.global_batch}; with {processes} processes and batches of "
                f"{self.clips_per_batch} clips it must be a multiple of {count}"
            )
        return self.global_batch // self.clips_per_batch or processes

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


C = TypeVar("C")


def load_stages(path: Path) -> list[TrainConfig]:
    """The stages that a YAML file describes, in order: a single one, or a list with shared defaults.

    A list has the keys `out`, a directory, `defaults`, settings that a stage need not repeat, and `stages`. Each stage
    has a `name`, writes to `out`/NUMBER_NAME and starts from the one before, unless it has its own.

    Raises:
        ConfigError: the file is missing or no YAML, a key is unknown or stands twice, or a value is wrong; names file
            and key.
    """
    values = read_yaml(path)
    if not isinstance(values, Mapping) or "stages" not in values:
        return [_read(TrainConfig, values, str(path))]
    shared = _read(_Stages, values, str(path))
    found: list[TrainConfig] = []
    for number, own in enumerate(shared.stages):
        where = f"{path}: stages[{number}]"
        name = own.get("name")
        if not isinstance(name, str) or not NAME.fullmatch(name) or name in [stage.name for stage in found]:
            raise ConfigError(f"{where}: name is {_shown(name)}; give each stage its own, of lower-case letters and _")
        paths = {"out": f"{shared.out}/{number}_{name}", "start": found[-1].out if found else ""}
        found.append(_read(TrainConfig, {**paths, **shared.defaults, **own}, f"{where} ({name})"))
    return found


@dataclass(frozen=True, kw_only=True)
class _Stages(Checked):
    out: str = ""
    stages: tuple[Mapping[str, Any], ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.out or not self.stages:
            raise ConfigError("a list of stages has the keys out, a directory, and stages, at least one")


def _read(kind: type[C], values: object, where: str) -> C:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {_shown(values)}; it must be a table of settings")
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    if unknown := [str(key) for key in values if key not in known]:
        raise ConfigError(f"{where} has no key {shortened(unknown)}; it has {', '.join(known)}")
    arguments = {key: _value(hints[key], value, f"{where}: {key}") for key, value in values.items()}
    try:
        return kind(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _value(kind: Any, value: Any, where: str) -> Any:
    if get_origin(kind) is Mapping:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} is {_shown(value)}; it must be a table of settings")
        return value
    if get_args(kind):  # tuple[X, ...]
        if not isinstance(value, list):
            raise ConfigError(f"{where} is {_shown(value)}; it must be a list")
        return tuple(_value(get_args(kind)[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if is_dataclass(kind):
        return _read(kind, value, where)  # type: ignore[arg-type]
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    is_sane = value.isprintable() if type(value) is str else type(value) is not int or abs(value) < 2**53
    if type(value) is not kind or not is_sane:
        raise ConfigError(f"{where} is {_shown(value)}; it must be {NAMES[kind]}")
    return value


def _shown(value: object) -> str:
    """A value in one line."""
    return "empty" if value is None else quoted(value)
