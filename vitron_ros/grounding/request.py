"""What the model is asked and what it says: the data between a camera's pipeline and the model that serves them all.

Shapes: T frames, G rows and columns of the patch grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitron_ros.boxes import Boxes
from vitron_ros.frame import Frame
from vitron_ros.model.answers import Invocation
from vitron_ros.region import Region

LONGEST_TEXT = 2000  # characters: a page
MOST_REGIONS = 16

Roi = tuple[int, int, int, int]
"""A part of an image: px, x_min, y_min, x_max, y_max, the last two exclusive."""


class Task(Enum):
    """What a request wants.

    FIND: the target of a phrase in every frame (REC, RSOT). FOLLOW: the target of a box in the first frame, in every
    frame (SOT). ASK: an answer to a question or a command. DESCRIBE: what a region of the newest frame shows (REG).
    VERIFY: whether a region of the newest frame shows what a phrase says.
    """

    FIND = "find"
    FOLLOW = "follow"
    ASK = "ask"
    DESCRIBE = "describe"
    VERIFY = "verify"


IN_WORDS = (Task.ASK, Task.DESCRIBE, Task.VERIFY)
"""Tasks whose answer has no boxes of its own."""

ABILITIES = {
    Task.FIND: "find what a phrase describes",
    Task.FOLLOW: "follow a box",
    Task.ASK: "answer questions",
    Task.DESCRIBE: "describe a region",
    Task.VERIFY: "verify what a region shows",
}
"""What a model can do that takes on a task, for a person."""


class ReplyStatus(Enum):
    """How a request ended.

    OK: answered. ABSENT: the target is in none of the frames. UNSURE: two views of the same frames differ, the score is
    too low, or nothing of a phrase can be verified. UNKNOWN: the text is outside what the model knows. REFUSED: the
    text does not ask for what would be done, or for nothing; the message asks back. REJECTED: the model would call a
    module for what the text does not ask for, also after it was told so. UNREADABLE: a reply that is no
    answer to the task. DEADLINE, CANCELLED: cut off. FAILED: the model raised.
    """

    OK = "ok"
    ABSENT = "absent"
    UNSURE = "unsure"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNREADABLE = "unreadable"
    DEADLINE = "deadline"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConversationTurn:
    """An earlier turn of a conversation.

    Attributes:
        box_xyxy: (4,) px in the frame of that time, what the turn was about; None: nothing with a box.
    """

    question: str
    reply: str
    box_xyxy: Boxes | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelRequest:
    """One question to the model.

    Attributes:
        id: unique among the open requests; the reply carries it.
        frames: T frames of one camera in order of time; the reply speaks of them alone.
        text: the phrase of FIND and VERIFY, the question or command of ASK.
        newest: of FIND: so many of the newest frames are a view of their own, too, see `streaming.multi_view`;
            0, or no less than there are: one view.
        wants_candidates: of FIND: everything that fits the phrase is wanted, and each is verified.
        box_xyxy: (4,) px, of FOLLOW: the target in the first frame.
        roi_xyxy: of FOLLOW: the only part of the images that the model is shown; None: all. Frames and boxes are of
            whole images until `streaming.answering` asks, and of the window in what the model is given.
        regions: of ASK: what "this" means, in the newest frame, in the order of the text. Of DESCRIBE and VERIFY: the
            one.
        history: of ASK: earlier turns, oldest first.
        choices: of ASK: the only answers that are wanted, of which the first letters differ; empty: any. A model may
            answer something else all the same.
        min_score: of ASK: an answer below it is UNSURE, and calls no module.
        is_placed: of FIND and VERIFY: what the phrase says of place, order and size is tested too. Not so of a target
            that is followed already: it may have moved.
        deadline_ns: on the model's clock; no pass starts after it. None: none.
        is_cancelled: asked before each pass.
        on_text: given the text so far as it grows.
    """

    id: str
    task: Task
    frames: tuple[Frame, ...]
    text: str = ""
    newest: int = 0
    wants_candidates: bool = False
    box_xyxy: Boxes | None = None
    roi_xyxy: Roi | None = None
    regions: tuple[Region, ...] = ()
    history: tuple[ConversationTurn, ...] = ()
    choices: tuple[str, ...] = ()
    min_score: float = 0.0
    is_placed: bool = True
    deadline_ns: int | None = None
    is_cancelled: Callable[[], bool] = lambda: False
    on_text: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grounded:
    """A box that an answer names, in the newest frame of its request."""

    label: str
    box_xyxy: Boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelReply:
    """What the model says.

    Attributes:
        stamps_ns: of the request's frames, when the reply is true.
        message: one sentence for a person where the status is not OK; where it is, what was left out, if anything.
        text: the model's words; of VERIFY: what it takes the region for, or empty.
        boxes_xyxy: (T, 4) px, of FIND and FOLLOW; NaN where the model says "none" or nothing readable.
        candidates_xyxy: (N, 4) px, of FIND: what fits the phrase in the newest frame, best first, beginning with the
            reply's own box; empty where a model names one at most.
        candidate_scores: (N,) of these, on the scale of `score`.
        score: probability that the model gave its own answer, 0..1 (geometric mean over the tokens that were free). Of
            a model with a `min_score` of its own, on that model's scale, 0..1. Of VERIFY: that the region shows it,
            or if ABSENT something else.
        min_score: from which this reply counts, of a model whose cut-off depends on how it came to it; None: that of
            the model, see `LanguageVision`.
        grounded: of ASK: boxes that the answer names.
        invocation: of ASK: what an expert module is to do; its region in fractions of the newest frame.
        kept: (T, G, G) bool, of the frames that were looked at, the patches that reached the language model; None where
            they are mixtures.
        is_contradicted: of ABSENT: something was found, and it is not what the phrase says.
        is_doubted: of a box: it was described as something else, but not surely.
        seconds: that the model took for it, alone or with its batch.
    """

    id: str
    task: Task
    status: ReplyStatus
    stamps_ns: tuple[int, ...] = ()
    message: str = ""
    text: str = ""
    boxes_xyxy: Boxes | None = None
    candidates_xyxy: Boxes = field(default_factory=lambda: np.empty((0, 4)))
    candidate_scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    score: float = 0.0
    min_score: float | None = None
    grounded: tuple[Grounded, ...] = ()
    invocation: Invocation | None = None
    kept: NDArray[np.bool_] | None = None
    is_contradicted: bool = False
    is_doubted: bool = False
    seconds: float = 0.0

    def needed_score(self, min_score: float) -> float:
        """From which it counts: the model's own cut-off, or the given one where it has none."""
        return min_score if self.min_score is None else self.min_score

    def is_sure(self, min_score: float) -> bool:
        """Whether the score reaches `needed_score`."""
        return self.score >= self.needed_score(min_score)


