"""The intent gate: what a text may make the model do. Node, replay and command line all ask through it."""

import re
from dataclasses import dataclass, replace

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import Intent, SpeechAct, has_content_word, read_intent, tokenise
from vitron_ros.grounding.referring_expressions import ReferringExpression, parse_expressions
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task, lack_of
from vitron_ros.streaming.ask_handler import AskHandler, DescribeHandler, LocateHandler
from vitron_ros.streaming.find_handler import FindHandler
from vitron_ros.streaming.request_handler import FixedReply, PassThrough, RequestHandler

NEWEST = 1  # images of a clip in which an object is looked for first
EXISTS = re.compile(
    r"(?:is|are) there (?P<thing>(?:an?|any|some) .+)|(?:do|can) you see (?P<seen>(?:an?|any|some|the) .+)"
)
NAMES = re.compile(r"(?:what is|describe|name) (?:this|that|it)(?: (?:thing|object|one))?")
CONTROLS = {
    "stop": "There is nothing to stop: each text is answered once. A goal ends when its client cancels it.",
    "undo": "There is nothing to undo: the camera's images are never changed, and every edit begins with one of them.",
    "help": 'Ask about what the camera sees ("what colour is the mug?", "where is the mug?"), or say what to do with '
    'it ("track the mug", "cut out the mug", "remove the mug", "make the mug blue").',
}


