"""Whether a sample is right, by the runtime's own checks: its reply is parsed as it was meant, its text asks for it."""

import numpy as np

from training.invocations.samples import Sample
from vitron_ros.boxes import iou
from vitron_ros.grounding.intent import SpeechAct, read_intent, tokenise
from vitron_ros.grounding.request import ModelRequest, Task
from vitron_ros.model.answers import Invocation, invocation_text
from vitron_ros.model.parsing import ParseStatus, parse_reply
from vitron_ros.modules.instructions import read_instructions
from vitron_ros.modules.module import ModuleFailure
from vitron_ros.region import Region
from vitron_ros.streaming.invocation_check import intent_problem

STEP = 0.011  # how far a coordinate of two decimals may be from what was meant
LONGEST = 400  # characters of a request


def reply_text(sample: Sample) -> str:
    """The reply as the model should give it."""
    return sample.reply if sample.invocation is None else invocation_text(sample.reply, sample.invocation)


def problem(sample: Sample) -> str:
    """Why a sample cannot be used, in a few words that count with others of their kind; empty: it can."""
    return _reply_problem(sample) or _request_problem(sample)


def _reply_problem(sample: Sample) -> str:
    parsed = parse_reply(reply_text(sample))
    if parsed.status is not ParseStatus.OK or parsed.repairs or parsed.boxes or parsed.frames or parsed.is_absent:
        return "the reply cannot be parsed"
    if (parsed.invocation is None) != (sample.invocation is None) or parsed.text != sample.reply:
        return "the reply is parsed into something else"
    if parsed.invocation is None or sample.invocation is None:
        return ""
    if not _is_same(parsed.invocation, sample.invocation):
        return "the reply is parsed into something else"
    try:
        read_instructions(parsed.invocation.module, parsed.invocation.instructions)
    except ModuleFailure:
        return "the module does not understand the instruction"
    return ""


def _request_problem(sample: Sample) -> str:
    if len(sample.request) > LONGEST or "<" in sample.request:
        return "the request is too long, or has tags"
    intent = read_intent(sample.request)
    if sample.is_forbidden:
        return "" if intent.speech_act is SpeechAct.PROHIBITION else "the request does not forbid anything"
    if intent.speech_act is not SpeechAct.REQUEST:
        return "the request asks for nothing"
    if sample.invocation is None:
        return ""
    mark = sample.mark
    regions = () if mark is None else (Region.from_box(np.array(mark) * 100),)
    request = ModelRequest(id="", task=Task.ASK, frames=(), text=sample.request, regions=regions)
    return "the request asks for something else" if intent_problem(request, intent, sample.invocation) else ""


def has_words(sample: Sample, text: str) -> bool:
    """Whether a text has every word that the request of a sample has to have."""
    words = set(tokenise(text))
    return all(word in words for phrase in sample.words for word in tokenise(phrase))


def _is_same(parsed: Invocation, meant: Invocation) -> bool:
    if parsed.module is not meant.module or parsed.instructions != meant.instructions:
        return False
    if parsed.region is None or meant.region is None:
        return parsed.region is meant.region
    near = np.abs(np.array(parsed.region) - np.array(meant.region)).max() <= STEP
    return bool(near and iou(np.array(parsed.region), np.array(meant.region)) > 0)
