"""The words that a model was taught. A small model answers any sentence; that it knows the words is another matter."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from vitron_ros.errors import ModelError
from vitron_ros.grounding.lexicon import SPELLINGS, SYNONYMS
from vitron_ros.model.files import is_file, read_text

FILE = "words.txt"
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
MARKUP = re.compile(r"\{[^{}]*\}|<[^<>]*>")  # places of a template, tags of an answer: no words of a language
FILLERS = frozenset((
    "please", "kindly", "now", "then", "just", "also", "again", "still", "hey", "hi", "hello", "ok", "okay",
    "robot", "thanks", "thank", "you", "your", "for", "me", "us", "my", "our", "we", "i", "am", "be", "was", "were",
    "been", "could", "would", "should", "shall", "may", "might", "must", "don't", "let", "so", "but", "really",
    "very", "some", "any", "these", "those", "try",
))  # fmt: skip
"""Words that a sentence may have beside those that say what is wanted."""


@dataclass(frozen=True)
class Vocabulary:
    """A set of lower-case words; None: every word is known."""

    words: frozenset[str] | None = None

    @classmethod
    def collect(cls, texts: Iterable[str]) -> "Vocabulary":
        """Every word of the texts, such as training's questions, answers and templates."""
        return cls(frozenset(word for text in texts for word in split(MARKUP.sub(" ", text))))

    @classmethod
    def load(cls, directory: Path) -> "Vocabulary":
        """The words beside a model, one a line; every word is known where there is no such file.

        Raises:
            ModelError: the file cannot be read, or has no words.
        """
        path = directory / FILE
        if not is_file(path):
            return cls()
        words = frozenset(read_text(path).lower().split())
        if not words:
            raise ModelError(f"{path} has no words; fetch it again, or remove it for a model that knows every word")
        return cls(words)

    def save(self, directory: Path) -> None:
        """Writes the file that `load` reads; nothing where every word is known."""
        if self.words is not None:
            (directory / FILE).write_text("\n".join(sorted(self.words)) + "\n", encoding="utf-8")

    def unknown(self, text: str) -> tuple[str, ...]:
        """The words of a text that are not known in any of their forms, each once, in order."""
        if self.words is None:
            return ()
        found = [word for word in split(text) if word not in FILLERS and not self.words.intersection(forms(word))]
        return tuple(dict.fromkeys(found))

    def near(self, word: str) -> str:
        """A known word that means or is spelled nearly the same as one that is not known; empty: there is none."""
        known = self.words or frozenset()
        for name, others in SYNONYMS.items():
            if name in known and forms(word).intersection(others):
                return name
        begin_alike = sorted(other for other in known if other[:1] == word[:1])  # first letters are rarely mistyped
        similar = get_close_matches(word, begin_alike, n=1, cutoff=0.75) if len(word) > 2 else []
        return similar[0] if similar else ""

    def respelled(self, text: str) -> str:
        """The text on one line, with other spellings of known words, such as "color", as they are known."""
        words = self.words
        if words is None:
            return text

        def known(match: re.Match[str]) -> str:
            other = SPELLINGS.get(match.group().lower(), "")
            return other if other in words else match.group()

        return WORD.sub(known, " ".join(text.split()))


def split(text: str) -> list[str]:
    """The words of a text in lower case, without numbers and punctuation."""
    return WORD.findall(text.lower().replace("’", "'"))


def forms(word: str) -> set[str]:
    """A word, and what it may be the plural or the genitive of."""
    found = {word}
    for stem in (word, word.removesuffix("'s")):
        found |= {stem, stem.removesuffix("s"), stem.removesuffix("es")}
    return found
