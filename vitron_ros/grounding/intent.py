"""The intent of a sentence: an answer in words, an action, or nothing. English; every text has an intent.

A verb counts as a request only where a request has its verb: at the start of a clause, behind "please", "could you",
"I want you to" and the like. What is denied ("do not remove it"), told ("he said: remove it", "I removed it"), asked
about ("what if I remove it?", "can it be removed?") or made to depend on something ("if it moves, remove it") is no
request. "Remove it?" asks; "could you remove it?" requests.
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache

from vitron_ros.grounding import lexicon
from vitron_ros.grounding.lexicon import RequestedAction

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
QUOTED = re.compile(r"\"([^\"]*)\"|“([^”]*)”|«([^»]*)»|(?<!\w)'([^']*)'(?!\w)")
TAG = re.compile(r"<[^<>]*>")
SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")
PHRASE_WORDS = 4  # of a bare name without "the": "small red ring"
STARTERS = ("and", "then", "but", "or", "also")


class SpeechAct(Enum):
    """What a text is.

    EMPTY: no word in it has a meaning of its own. GREETING: it greets or thanks. CONTROL: "stop", "undo", "help".
    NOUN_PHRASE: it names an object and says nothing of it. QUESTION: it wants an answer in words. REQUEST: it wants
    something done. PROHIBITION: it says what is not to be done. STATEMENT: anything else.
    """

    EMPTY = "empty"
    GREETING = "greeting"
    CONTROL = "control"
    NOUN_PHRASE = "noun phrase"
    QUESTION = "question"
    REQUEST = "request"
    PROHIBITION = "prohibition"
    STATEMENT = "statement"


class Modality(Enum):
    """Whether an action that a sentence mentions is to be done."""

    REQUESTED = "requested"
    NEGATED = "negated"
    MENTIONED = "mentioned"


@dataclass(frozen=True, slots=True)
class ActionMention:
    """An action in a sentence.

    Attributes:
        object: what it is done to, such as "the small red ring"; empty: nothing that is named.
        text: the clause from its verb on, such as "make the small red ring blue", as tokenised.
    """

    action: RequestedAction
    object: str
    modality: Modality
    text: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a text asks for.

    Attributes:
        mentions: the actions whose verb stands where a request has its verb, whether to be done or not.
        control: of CONTROL: "stop", "undo" or "help".
        lacks_content: it has no content word, as in "what is it?".
    """

    speech_act: SpeechAct
    mentions: tuple[ActionMention, ...] = ()
    control: str = ""
    lacks_content: bool = False

    @property
    def requests(self) -> tuple[ActionMention, ...]:
        return tuple(mention for mention in self.mentions if mention.modality is Modality.REQUESTED)

    @property
    def actions(self) -> frozenset[RequestedAction]:
        """What is to be done."""
        return frozenset(mention.action for mention in self.requests)


def tokenise(text: str) -> list[str]:
    """The words of a text in lower case, spelled one way, contractions written out."""
    found = WORD.findall(TAG.sub(" ", text).lower().replace("’", "'"))
    return [part for word in found for part in lexicon.SPELLINGS.get(word, word.removesuffix("'s")).split()]


def has_content_word(words: list[str]) -> bool:
    """Whether any of the words names something."""
    return any(word not in lexicon.FUNCTION_WORDS and not word.isdigit() for word in words)


def read_intent(text: str) -> Intent:
    """What a text asks for."""
    text = _without_quotes(text)
    words = tokenise(text)
    if not any(any(letter.isalpha() for letter in word) for word in words):
        return Intent(SpeechAct.EMPTY, lacks_content=True)
    mentions = tuple(mention for part in SENTENCE.findall(text) for mention in _mentions(part))
    lacks_content = not has_content_word(words)
    control = _control(words)
    if any(mention.modality is Modality.REQUESTED for mention in mentions):
        return Intent(SpeechAct.REQUEST, mentions, lacks_content=lacks_content)
    if control:
        return Intent(SpeechAct.CONTROL, control=control)
    if any(mention.modality is Modality.NEGATED for mention in mentions):
        return Intent(SpeechAct.PROHIBITION, mentions)
    if all(word in lexicon.GREETINGS for word in words):
        return Intent(SpeechAct.GREETING)
    return Intent(_speech_act(text, words), mentions, lacks_content=lacks_content)