def lack_of(task: Task, tasks: frozenset[Task]) -> str:
    """Why a model with these tasks does not take on another, for a person; empty: it does."""
    if task in tasks:
        return ""
    can = ", ".join(ability for other, ability in ABILITIES.items() if other in tasks)
    return f"this model cannot {ABILITIES[task]}; it can only {can}: give another model for that"


def text_problem(text: str) -> str:
    """Why a text is longer than anybody means it to be, for a person; empty: it is not."""
    return f"the text has {len(text):,} characters; give {LONGEST_TEXT:,} at most" if len(text) > LONGEST_TEXT else ""


def regions_problem(count: int) -> str:
    """Why so many regions are more than anybody means, for a person; empty: they are not."""
    return f"there are {count:,} regions; give {MOST_REGIONS} at most" if count > MOST_REGIONS else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """What a loaded model is.

    Attributes:
        name: the directory, bundled name or address that it was loaded by.
        family: the `model_type` of its config.json, or "server".
        parameters, memory_bytes: of its weights, here; 0: they are elsewhere.
        device: where it runs: cpu, cuda:N, or the address of a server.
        licence: as its model card says; empty: it does not.
        source: the publication or the page that it comes from; empty: unknown.
    """

    name: str
    family: str
    tasks: frozenset[Task]
    parameters: int
    memory_bytes: int
    device: str
    licence: str = ""
    source: str = ""


class LanguageVision(Protocol):
    """A model as the runtime sees it. Used by one thread.

    Attributes:
        tasks: what it can do; other requests never reach it. What a model finds that cannot VERIFY is taken at its
            word.
        max_frames: of one request.
        max_requests: of one call.
        uses_newest_frame_only: frames before the newest are not looked at, and their boxes are NaN.
        min_score: from which a reply counts, of a model whose scores are no probabilities; None: `model_min_score`.
    """

    @property
    def tasks(self) -> frozenset[Task]: ...

    @property
    def max_frames(self) -> int: ...

    @property
    def max_requests(self) -> int: ...

    @property
    def uses_newest_frame_only(self) -> bool: ...

    @property
    def min_score(self) -> float | None: ...

    def describe(self) -> ModelDescription:
        """What it is: family, size, device, licence."""
        ...

    def reply(self, requests: Sequence[ModelRequest]) -> list[ModelReply]:
        """Answers side by side, in the order of the requests. What goes wrong with one is a status of its reply."""
        ...
