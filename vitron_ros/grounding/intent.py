"""What a sentence asks for: words, something to be done, or nothing. English; every text has a reading.

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
from vitron_ros.grounding.lexicon import Action

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
QUOTED = re.compile(r"\"([^\"]*)\"|“([^”]*)”|«([^»]*)»|(?<!\w)'([^']*)'(?!\w)")
TAG = re.compile(r"<[^<>]*>")
SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")
PHRASE_WORDS = 4  # of a bare name without "the": "small red ring"
STARTERS = ("and", "then", "but", "or", "also")


class Kind(Enum):
    """What a text is.

    NOTHING: it has no word that says anything. COURTESY: a greeting or thanks. CONTROL: "stop", "undo", "help".
    PHRASE: the name of a thing, and nothing is said of it. QUESTION: it wants words. REQUEST: it wants something done.
    DENIAL: it says what is not to be done. STATEMENT: anything else.
    """

    NOTHING = "nothing"
    COURTESY = "courtesy"
    CONTROL = "control"
    PHRASE = "phrase"
    QUESTION = "question"
    REQUEST = "request"
    DENIAL = "denial"
    STATEMENT = "statement"


class Force(Enum):
    """Whether a verb in a sentence is to be done."""

    ASKED = "asked"
    DENIED = "denied"
    MENTIONED = "mentioned"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that a sentence speaks of doing, and to what: "the small red ring"; empty: to nothing that is named."""

    action: Action
    object: str
    force: Force


