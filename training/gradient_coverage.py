"""Which groups of weights get gradients from a stage, so that one that trains nothing is refused before it runs."""

import logging
from collections.abc import Mapping

from torch import nn

from training.config import TrainConfig
from training.distributed import World, local
from training.errors import TrainingError
from training.training_module import group_of
from vitron_ros.errors import ConfigError
from vitron_ros.model.config import ModelConfig

REGION_TASKS = {"reg", "sot", "video_reg", "vqa", "video_qa", "invocation"}  # tasks that mark regions
BOX_TASKS = {"rec", "rsot", "sot", "grounded_caption", "invocation"}  # tasks whose answers have box coordinates
TRAINABLE_SELECTORS = {"gated", "concat", "cross_attention"}  # selectors that get gradients through their tokens
PATCH_SELECTORS = {"gated", "published", "attention", "none"}  # selectors whose tokens are patches

logger = logging.getLogger(__name__)


def reached_groups(config: TrainConfig, model: ModelConfig) -> set[str]:
    """The groups of weights that get gradients from the tasks and the losses of a stage."""
    weights, selector = config.loss_weights, model.selector.kind
    tasks = config.tasks
    video_tasks = {task for clips in config.clips if clips.frames > 1 for task in clips.tasks}
    attention = (
        weights.attribute_attention or weights.question_attention or weights.object_attention or weights.copy_attention
    )
    has_questions = (
        (tasks and (weights.text or weights.pointer))
        or (tasks & BOX_TASKS and weights.coordinate)
        or (selector in PATCH_SELECTORS and tasks and attention)
        or (selector in PATCH_SELECTORS and video_tasks and (weights.motion_history or weights.history_attention))
    )
    groups: set[str] = set()
    if weights.dense:
        groups |= {"vision"}
    if weights.gate:
        groups |= {"vision", "selector"}
    if has_questions or (weights.visual_token and selector in PATCH_SELECTORS):
        groups |= {"vision", "projector", "embeddings"} | ({"selector"} if selector in TRAINABLE_SELECTORS else set())
    if has_questions:
        groups |= {"language"} | ({"region"} if tasks & REGION_TASKS and model.region.kind != "none" else set())
    return groups


def trainable_groups(config: TrainConfig) -> set[str]:
    """The groups that a stage should train; adapters belong to the language model."""
    groups = set(config.trainable) | ({"language"} if config.lora_rank else set())
    return groups if config.vision_lr_scale else groups - {"vision"}


def check_gradient_coverage(config: TrainConfig, model: ModelConfig) -> None:
    """Warns of trainable groups that get no gradient.

    Raises:
        ConfigError: no trainable group gets a gradient from the losses of the stage.
    """
    wanted, found = trainable_groups(config), reached_groups(config, model)
    names = ", ".join(sorted(wanted - found))
    if not wanted & found:
        raise ConfigError(
            f"nothing is trained: no task or loss of this stage reaches {names or 'what trainable names'}; it reaches "
            f"{', '.join(sorted(found)) or 'nothing'}"
        )
    if names:
        logger.warning("no task or loss of this stage reaches %s, which will not change", names)


class GradientCoverage:
    """Which groups of weights got a gradient since a run began."""

    def __init__(self, weights: Mapping[str, nn.Parameter], config: TrainConfig, model: ModelConfig) -> None:
        groups = sorted(trainable_groups(config) & reached_groups(config, model))
        self._unreached = {
            group: [weight for name, weight in weights.items() if group_of(name.removeprefix("model.")) == group]
            for group in groups
        }
        self._groups = groups

    def update(self) -> None:
        """Notes the gradients of a step."""
        for group in [group for group, weights in self._unreached.items() if any(map(_has_gradient, weights))]:
            del self._unreached[group]

    def check(self, steps: int, world: World) -> None:
        """Warns, once, of groups that got no gradient in any process.

        Args:
            steps: since the run began.

        Raises:
            TrainingError: no group got one.
        """
        missed = [group for group in self._groups if not world.any(group not in self._unreached)]
        names = ", ".join(missed)
        if len(missed) == len(self._groups):
            raise TrainingError(f"nothing was trained in {steps} steps: no gradient reached {names}")
        if names:
            logger.warning("no gradient has reached %s in %d steps", names, steps)
        self._unreached.clear()


def _has_gradient(weight: nn.Parameter) -> bool:
    return weight.grad is not None and bool(local(weight.grad).any())
