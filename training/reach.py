"""Which weights the losses of a stage reach, so that a stage that cannot teach is refused before it runs."""

import logging

from training.config import TrainConfig
from vitron_ros.errors import ConfigError
from vitron_ros.model.config import ModelConfig

MARKING = {"reg", "sot", "video_reg", "vqa", "video_qa", "invocation"}  # tasks that mark regions
BOXED = {"rec", "rsot", "sot", "grounded_caption", "invocation"}  # tasks whose answers have numbers of boxes
LEARNING = {"gated", "concat", "cross_attention"}  # selectors that learn from what becomes of their tokens
PATCHES = {"gated", "published", "attention", "none"}  # selectors whose tokens are patches of known places

logger = logging.getLogger(__name__)


def reached(config: TrainConfig, model: ModelConfig) -> set[str]:
    """The groups of weights that get gradients from the tasks and the losses of a stage."""
    weights, selector = config.weights, model.selector.kind
    tasks = {task for clips in config.clips for task in clips.tasks}
    tasks_of_video = {task for clips in config.clips if clips.frames > 1 for task in clips.tasks}
    looks = weights.word_look or weights.answer_look or weights.object_look or weights.copy_look
    is_asked = (
        (tasks and (weights.text or weights.pointer))
        or (tasks & BOXED and weights.number)
        or (selector in PATCHES and tasks and looks)
        or (selector in PATCHES and tasks_of_video and (weights.past or weights.past_look))
    )
    groups: set[str] = set()
    if weights.dense:
        groups |= {"vision"}
    if weights.gate:
        groups |= {"vision", "selector"}
    if is_asked or (weights.token and selector in PATCHES):
        groups |= {"vision", "projector", "embeddings"} | ({"selector"} if selector in LEARNING else set())
    if is_asked:
        groups |= {"language"} | ({"region"} if tasks & MARKING and model.region.kind != "none" else set())
    return groups


def taught(config: TrainConfig) -> set[str]:
    """The groups that a stage means to teach; adapters are the language model's."""
    groups = set(config.train) | ({"language"} if config.lora_rank else set())
    return groups if config.vision_rate else groups - {"vision"}


def check_reach(config: TrainConfig, model: ModelConfig) -> None:
    """Warns of groups that cannot learn beside others that do.

    Raises:
        ConfigError: nothing can be learned: no loss of the stage reaches a group that learns.
    """
    wanted, found = taught(config), reached(config, model)
    names = ", ".join(sorted(wanted - found))
    if not wanted & found:
        raise ConfigError(
            f"nothing is learned: no task or weight of this stage reaches {names or 'what train names'}; it reaches "
            f"{', '.join(sorted(found)) or 'nothing'}"
        )
    if names:
        logger.warning("no task or weight of this stage reaches %s, which will stay as it is", names)
