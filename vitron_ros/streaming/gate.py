"""What a text may make the model do. The one door to the model: node, replay and commands all come through it."""

import re
from dataclasses import replace

from vitron_ros.grounding.intent import Intent, Kind, names_something, read_intent, words_of
from vitron_ros.grounding.phrase import read_phrases
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task, lack_of
from vitron_ros.streaming.ask_case import MAKING, Asking, Locating
from vitron_ros.streaming.cases import Case, Plain, Settled
from vitron_ros.streaming.find_case import Finding

NEWEST = 1  # images of a clip in which a thing that is asked for is looked for first
EXISTS = re.compile(
    r"(?:is|are) there (?P<thing>(?:an?|any|some) .+)|(?:do|can) you see (?P<seen>(?:an?|any|some|the) .+)"
)
CONTROLS = {
    "stop": "There is nothing to stop: a text is answered once. A goal ends when its client cancels it.",
    "undo": "There is nothing to undo: the camera's images are never changed, and every edit begins with one of them.",
    "help": 'Ask about what the camera sees ("what colour is the mug?", "where is the mug?"), or say what to do with '
    'it ("track the mug", "cut out the mug", "remove the mug", "make the mug blue").',
}


def case_of(request: ModelRequest, tasks: frozenset[Task]) -> Case:
    """How a request is to be answered by a model with these tasks."""
    if request.task is Task.ASK:
        return _ask(request, tasks)
    lack = lack_of(request.task, tasks)
    if lack:
        return Settled(request, ReplyStatus.REFUSED, lack)
    return _find(request, Task.DESCRIBE in tasks) if request.task is Task.FIND else Plain(request)


def targets(prompt: str) -> tuple[str, ...]:
    """The phrases of what a prompt asks to follow, each for a search of its own; the prompt itself if it is one."""
    phrases = read_phrases(_description(prompt))
    return tuple(phrase.text for phrase in phrases.items) if phrases.joined == "and" else (prompt,)


def _description(prompt: str) -> str:
    """What a prompt asks to find, without the request around it."""
    intent = read_intent(prompt)
    if intent.kind is Kind.REQUEST and intent.actions == {"find"}:
        return next(deed.object for deed in intent.requests)
    return prompt


def _find(request: ModelRequest, describes: bool) -> Case:
    """A phrase, perhaps as a request to follow it."""
    intent, text = read_intent(request.text), _description(request.text)
    if text is request.text and intent.kind in (Kind.REQUEST, Kind.DENIAL, Kind.QUESTION, Kind.CONTROL):
        said = f'"{request.text.strip()}" is no description of what to follow'
        return Settled(request, ReplyStatus.REFUSED, f'{said}; name it, such as "the small red ring"')
    if not names_something(words_of(text)):
        return Settled(request, ReplyStatus.UNKNOWN, f'"{request.text.strip()}" names nothing that could be looked for')
    phrases = read_phrases(text)
    if any(phrase.is_negative for phrase in phrases.items):
        return Settled(request, ReplyStatus.REFUSED, f'"{text.strip()}" says what is not meant; say what is')
    return Finding(request if text is request.text else replace(request, text=text), phrases, describes)


def _ask(request: ModelRequest, tasks: frozenset[Task]) -> Case:
    """A question or a command. Where something is, a model that only finds can tell, too."""
    finds, describes = Task.FIND in tasks, Task.DESCRIBE in tasks
    intent = read_intent(request.text)
    refers = bool(request.regions or request.history)
    if intent.kind is Kind.CONTROL:
        return Settled(request, ReplyStatus.OK, text=CONTROLS[intent.control], score=1.0)
    refusal = _refusal(request.text.strip(), intent, refers)
    if refusal is not None:
        return Settled(request, *refusal)
    if finds and intent.actions == {"find"}:
        (thing, *_) = (deed.object for deed in intent.requests)
        if names_something(words_of(thing)):
            find = _find_of(request, thing)
            return Locating(request, Finding(find, read_phrases(thing), describes))
    lack = lack_of(Task.ASK, tasks)
    if lack:
        return Settled(request, ReplyStatus.REFUSED, lack)
    thing = _asked_for(request.text) if finds and describes else ""
    existing = Finding(_find_of(request, thing), read_phrases(thing), describes) if thing else None
    is_words = intent.kind is not Kind.REQUEST
    asked = request if is_words else replace(request, on_text=None)  # nothing is told of what may not be done
    return Asking(asked, intent, describes, existing)


def _refusal(text: str, intent: Intent, refers: bool) -> tuple[ReplyStatus, str] | None:
    """Why a text is not brought before the model, as far as its words tell.

    Args:
        refers: there is a mark or an earlier turn that "it" may mean.
    """
    if intent.kind is Kind.NOTHING and not refers:
        return ReplyStatus.UNKNOWN, f'"{text}" says nothing to go by; ask a question, or say what to do with what'
    if intent.kind is Kind.COURTESY:
        return ReplyStatus.REFUSED, f'"{text}" asks for nothing; what do you want to know, or done?'
    if intent.kind is Kind.DENIAL:
        return ReplyStatus.REFUSED, "nothing is done, as you say; what do you want instead?"
    if intent.kind is Kind.PHRASE and not refers:
        return ReplyStatus.REFUSED, (
            f'what about "{text}"? ask for it ("where is ...?") or say what to do ("track ...", "cut out ...")'
        )
    mentioned = [deed for deed in intent.deeds if deed not in intent.requests]
    if intent.kind is not Kind.REQUEST and mentioned:
        verb = mentioned[0].action.replace("segmentation", "cut out")
        return ReplyStatus.REFUSED, f"do you want me to {verb} {mentioned[0].object}? then say just that"
    needs = [deed for deed in intent.requests if deed.action not in MAKING]
    if any(not names_something(words_of(deed.object)) for deed in needs) and not refers:
        thing = next(deed.object for deed in needs if not names_something(words_of(deed.object)))
        return ReplyStatus.REFUSED, f'what is meant by "{thing}"? name it, or mark it with a region'
    return None


def _asked_for(text: str) -> str:
    """What a question asks the existence of: "a pink car" of "is there a pink car?"; empty: it asks something else."""
    match = EXISTS.fullmatch(" ".join(words_of(text)))
    thing = "" if match is None else match["thing"] or match["seen"]
    return thing if names_something(words_of(thing)) else ""


def _find_of(request: ModelRequest, thing: str) -> ModelRequest:
    return replace(
        request,
        id=f"{request.id} find",
        task=Task.FIND,
        text=thing,
        newest=NEWEST,
        regions=(),
        history=(),
        on_text=None,
    )
