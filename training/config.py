"""The settings of training stages, from a YAML file whose first lines are the command that runs them."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from training.worlds.clip import Task
from training.worlds.samples import IMAGE_TASKS, VIDEO_TASKS
from vitron_ros.config import Checked, setting
from vitron_ros.errors import ConfigError
from vitron_ros.model.files import quoted, shortened
from vitron_ros.yaml_file import read_yaml

GROUPS = ("vision", "selector", "projector", "region", "embeddings", "language")
MOST = 10**9  # steps, which numbers of batches must have room for
NAME = re.compile("[a-z][a-z0-9_]*")  # of a stage, which is part of a directory's
NAMES = {int: "a whole number", float: "a number", str: "text in one line", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class ClipsConfig(Checked):
    """Clips of one length in every batch, and what is asked about each."""

    frames: int = setting(1, "frames of a clip", low=1, high=64)
    count: int = setting(1, "clips in a batch", low=1, high=4096)
    wide: float = setting(0.0, "share of clips of a 4:3 camera, stretched as the model sees them", low=0.0, high=1.0)
    cluttered: float = setting(0.0, "share of clips before many things of no name", low=0.0, high=1.0)
    eventful: float = setting(
        0.0, "probability of objects that leave, enter or return, and of a post to hide behind", low=0.0, high=1.0
    )
    close_up: bool = setting(False, "whether the clips are close-ups of patterned objects, single images")
    per_task: int = setting(2, "questions of each task about a clip at most", low=1, high=64)
    comparing: float = setting(
        0.0, "share of what is to be found that is named among others, beside what is so anyway", low=0.0, high=1.0
    )
    misread: float = setting(
        0.0, "largest deviation, in hundredths, of errors in the boxes that an answer goes on from", low=0.0, high=50.0
    )
    tasks: tuple[str, ...] = setting((), "tasks of the worlds; empty: the clips are only looked at (dense stage)")

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = sorted(set(self.tasks) - set(get_args(Task)))
        if unknown:
            raise ConfigError(f"tasks names {', '.join(unknown)}; the worlds have {', '.join(get_args(Task))}")
        never = sorted(set(self.tasks) - set(IMAGE_TASKS if self.frames == 1 else VIDEO_TASKS))
        if never:
            wanted = "clips of two frames or more" if self.frames == 1 else "single images"
            raise ConfigError(f"tasks names {', '.join(never)}, asked about {wanted} alone; frames is {self.frames}")
        if self.close_up and self.frames != 1:
            raise ConfigError(f"close-ups are single images; set frames to 1, not {self.frames}")


def _weight(default: float, description: str) -> Any:
    return setting(default, description, low=0.0, high=1e4)


@dataclass(frozen=True, kw_only=True)
class WeightsConfig(Checked):
    """What each part of the loss counts; 0 leaves it out."""

    text: float = _weight(1.0, "cross entropy of answer tokens that are no numbers of a box")
    number: float = _weight(1.0, "cross entropy of the numbers of boxes with soft neighbours")
    pointer: float = _weight(1.0, "which patches the answer is about")
    word_look: float = _weight(0.0, "attention of attributes' words to visual tokens that have them")
    answer_look: float = _weight(0.0, "attention of an answer's places to the attributes in its question")
    object_look: float = _weight(0.0, "attention of an answer's places to the object that is meant")
    copy_look: float = _weight(0.0, "attention of an answer's places to the words that they take from the question")
    past_look: float = _weight(0.0, "attention of a clip's visual tokens to those that showed the object first")
    past: float = _weight(0.0, "what lies behind an object of a clip, at its visual tokens")
    dense: float = _weight(0.0, "objectness, box and attributes of every patch")
    pattern: float = _weight(0.0, "pattern of every patch, beside its part in dense")
    gate: float = _weight(0.0, "which patches a gated token selector should keep")
    token: float = _weight(0.0, "box and attributes of every visual token, in the language model's words")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Checked):
    """One stage. A run is repeatable from these alone."""

    name: str = setting("stage", "name of the stage, for records")
    out: str = setting("out/training", "directory of checkpoints, log and record")
    model: str = setting("vitron-tiny", "model profile of a fresh start")
    start: str = setting("", "checkpoint, or `out` of the stage before, to start from; empty: fresh weights")
    average: tuple[str, ...] = setting((), "checkpoints whose weights are averaged with those of `start`")
    seed: int = setting(0, "of weights, clips and noise", low=0, high=MOST)
    steps: int = setting(1000, "optimiser steps", low=1, high=MOST)
    warmup: int = setting(50, "steps in which the learning rate rises", low=0, high=MOST)
    learning_rate: float = setting(1e-3, "highest learning rate", low=1e-12, high=1.0)
    optimizer: str = setting("adamw", "of the matrices between hidden layers", choices=("adamw", "muon"))
    look_rate: float = setting(1.0, "learning rate of query and key projections, as a multiple", low=0.0, high=100.0)
    vision_rate: float = setting(1.0, "learning rate of the vision encoder, as a multiple", low=0.0, high=100.0)
    final_share: float = setting(0.02, "share of the learning rate at the end of the cosine", low=0.0, high=1.0)
    weight_decay: float = setting(0.05, "on matrices", low=0.0, high=10.0)
    clip_norm: float = setting(1.0, "norm to which gradients are cut", low=1e-6)
    accumulation: int = setting(1, "batches of one optimiser step", low=1, high=1000)
    train: tuple[str, ...] = setting(GROUPS, f"what learns, among {', '.join(GROUPS)}; all else is frozen")
    lora_rank: int = setting(
        0, "rank of adapters on the language model, which is then frozen; 0: none", low=0, high=65536
    )
    number_sigma: float = setting(1.0, "width of the soft neighbours of a number of 0..100", low=0.01, high=20.0)
    tokenizer_clips: int = setting(
        1500, "clips whose language trains the tokenizer of a fresh start", low=1, high=10**6
    )
    workers: int = setting(0, "processes that make batches; the data do not depend on it", low=0, high=256)
    save_every: int = setting(500, "steps between checkpoints", low=1, high=MOST)
    log_every: int = setting(10, "steps between lines of the log", low=1, high=MOST)
    weights: WeightsConfig = field(default_factory=WeightsConfig)
    clips: tuple[ClipsConfig, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.out:
            raise ConfigError("out is empty; name the directory of the stage's checkpoints")
        unknown = sorted(set(self.train) - set(GROUPS))
        if unknown:
            raise ConfigError(f"train names {', '.join(unknown)}; there are {', '.join(GROUPS)}")
        if not self.train and not self.lora_rank:
            raise ConfigError("train is empty; name at least one group that learns")
        if self.average and not self.start:
            raise ConfigError("average goes with start, whose weights are averaged with others'; name both")
        if self.lora_rank and "language" in self.train:
            raise ConfigError("train names language, which lora_rank freezes; leave one of them out")
        if not self.clips:
            raise ConfigError("clips is empty; name at least one kind of clip")
        asked = {task for clips in self.clips for task in clips.tasks}
        if not asked and not (self.weights.dense or self.weights.gate or self.weights.token):
            raise ConfigError("nothing is learned: no clip has tasks, and weights.dense, gate and token are 0")
        if self.weights.pattern and not self.weights.dense:
            raise ConfigError("weights.pattern is a part of weights.dense, which is 0; give that a weight too")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


C = TypeVar("C")


def load_stages(path: Path) -> list[TrainConfig]:
    """The stages that a YAML file describes, in order: a single one, or a list with shared defaults.

    A list has the keys `out`, a directory, `defaults`, settings that a stage need not repeat, and `stages`. Each stage
    has a `name`, writes to `out`/NUMBER_NAME and starts from the one before, unless it says otherwise.

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
            raise ConfigError(f"{where}: name is {_shown(name)}; give each stage its own, of small letters and _")
        place = {"out": f"{shared.out}/{number}_{name}", "start": found[-1].out if found else ""}
        found.append(_read(TrainConfig, {**place, **shared.defaults, **own}, f"{where} ({name})"))
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
