"""Samples of language about a clip."""

from dataclasses import dataclass
from typing import Literal

Task = Literal[
    "rec", "reg", "rsot", "sot", "video_reg", "caption", "grounded_caption", "vqa", "video_qa", "invocation"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class DialogueTurn:
    """An earlier turn of a conversation: the user's text, the reply, and the object it is about."""

    user: str
    reply: str
    target: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One task about a clip, as pure data. `training.questions` makes the prompt.

    Attributes:
        task: the task.
        kind: finer than the task, such as "attribute", "ordinal" or "count"; for analysis.
        frames: indices of the frames that the task shows, one for an image task.
        expression: the referring expression (REC, RSOT), or the true description (REG, Video-REG).
        target: index of the referent; None where the answer is "none" or there is no referent.
        absent: whether the expression matches no object.
        region: index of the object that the request marks with a box or mask; None without a mark.
        question, answer: of a question, a caption (empty question) or an invocation (request and reply text).
        attributes: the words that a correct description contains (REG, Video-REG).
        spans: grounded captions and answers: (start, end, object) for every phrase of the answer that names an object.
        module, instructions: letter and instructions of an invocation.
        chain: intermediate objects of a multi-step reference, each with a frame of the clip that shows it.
        history: earlier turns, for pronouns.
        template: the template, not filled.
        held_out_template: whether training never uses this template.
    """

    task: Task
    kind: str
    frames: tuple[int, ...]
    expression: str = ""
    target: int | None = None
    absent: bool = False
    region: int | None = None
    question: str = ""
    answer: str = ""
    attributes: tuple[str, ...] = ()
    spans: tuple[tuple[int, int, int], ...] = ()
    module: str = ""
    instructions: tuple[str, ...] = ()
    chain: tuple[tuple[int, int], ...] = ()
    history: tuple[DialogueTurn, ...] = ()
    template: str = ""
    held_out_template: bool = False