def handler_for(request: ModelRequest, tasks: frozenset[Task]) -> RequestHandler:
    """How a request is to be answered by a model with these tasks."""
    if request.task is Task.ASK:
        return _ask(request, tasks)
    lack = lack_of(request.task, tasks)
    if lack:
        return FixedReply(request, ReplyStatus.REFUSED, lack)
    return _find(request, Task.VERIFY in tasks) if request.task is Task.FIND else PassThrough(request)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a prompt asks to follow.

    Attributes:
        count: of the things that the phrase describes; None: all that there are.
        is_capped: the prompt asks for more, which the goal does not allow.
    """

    phrase: str
    count: int | None = 1
    is_capped: bool = False


def targets(prompt: str, max_targets: int | None = None) -> tuple[Wanted, ...]:
    """What a prompt asks to follow, each for a search of its own; the prompt itself if it names one kind of thing.

    Args:
        max_targets: of the goal; more than one makes a phrase without an article, as "mug", mean as many.
    """
    phrases = parse_expressions(_description(prompt))
    if phrases.conjunction == "and":
        return tuple(_wanted(phrase.text, phrase, max_targets) for phrase in phrases.items)
    return (Wanted(prompt) if phrases.conjunction else _wanted(prompt, phrases.items[0], max_targets),)


def _wanted(text: str, phrase: ReferringExpression, max_targets: int | None) -> Wanted:
    if max_targets is None or phrase.count is None:
        return Wanted(text, phrase.count)
    if phrase.is_plain and max_targets > 1:
        return Wanted(text, None)
    return Wanted(text, min(phrase.count, max_targets), phrase.count > max_targets)


def _description(prompt: str) -> str:
    """What a prompt asks to find, without the request around it."""
    intent = read_intent(prompt)
    if intent.speech_act is SpeechAct.REQUEST and intent.actions == {"find"}:
        return next(mention.object for mention in intent.requests)
    return prompt


def _find(request: ModelRequest, verifies: bool) -> RequestHandler:
    """A phrase, perhaps as a request to follow it."""
    intent, text = read_intent(request.text), _description(request.text)
    if text is request.text and intent.speech_act in (
        SpeechAct.REQUEST,
        SpeechAct.PROHIBITION,
        SpeechAct.QUESTION,
        SpeechAct.CONTROL,
    ):
        problem = f'"{request.text.strip()}" does not describe an object'
        return FixedReply(request, ReplyStatus.REFUSED, f'{problem}; describe it, as in "the small red ring"')
    if not has_content_word(tokenise(text)):
        return FixedReply(request, ReplyStatus.UNKNOWN, f'"{request.text.strip()}" names no object to look for')
    phrases = parse_expressions(text)
    if any(phrase.is_negative for phrase in phrases.items):
        problem = f'"{text.strip()}" only says what is not meant; describe the object that is'
        return FixedReply(request, ReplyStatus.REFUSED, problem)
    return FindHandler(request if text is request.text else replace(request, text=text), phrases, verifies)


def _ask(request: ModelRequest, tasks: frozenset[Task]) -> RequestHandler:
    """A question or a command. Where something is, a model that only finds can tell, too."""
    finds, verifies = Task.FIND in tasks, Task.VERIFY in tasks
    intent = read_intent(request.text)
    refers = bool(request.regions or request.history)
    if intent.speech_act is SpeechAct.CONTROL:
        return FixedReply(request, ReplyStatus.OK, text=CONTROLS[intent.control], score=1.0)
    refusal = _refusal(request.text.strip(), intent, refers)
    if refusal is not None:
        return FixedReply(request, *refusal)
    if finds and intent.actions == {"find"}:
        (thing, *_) = (mention.object for mention in intent.requests)
        if has_content_word(tokenise(thing)):
            find = _find_of(request, thing)
            return LocateHandler(request, FindHandler(find, parse_expressions(thing), verifies))
    lack = lack_of(Task.ASK, tasks)
    asks_name = len(request.regions) == 1 and NAMES.fullmatch(" ".join(tokenise(request.text)))
    if lack and asks_name and Task.DESCRIBE in tasks:
        return DescribeHandler(request)
    if lack:
        return FixedReply(request, ReplyStatus.REFUSED, lack)
    is_question = intent.speech_act is SpeechAct.QUESTION
    thing = _existence_of(request.text) if finds and verifies and is_question else ""
    existence = FindHandler(_find_of(request, thing), parse_expressions(thing), verifies) if thing else None
    if intent.speech_act is SpeechAct.REQUEST:  # the text of a call that may be refused is not streamed
        request = replace(request, on_text=None)
    return AskHandler(request, intent, verifies, existence)


def _refusal(text: str, intent: Intent, refers: bool) -> tuple[ReplyStatus, str] | None:
    """Why a text is refused before the model sees it; None: it is not.

    Args:
        refers: there is a marked region or an earlier turn that "it" may refer to.
    """
    if intent.speech_act is SpeechAct.EMPTY and not refers:
        return (
            ReplyStatus.UNKNOWN,
            f'"{text}" is neither a question nor a command; ask about the scene, or say what to do',
        )
    if intent.speech_act is SpeechAct.GREETING:
        return (
            ReplyStatus.REFUSED,
            f'"{text}" is neither a question nor a command; what would you like to know or have done?',
        )
    if intent.speech_act is SpeechAct.PROHIBITION:
        return ReplyStatus.REFUSED, "nothing was done, as requested; what would you like instead?"
    if intent.speech_act is SpeechAct.NOUN_PHRASE and not refers:
        return ReplyStatus.REFUSED, (
            f'what about "{text}"? ask a question ("where is ...?") or give a command ("track ...", "cut out ...")'
        )
    mentioned = next((mention for mention in intent.mentions if mention not in intent.requests), None)
    if intent.speech_act is not SpeechAct.REQUEST and mentioned is not None:
        command = f"{mentioned.action.replace('segment', 'cut out')} {mentioned.object}"
        return ReplyStatus.REFUSED, f'do you want me to {command}? if so, say "{command}"'
    needs = [mention for mention in intent.requests if mention.action not in lexicon.ACTIONS_WITHOUT_OBJECT]
    if any(not has_content_word(tokenise(mention.object)) for mention in needs) and not refers:
        thing = next(mention.object for mention in needs if not has_content_word(tokenise(mention.object)))
        return ReplyStatus.REFUSED, f'what does "{thing}" refer to? name the object, or mark it with a region'
    return None


def _existence_of(text: str) -> str:
    """The object whose existence is asked for: "a pink car" of "is there a pink car?"; empty: it is not."""
    match = EXISTS.fullmatch(" ".join(tokenise(text)))
    thing = "" if match is None else match["thing"] or match["seen"]
    return thing if has_content_word(tokenise(thing)) else ""


def _find_of(request: ModelRequest, thing: str) -> ModelRequest:
    phrases = parse_expressions(thing)
    return replace(
        request,
        id=f"{request.id} find",
        task=Task.FIND,
        text=thing,
        newest=NEWEST,
        wants_candidates=not phrases.conjunction and bool(phrases.items[0].quantifier),
        regions=(),
        history=(),
        on_text=None,
    )
