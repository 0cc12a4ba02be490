"""The protocol of chat completions, as OpenAI-compatible servers speak it: bytes in, answers or sentences out."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from vitron_ros.errors import ModelError

LONGEST_QUOTE = 200  # characters of a server's own words that a sentence repeats
IS_API = "is the address that of the API, such as http://host:8000/v1?"


@dataclass(frozen=True, slots=True)
class Token:
    """A token of an answer, the natural logarithm of its probability, and what was likely in its place."""

    text: str
    logprob: float
    likely: tuple["Token", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """What the server answered.

    Attributes:
        tokens: in order; empty where the server gives no log-probabilities.
    """

    text: str
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedModel:
    """A model that the server lists.

    Attributes:
        name: by which it is asked for.
        root: what it was loaded from, where the server says so; else the name.
        engine: that serves it, such as "vllm"; empty: the server does not say.
    """

    name: str
    root: str
    engine: str


def read_completion(data: bytes) -> Completion:
    """The answer in the body of a reply that was not streamed.

    Raises:
        ModelError: it is not a chat completion.
    """
    choice = _choice(_json(data))
    return Completion(text=_text(choice, "message"), tokens=tuple(_tokens(choice)))


def read_models(data: bytes) -> list[ServedModel]:
    """The models of `GET /models`.

    Raises:
        ModelError: it is not such a list.
    """
    items = _json(data).get("data")
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    models = [
        ServedModel(
            name=item["id"], root=_word(item.get("root")) or item["id"], engine=_word(item.get("owned_by")).lower()
        )
        for item in found
        if _word(item.get("id"))
    ]
    if not models:
        raise ModelError("the server lists no model; load one there")
    return models


class StreamedCompletion:
    """Builds an answer from server-sent events, one chunk of bytes after another. Single-threaded."""

    def __init__(self, on_text: Callable[[str], None]) -> None:
        self._on_text = on_text
        self._rest = b""
        self._text = ""
        self._tokens: list[Token] = []
        self._is_finished = False

    def feed(self, data: bytes) -> None:
        """
        Raises:
            ModelError: an event is no part of a chat completion, or says that the server failed.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            name, _, value = line.strip().partition(b":")
            if name == b"data" and value.strip() != b"[DONE]":
                self._take(_json(value))

    def finish(self) -> Completion:
        """
        Raises:
            ModelError: the stream ended before the answer did.
        """
        if not self._is_finished:
            raise ModelError("the server broke off in the middle of its answer")
        return Completion(text=self._text, tokens=tuple(self._tokens))

    def _take(self, event: Mapping[str, object]) -> None:
        if "error" in event:
            raise ModelError(f"the server failed while it answered: {said(event)}")
        if event.get("choices") == []:
            return  # the count of tokens at the end
        choice = _choice(event)
        self._tokens += _tokens(choice)
        self._is_finished |= choice.get("finish_reason") is not None
        grown = _text(choice, "delta")
        if grown:
            self._text += grown
            self._on_text(self._text)


def said(body: Mapping[str, object]) -> str:
    """The server's own words about an error, in one line; empty: there are none."""
    error = body.get("error", body)
    words = error.get("message") or error.get("detail") if isinstance(error, Mapping) else error
    line = " ".join(str(words).split()) if words else ""
    return "".join(letter for letter in line if letter.isprintable())[:LONGEST_QUOTE]


def read_error(data: bytes) -> str:
    """The server's own words in the body of a refusal; empty: a page for a browser, or nothing."""
    try:
        return said(_json(data))
    except ModelError:
        return ""


def retry_after_s(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait; None: it is missing or no time. Seconds, or an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            at = parsedate_to_datetime(value)
        except ValueError:
            return None
        at = at if at.tzinfo is not None else at.replace(tzinfo=timezone.utc)
        seconds = (at - datetime.now(timezone.utc)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _json(data: bytes) -> dict[str, object]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        start = data[:40].decode(errors="replace")
        raise ModelError(f"the server's reply is not JSON: {start!r}; {IS_API}") from error
    if not isinstance(value, dict):
        raise ModelError(f"the server's reply is not a JSON object: {data[:40]!r}")
    return value


def _choice(body: Mapping[str, object]) -> dict[str, object]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise ModelError("the server's reply is not a chat completion: it has no choices")
    return choice


def _text(choice: Mapping[str, object], key: str) -> str:
    message = choice.get(key)
    text = message.get("content", "") if isinstance(message, Mapping) else None
    if text is None and isinstance(message, Mapping):
        return ""
    if not isinstance(text, str):
        raise ModelError(f"the server's reply is not a chat completion: its {key} has no text")
    return text.encode(errors="replace").decode()


def _tokens(choice: Mapping[str, object]) -> list[Token]:
    """Empty where a server gives none, or none that can be read."""
    logprobs = choice.get("logprobs")
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    try:
        return [_token(item, tuple(map(_token, item.get("top_logprobs") or ()))) for item in content or ()]
    except (TypeError, KeyError, ValueError, AttributeError):
        return []


def _token(item: Mapping[str, str | float], likely: tuple[Token, ...] = ()) -> Token:
    logprob = min(0.0, float(item["logprob"]))
    if math.isnan(logprob):
        raise ValueError("the logarithm of a probability is not a number")
    return Token(str(item["token"]), logprob, likely)


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