def _speech_act(text: str, words: list[str]) -> SpeechAct:
    """What a text is in which nothing is to be done."""
    if words[0] in ("i", "we", "he", "she", "they") and not text.rstrip().endswith("?"):
        return SpeechAct.STATEMENT
    asks = words[0] in lexicon.QUESTION_WORDS or words[0] in lexicon.AUXILIARIES
    clause = words[_verb(words)[0] :]
    asks = asks or (bool(clause) and clause[0] in lexicon.QUESTION_WORDS | lexicon.AUXILIARIES | lexicon.ANSWER_VERBS)
    if not has_content_word(words):
        points = any(word in ("this", "that", "these", "those", "here", "there", "it", "see") for word in words)
        return SpeechAct.QUESTION if asks and points and len(words) > 1 else SpeechAct.EMPTY
    if asks:
        return SpeechAct.QUESTION
    named = words[: next((i for i, word in enumerate(words) if word in ("that", "which", "who") and i), len(words))]
    has_verb = any(word in lexicon.AUXILIARIES | lexicon.QUESTION_WORDS for word in named)
    if has_verb:
        return SpeechAct.QUESTION if text.rstrip().endswith("?") else SpeechAct.STATEMENT
    if words[0] in lexicon.DETERMINERS or words[0] == "not":
        return SpeechAct.NOUN_PHRASE
    is_command = len(words) > 1 and words[1] in lexicon.DETERMINERS
    return (
        SpeechAct.NOUN_PHRASE
        if text.isascii() and len(words) <= PHRASE_WORDS and not is_command
        else SpeechAct.STATEMENT
    )


def _without_quotes(text: str) -> str:
    """The text without what it quotes to be done; other quotation marks are taken off."""
    text = text.replace("’", "'").strip()
    whole = QUOTED.fullmatch(text)
    if whole:
        return next(part for part in whole.groups() if part is not None)

    def unquoted(match: re.Match[str]) -> str:
        inside = next(part for part in match.groups() if part is not None)
        return " something " if any(_mentions(part) for part in SENTENCE.findall(inside)) else f" {inside} "

    return QUOTED.sub(unquoted, text)


def _control(words: list[str]) -> str:
    """The control word that a text consists of, with nothing of its own beside it."""
    found = [lexicon.CONTROL_WORDS[word] for word in words if word in lexicon.CONTROL_WORDS]
    stops = (
        len(words) > 1 and words[0] in ("stop", "cancel", "quit") and words[1] in ("tracking", "following", "watching")
    )
    if stops:
        return "stop"
    rest = [word for word in words if word not in lexicon.CONTROL_WORDS and word not in lexicon.CONTROL_FILLERS]
    return found[0] if found and not rest else ""


def _mentions(sentence: str) -> list[ActionMention]:
    """The actions that a sentence mentions where a request has its verb."""
    doubts = sentence.rstrip().endswith("?")
    found: list[ActionMention] = []
    modality, denies = Modality.REQUESTED, False
    for piece in re.split(r"[,:()\u2013\u2014]|--", sentence):
        words = tokenise(piece)
        if not words:
            continue
        before = Modality.NEGATED if denies and modality is Modality.REQUESTED else modality
        mentions = _mentions_of_clause(words, before, doubts)
        found += mentions
        start, is_denial, _ = _verb(words)
        rest = words[start:]
        # "do not crop, cut out or erase it" goes on; "not the star, cut out the ring" does not.
        denies = (denies or is_denial) and not mentions and (not rest or rest[0] not in lexicon.DETERMINERS)
        if (words[0] in lexicon.CONDITIONS and not mentions) or lexicon.REPORTING_WORDS.intersection(words):
            modality = Modality.MENTIONED
    return found


def _mentions_of_clause(words: list[str], modality: Modality, doubts: bool) -> list[ActionMention]:
    """Of words without a comma. modality: of a verb at their start."""
    starts = [0, *(place + 1 for place, word in enumerate(words) if word in STARTERS and place + 1 < len(words))]
    found: list[tuple[int, int, RequestedAction, str]] = []
    end = len(words)
    for start in reversed(starts):
        mention = _mention(words[start:end])
        if mention is not None:
            found.insert(0, (start, end, *mention))
            end = start - 1 if start else 0
    mentions: list[ActionMention] = []
    for start, stop, action, thing in found:
        verb, is_denial, is_polite = _verb(words[start:])
        lead = words[: start - 1] if start else []
        if start and words[start - 1] == "but":
            modality = Modality.REQUESTED
        elif start:
            modality = mentions[-1].modality if mentions else _modality_after(lead, modality)
        asks_back = (
            doubts and not is_polite and words[start + verb] not in lexicon.QUESTION_WORDS and "please" not in words
        )
        own = modality
        if is_denial or thing.split(" ")[0] in lexicon.NEGATIVE_DETERMINERS:
            own = Modality.NEGATED
        elif asks_back or _is_conditional(words) or lexicon.REPORTING_WORDS.intersection(lead):
            own = Modality.MENTIONED
        mentions.append(ActionMention(action, thing, own, " ".join(words[start + verb : stop])))
        modality = own if own is not Modality.REQUESTED or start else modality
    return mentions


