"""A sentence to its plan. Only what was said becomes a step; what is denied, told or doubted does not."""

import re
from dataclasses import replace

from vitron_ros.commands.plan import Plan, Step
from vitron_ros.grounding import lexicon
from vitron_ros.grounding.intent import ActionMention, SpeechAct, has_content_word, read_intent, tokenise
from vitron_ros.grounding.referring_expressions import parse_expressions

TRACKING_VERBS = frozenset(("track", "follow", "watch", "keep", "shadow"))
PICTURE_WORDS = lexicon.SCENE_WORDS - lexicon.VIDEO_WORDS - {"background", "scene"}
PARTS = re.compile(
    r"(?<=[.!?;])\s+|,?\s+(?:and|then)\s+(?:then\s+)?(?=(?:tell|describe|explain|count|what|how|which|why|who|is|are)\b)",
    re.IGNORECASE,
)


PRONOUN = re.compile(r"\b(?:it|this|that|them|this one|that one)\b")


def with_object(step: Step, phrase: str) -> Step:
    """A step that says "it", with the name of what is meant."""
    return replace(step, text=PRONOUN.sub(phrase, step.text, count=1), object=phrase)


def read_plan(text: str) -> Plan:
    """The steps that a sentence asks for; one question to the model where it asks for nothing to be done."""
    if read_intent(text).speech_act is not SpeechAct.REQUEST:
        return (Step(kind="ask", text=text.strip()),)
    words = tokenise(text)
    is_clip: bool | None = None
    if lexicon.VIDEO_WORDS.intersection(words) or "play" in read_intent(text).actions:
        is_clip = True
    elif PICTURE_WORDS.intersection(words):
        is_clip = False
    steps: list[Step] = []
    for part in PARTS.split(text):
        intent = read_intent(part)
        if intent.speech_act is SpeechAct.REQUEST:
            steps += [step for mention in intent.requests for step in _steps(mention, is_clip)]
        elif intent.speech_act is SpeechAct.QUESTION:
            steps.append(Step(kind="ask", text=part.strip()))
    return tuple(steps)


def _steps(mention: ActionMention, is_clip: bool | None) -> list[Step]:
    """Of one mention: one for each thing that it names, as in "remove the ring and the mug"."""
    named = mention.object if has_content_word(tokenise(mention.object)) else ""
    if mention.action == "play":
        return [Step(kind="play", text=mention.text, is_clip=True)]
    if mention.action == "find":
        is_track = mention.text.split(" ")[0] in TRACKING_VERBS
        return [Step(kind="track" if is_track else "ask", text=mention.text, object=named)]
    if mention.action in lexicon.ACTIONS_WITHOUT_OBJECT and mention.action != "animate":
        named = ""
    things = parse_expressions(named) if named else None
    phrases = [item.text for item in things.items] if things and things.conjunction == "and" else [named]
    return [
        Step(
            kind="module",
            text=mention.text.replace(named, phrase) if named else mention.text,
            object=phrase,
            action=mention.action,
            is_clip=is_clip,
        )
        for phrase in phrases
    ]