@dataclass(frozen=True, slots=True)
class Intent:
    """What a text asks for.

    Attributes:
        deeds: those that were said where a request has its verb, whether to be done or not.
        control: of CONTROL: "stop", "undo" or "help".
        is_bare: it has no word of its own to say what it is about, as "what is it?" has not.
    """

    kind: Kind
    deeds: tuple[Deed, ...] = ()
    control: str = ""
    is_bare: bool = False

    @property
    def requests(self) -> tuple[Deed, ...]:
        return tuple(deed for deed in self.deeds if deed.force is Force.ASKED)

    @property
    def actions(self) -> frozenset[Action]:
        """What is to be done."""
        return frozenset(deed.action for deed in self.requests)


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, spelled one way, contractions written out."""
    found = WORD.findall(TAG.sub(" ", text).lower().replace("’", "'"))
    return [part for word in found for part in lexicon.SPELLINGS.get(word, word.removesuffix("'s")).split()]


def names_something(words: list[str]) -> bool:
    """Whether any of the words could be looked for."""
    return any(word not in lexicon.FUNCTION_WORDS and not word.isdigit() for word in words)


def read_intent(text: str) -> Intent:
    """What a text asks for."""
    text = _without_quotes(text)
    words = words_of(text)
    if not any(any(letter.isalpha() for letter in word) for word in words):
        return Intent(Kind.NOTHING, is_bare=True)
    deeds = tuple(deed for part in SENTENCE.findall(text) for deed in _deeds(part))
    is_bare = not names_something(words)
    control = _control(words)
    if any(deed.force is Force.ASKED for deed in deeds):
        return Intent(Kind.REQUEST, deeds, is_bare=is_bare)
    if control:
        return Intent(Kind.CONTROL, control=control)
    if any(deed.force is Force.DENIED for deed in deeds):
        return Intent(Kind.DENIAL, deeds)
    if all(word in lexicon.GREETINGS for word in words):
        return Intent(Kind.COURTESY)
    return Intent(_kind(text, words), deeds, is_bare=is_bare)


def _kind(text: str, words: list[str]) -> Kind:
    """What a text is in which nothing is to be done."""
    if words[0] in ("i", "we", "he", "she", "they") and not text.rstrip().endswith("?"):
        return Kind.STATEMENT
    asks = words[0] in lexicon.ASKING or words[0] in lexicon.AUXILIARIES
    spoken = words[_verb(words)[0] :]
    asks = asks or (bool(spoken) and spoken[0] in lexicon.ASKING | lexicon.AUXILIARIES | lexicon.TELLING)
    if not names_something(words):
        points = any(word in ("this", "that", "these", "those", "here", "there", "it", "see") for word in words)
        return Kind.QUESTION if asks and points and len(words) > 1 else Kind.NOTHING
    if asks:
        return Kind.QUESTION
    named = words[: next((i for i, word in enumerate(words) if word in ("that", "which", "who") and i), len(words))]
    has_verb = any(word in lexicon.AUXILIARIES | lexicon.ASKING for word in named)
    if has_verb:
        return Kind.QUESTION if text.rstrip().endswith("?") else Kind.STATEMENT
    if words[0] in lexicon.DETERMINERS or words[0] == "not":
        return Kind.PHRASE
    is_command = len(words) > 1 and words[1] in lexicon.DETERMINERS
    return Kind.PHRASE if text.isascii() and len(words) <= PHRASE_WORDS and not is_command else Kind.STATEMENT


def _without_quotes(text: str) -> str:
    """The text without what it quotes to be done; other quotation marks are taken off."""
    text = text.replace("’", "'").strip()
    whole = QUOTED.fullmatch(text)
    if whole:
        return next(part for part in whole.groups() if part is not None)

    def unquoted(match: re.Match[str]) -> str:
        inside = next(part for part in match.groups() if part is not None)
        return " something " if any(_deeds(part) for part in SENTENCE.findall(inside)) else f" {inside} "

    return QUOTED.sub(unquoted, text)


def _control(words: list[str]) -> str:
    """The control word that a text consists of, with nothing of its own beside it."""
    found = [lexicon.CONTROLS[word] for word in words if word in lexicon.CONTROLS]
    stops = (
        len(words) > 1 and words[0] in ("stop", "cancel", "quit") and words[1] in ("tracking", "following", "watching")
    )
    if stops:
        return "stop"
    rest = [word for word in words if word not in lexicon.CONTROLS and word not in lexicon.CONTROL_FILLERS]
    return found[0] if found and not rest else ""


def _deeds(sentence: str) -> list[Deed]:
    """What a sentence speaks of doing, where a request has its verb."""
    doubts = sentence.rstrip().endswith("?")
    found: list[Deed] = []
    force, denies = Force.ASKED, False
    for piece in re.split(r"[,:()\u2013\u2014]|--", sentence):
        words = words_of(piece)
        if not words:
            continue
        before = Force.DENIED if denies and force is Force.ASKED else force
        deeds = _deeds_of_piece(words, before, doubts)
        found += deeds
        start, is_denial, _ = _verb(words)
        rest = words[start:]
        # "do not crop, cut out or erase it" goes on; "not the star, cut out the ring" does not.
        denies = (denies or is_denial) and not deeds and (not rest or rest[0] not in lexicon.DETERMINERS)
        if (words[0] in lexicon.CONDITIONS and not deeds) or lexicon.RETELLING.intersection(words):
            force = Force.MENTIONED
    return found


def _deeds_of_piece(words: list[str], force: Force, doubts: bool) -> list[Deed]:
    """Of words without a comma. force: of a verb at their start."""
    starts = [0, *(place + 1 for place, word in enumerate(words) if word in STARTERS and place + 1 < len(words))]
    found: list[tuple[int, Action, str]] = []
    end = len(words)
    for start in reversed(starts):
        deed = _deed(words[start:end])
        if deed is not None:
            found.insert(0, (start, *deed))
            end = start - 1 if start else 0
    deeds: list[Deed] = []
    for start, action, thing in found:
        verb, is_denial, is_polite = _verb(words[start:])
        lead = words[: start - 1] if start else []
        if start and words[start - 1] == "but":
            force = Force.ASKED
        elif start:
            force = deeds[-1].force if deeds else _force_behind(lead, force)
        asks_back = doubts and not is_polite and words[start + verb] not in lexicon.ASKING and "please" not in words
        own = force
        if is_denial or thing.split(" ")[0] in lexicon.NOBODY:
            own = Force.DENIED
        elif asks_back or _is_conditional(words) or lexicon.RETELLING.intersection(lead):
            own = Force.MENTIONED
        deeds.append(Deed(action, thing, own))
        force = own if own is not Force.ASKED or start else force
    return deeds


def _force_behind(lead: list[str], force: Force) -> Force:
    """Of a verb behind "and" or "or" whose first half is no deed by itself: "do not crop or", "please and"."""
    start, is_denial, _ = _verb(lead)
    if is_denial or force is not Force.ASKED:
        return Force.DENIED if is_denial else force
    return force if start == len(lead) else Force.MENTIONED


def _is_conditional(words: list[str]) -> bool:
    said = f" {' '.join(words)} "
    polite = re.sub(r" if (you can|possible|you please|you like|you will|you would) ", " ", said)
    return any(f" {word} " in polite for word in lexicon.CONDITIONS)


def _deed(words: list[str]) -> tuple[Action, str] | None:
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
    cut = re.search(r" (" + "|".join(lexicon.NOT_MEANT) + r")( |$)", text)
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
    parts = lexicon.REQUESTS if name == "requests" else lexicon.DENIALS
    longest_first = sorted(parts, key=len, reverse=True)
    return re.compile("(?:" + "|".join(part.strip() for part in longest_first) + r")\s")


@cache
def _tail() -> re.Pattern[str]:
    return re.compile("(?: (?:" + "|".join(lexicon.TAILS) + "))+$")


@cache
def _templates() -> tuple[tuple[Action, re.Pattern[str]], ...]:
    """Each action with the pattern of what is said for it."""
    return tuple((action, re.compile(_pattern(template))) for action, group in lexicon.TEMPLATES for template in group)


def _pattern(template: str) -> str:
    colours = "|".join(sorted(lexicon.COLOURS))
    parts = {"X": r"(?P<object>\S.*?)", "...": r"\S.*", "C": f"(?:{colours})(?: colou?r)?"}
    return re.sub(r"\bX\b|\.\.\.|\bC\b", lambda match: parts[match.group()], template)