def _modality_after(lead: list[str], modality: Modality) -> Modality:
    """Of a verb behind "and" or "or" whose first half is no mention by itself: "do not crop or", "please and"."""
    start, is_denial, _ = _verb(lead)
    if is_denial or modality is not Modality.REQUESTED:
        return Modality.NEGATED if is_denial else modality
    return modality if start == len(lead) else Modality.MENTIONED


def _is_conditional(words: list[str]) -> bool:
    said = f" {' '.join(words)} "
    polite = re.sub(r" if (you can|possible|you please|you like|you will|you would) ", " ", said)
    return any(f" {word} " in polite for word in lexicon.CONDITIONS)


def _mention(words: list[str]) -> tuple[RequestedAction, str] | None:
    """The action, and its object, that words from some start on ask for or deny."""
    if not words:
        return None
    start, is_denial, is_polite = _verb(words)
    for verb in ([words[start:]] if start < len(words) else []) + ([words] if words[0] == "i" else []):
        forms = [verb[0], *(_bases(verb[0]) if is_denial or is_polite else ())]
        for form in forms:
            said = " ".join([form, *verb[1:]])
            whole, short = said, _without_tail(said)
            for action, pattern in _templates():
                match = pattern.fullmatch(whole) or pattern.fullmatch(short)
                if match:
                    return action, _object(match.groupdict().get("object") or "")
    return None


def _object(text: str) -> str:
    """The description of an object without what is said of the picture, or of what is not meant."""
    cut = re.search(r" (" + "|".join(lexicon.EXCLUSIONS) + r")( |$)", text)
    return _without_tail(text[: cut.start()] if cut else text)


def _without_tail(text: str) -> str:
    tail = _tail().search(text)
    return text[: tail.start()] if tail else text


def _verb(words: list[str]) -> tuple[int, bool, bool]:
    """Where the verb stands behind what may come before it, whether that denies it, and whether it asks politely."""
    start, is_denial, is_polite = 0, False, False
    while start < len(words):
        rest = " ".join(words[start:]) + " "
        denial = _opening("denials").match(rest)
        opening = denial or _opening("requests").match(rest)
        if opening is None or not opening.group().strip():
            break
        if denial and re.match(
            r"(i|we) do not want (?!you|to (?!see))", rest
        ):  # "I do not want to see it": away with it
            break
        is_denial |= denial is not None
        is_polite |= "you" in opening.group().split()
        start += len(opening.group().split())
    return start, is_denial, is_polite


def _bases(word: str) -> tuple[str, ...]:
    """What a word in -ing may be a form of."""
    if not word.endswith("ing") or len(word) < 5:
        return ()
    stem = word[:-3]
    undoubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    return stem, f"{stem}e", undoubled


@cache
def _opening(name: str) -> re.Pattern[str]:
    parts = lexicon.REQUEST_OPENINGS if name == "requests" else lexicon.NEGATED_OPENINGS
    longest_first = sorted(parts, key=len, reverse=True)
    return re.compile("(?:" + "|".join(part.strip() for part in longest_first) + r")\s")


@cache
def _tail() -> re.Pattern[str]:
    return re.compile("(?: (?:" + "|".join(lexicon.TRAILING_ADVERBIALS) + "))+$")


@cache
def _templates() -> tuple[tuple[RequestedAction, re.Pattern[str]], ...]:
    """Each action with the pattern of what is said for it."""
    return tuple((action, re.compile(_pattern(template))) for action, group in lexicon.TEMPLATES for template in group)


def _pattern(template: str) -> str:
    colours = "|".join(sorted(lexicon.COLOURS))
    parts = {"X": r"(?P<object>\S.*?)", "...": r"\S.*", "C": f"(?:{colours})(?: colou?r)?"}
    return re.sub(r"\bX\b|\.\.\.|\bC\b", lambda match: parts[match.group()], template)
