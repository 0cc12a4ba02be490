"""Why goals fail that have no target yet: what happened, and what a person can do about it."""

from vitron_ros.clock import SECOND_NS
from vitron_ros.config import PipelineConfig
from vitron_ros.streaming.goal_state import GoalState
from vitron_ros.streaming.goals import Failure, Outcome
from vitron_ros.streaming.step_context import StepContext
from vitron_ros.tracking.track import Reason


def no_model(prompt: str) -> Failure:
    text = (
        f"no model loaded: cannot look for {prompt!r}; "
        "set model to vitron-tiny or to a folder with a checkpoint, or give a region"
    )
    return Failure(Outcome.MODEL_ERROR, Reason.MODEL_ERROR, text)


def too_many_targets(count: int, config: PipelineConfig) -> Failure:
    text = f"already following {count} targets, the limit is max_targets={config.max_targets}"
    return Failure(Outcome.OVERLOADED, Reason.NONE, text)


def target_gone(lost_timeout: float) -> str:
    """Of one target of a goal that follows others, too."""
    return f"not seen for {lost_timeout:g} s; the goal goes on with the others"


def image_not_kept(context: StepContext, stamp_ns: int) -> Failure:
    """The image of that stamp, on which a region was drawn."""
    age_s = (context.image_ns - stamp_ns) / SECOND_NS
    text = (
        f"the image that the region was drawn on is not kept any more: it is {age_s:.1f} s older than the "
        f"newest, and history is {context.config.history:g} s"
    )
    return Failure(Outcome.BAD_REGION, Reason.BAD_REGION, text)


def model_silent(timeout: float) -> Failure:
    text = f"the model has not answered within {timeout:g} s; it hangs or is too slow for this machine"
    return Failure(Outcome.TIMEOUT, Reason.MODEL_ERROR, text)


def no_image(context: StepContext, timeout: float) -> Failure:
    """No image was seen in all the time of a goal."""
    if context.problem:
        text = f"no image could be read within {timeout:g} s, the last: {context.problem}"
    elif context.period_s > timeout:
        period = f"{context.period_s:.1f} s"
        text = f"no image came within {timeout:g} s; this camera sends one every {period}: wait for longer"
    else:
        text = f"no image came within {timeout:g} s; check the camera's topic and QoS"
    return Failure(Outcome.INPUT_STALE, Reason.NONE, text)


def not_found(context: StepContext, goal: GoalState, where: str) -> Failure:
    """where: "within 5 s" and the like."""
    ahead_s = (goal.request.region_stamp_ns - context.image_ns) / SECOND_NS
    if ahead_s > 0:
        text = (
            f"the image that the region was drawn on never came {where}: its stamp is {ahead_s:.1f} s ahead of the "
            "newest image's; take region_stamp from the header of that image"
        )
    else:
        texts = (search.not_found_text(where) for search in goal.open_searches)
        text = "; ".join(texts) or f"nothing was found {where}"
    if context.problem:
        text += f"; no image can be read any more, the last: {context.problem}"
    return Failure(Outcome.NOT_FOUND, Reason.NOT_SEEN, text)
