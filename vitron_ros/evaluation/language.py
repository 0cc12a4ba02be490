"""Sentences that are given to a model, what should result from them, and what does.

Three figures of each kind of sentence: how many end right; wrong actions, calls of a module that were not asked for, or
on another thing; and confident boxes on something else, or on nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitron_ros.boxes import Boxes, iou, xyxy_from_norm
from vitron_ros.errors import ConfigError
from vitron_ros.frame import Frame
from vitron_ros.grounding.intent import SpeechAct, read_intent
from vitron_ros.grounding.request import LanguageVision, ModelReply, ModelRequest, ReplyStatus, Task
from vitron_ros.model.answers import Invocation
from vitron_ros.module_registry import Module
from vitron_ros.streaming.answering import answers, unchecked_answers
from vitron_ros.streaming.intent_gate import NEWEST, targets
from vitron_ros.yaml_file import read_entries

KEYS = ("source", "at", "as", "text", "kind", "expect")
PLAIN = ("absent", "refused", "no_action")
FIELDS = frozenset(("box", "boxes", "answer", "module", "verb"))
MODULES = {module.name.lower(): module for module in Module}
RIGHT_IOU = 0.5
DECLINED = (ReplyStatus.REFUSED, ReplyStatus.REJECTED, ReplyStatus.UNKNOWN, ReplyStatus.UNSURE, ReplyStatus.ABSENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceCase:
    """A sentence, and what should result from it.

    Attributes:
        source: what is seen, relative to the suite's file.
        at_s: s from its first image; None: the last one.
        said_as: "track": the prompt of a goal; "ask": a question or command.
        expect: "absent", "refused", "no_action", or fields: box, boxes (px), answer (words of which one is said),
            module, verb (with which its instruction begins).
    """

    source: str
    at_s: float | None
    said_as: Literal["track", "ask"]
    text: str
    kind: str
    expect: str | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SentenceResult:
    """What resulted from a sentence: the boxes that count, in px, and what a person is told."""

    status: ReplyStatus
    boxes_xyxy: tuple[Boxes, ...] = ()
    invocation: Invocation | None = None
    text: str = ""
    message: str = ""
    score: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceScore:
    is_right: bool
    is_wrong_action: bool = False
    is_wrong_box: bool = False


def read_suite(path: Path) -> list[SentenceCase]:
    """The cases of a YAML file, a list under the key `cases`.

    Raises:
        ConfigError: the file cannot be read, or a case says something unknown or impossible.
    """
    return [_case(item, where) for where, item in read_entries(path, "cases", KEYS)]


def _case(item: Mapping[str, Any], where: str) -> SentenceCase:
    if lacking := [key for key in KEYS if key not in item and key != "at"]:
        raise ConfigError(f"{where} lacks {', '.join(lacking)}")
    expect, at_s = item["expect"], item.get("at")
    is_known = expect in PLAIN if isinstance(expect, str) else isinstance(expect, Mapping) and set(expect) <= FIELDS
    if not is_known or not expect or item["as"] not in ("track", "ask"):
        raise ConfigError(f"{where} is said as track or ask, and expects {', '.join(PLAIN)} or {', '.join(FIELDS)}")
    if isinstance(expect, Mapping) and str(expect.get("module", "text")) not in MODULES:
        raise ConfigError(f"{where} has the module {expect['module']!r}; there are {', '.join(MODULES)}")
    if at_s is not None and not (isinstance(at_s, int | float) and 0 <= at_s < np.inf):
        raise ConfigError(f"{where} is at {at_s!r}; give seconds from the first image, 0 or more")
    return SentenceCase(
        source=str(item["source"]),
        at_s=None if at_s is None else float(at_s),
        said_as=item["as"],
        text=str(item["text"]),
        kind=str(item["kind"]),
        expect=expect,
    )


def run_case(
    model: LanguageVision, case: SentenceCase, frames: tuple[Frame, ...], min_score: float, *, is_checked: bool
) -> SentenceResult:
    """What results from a sentence about frames.

    Args:
        min_score: from which the model's reply counts; without checks, for boxes of goals alone.
        is_checked: whether text and boxes are verified, as the runtime does.
    """
    ask = answers if is_checked else unchecked_answers
    task = Task.FIND if case.said_as == "track" else Task.ASK
    texts = [wanted.phrase for wanted in targets(case.text)] if task is Task.FIND and is_checked else [case.text]
    requests = [
        ModelRequest(
            id=str(number),
            task=task,
            frames=frames,
            text=text,
            newest=NEWEST if task is Task.FIND else 0,
            min_score=min_score,
        )
        for number, text in enumerate(texts)
    ]
    replies = ask(model, requests)
    first = next((reply for reply in replies if reply.status is ReplyStatus.OK), replies[0])
    return SentenceResult(
        status=first.status,
        boxes_xyxy=tuple(box for reply in replies for box in _boxes(reply, min_score)),
        invocation=first.invocation,
        text=first.text if task is Task.ASK else "",
        message="; ".join(filter(None, map(_told, texts, replies) if len(texts) > 1 else [first.message])),
        score=first.score,
    )


def _told(text: str, reply: ModelReply) -> str:
    """What a goal with several phrases tells of one of them."""
    return reply.message if reply.status is ReplyStatus.OK else f'"{text}" was not found: {reply.message}'


def _boxes(reply: ModelReply, min_score: float) -> list[Boxes]:
    """The boxes that count: of a goal, from `min_score` on."""
    if reply.status is not ReplyStatus.OK:
        return []
    if reply.task is Task.ASK:
        return [item.box_xyxy for item in reply.grounded]
    if reply.boxes_xyxy is None or not reply.is_sure(min_score):
        return []
    shown = [box for box in reply.boxes_xyxy if np.isfinite(box).all()]
    return shown[-1:]


def score_result(case: SentenceCase, result: SentenceResult, width: int, height: int) -> SentenceScore:
    """Whether what resulted from a sentence is right, for an image of that size."""
    expect = case.expect
    if isinstance(expect, str):
        is_wrong_box = bool(result.boxes_xyxy) and (expect != "no_action" or case.said_as == "track")
        is_quiet = result.invocation is None and not is_wrong_box
        is_said = (
            result.status in DECLINED or expect == "no_action" or read_intent(case.text).speech_act is SpeechAct.CONTROL
        )
        is_right = is_quiet and (is_said or (expect == "absent" and not result.boxes_xyxy))
        return SentenceScore(
            is_right=is_right, is_wrong_action=result.invocation is not None, is_wrong_box=is_wrong_box
        )
    if "module" in expect:
        is_right = _is_call(expect, result.invocation, width, height)
        return SentenceScore(is_right=is_right, is_wrong_action=result.invocation is not None and not is_right)
    true = [np.array(box, float) for box in expect.get("boxes", [expect["box"]] if "box" in expect else [])]
    is_wrong_box = bool(true) and any(not _hit(box, true) for box in result.boxes_xyxy)
    found = [box for box in true if _hit(box, result.boxes_xyxy)]
    is_told = len(true) > 1 and bool(found) and (" is taken" in result.message or " was not found" in result.message)
    is_right = result.invocation is None and not is_wrong_box and (len(found) == len(true) or is_told)
    if "answer" in expect:
        is_right = (
            is_right and result.status is ReplyStatus.OK and any(_says(result.text, word) for word in expect["answer"])
        )
    return SentenceScore(is_right=is_right, is_wrong_action=result.invocation is not None, is_wrong_box=is_wrong_box)


def _is_call(expect: Mapping[str, Any], invocation: Invocation | None, width: int, height: int) -> bool:
    if invocation is None or invocation.module is not MODULES[expect["module"]]:
        return False
    if not any(text.startswith(expect.get("verb", "")) for text in invocation.instructions):
        return False
    if "box" not in expect:
        return True
    if invocation.region is None:
        return False
    return _hit(np.asarray(xyxy_from_norm(invocation.region, width, height)), [np.array(expect["box"], float)])


def _hit(box_xyxy: Boxes, others: Sequence[Boxes]) -> bool:
    return any(iou(box_xyxy, other) >= RIGHT_IOU for other in others)


def _says(text: str, word: str) -> bool:
    return f" {str(word).lower()} " in f" {' '.join(text.lower().replace('.', ' ').replace(',', ' ').split())} "
