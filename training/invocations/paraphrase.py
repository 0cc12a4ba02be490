"""Requests in other words, by a language model on a server of one's own. What it says is checked like a template."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from training.invocations.checks import has_words, problem
from training.invocations.samples import Sample
from vitron_ros.grounding.families.chat_client import Answer, ChatClient, ChatRequest, CutOff
from vitron_ros.grounding.families.server import server_key
from vitron_ros.grounding.families.server_address import chosen, read_address

SIDE_BY_SIDE = 16
MAX_TOKENS = 120
INSTRUCTION = (
    "Reword the request that a user makes to an assistant for pictures. Keep what is asked for and these words as they "
    "are: {words}. Say it in one sentence, and answer with that sentence alone."
)


class Paraphraser(Protocol):
    def reword(self, samples: Sequence[Sample]) -> list[str | None]:
        """Other words for the request of each sample; None: there is no answer."""
        ...


class ServerParaphraser:
    """The model of an OpenAI-compatible server."""

    def __init__(self, address: str, seed: int) -> None:
        """
        Raises:
            ModelError: the server cannot be reached, or does not have the model.
        """
        where = read_address(address)
        self._client = ChatClient(where.url, key=server_key(), max_requests=SIDE_BY_SIDE)
        self._model, self._seed = chosen(where, self._client.models()).name, seed

    def reword(self, samples: Sequence[Sample]) -> list[str | None]:
        answers = self._client.ask([ChatRequest(body=self._body(sample)) for sample in samples])
        return [_said(answer) for answer in answers]

    def close(self) -> None:
        self._client.close()

    def _body(self, sample: Sample) -> dict[str, object]:
        words = ", ".join(f'"{word}"' for word in sample.words) or "none"
        return {
            "model": self._model,
            "messages": [
                _message("system", INSTRUCTION.format(words=words)),
                _message("user", sample.request),
            ],
            "max_tokens": MAX_TOKENS,
            "temperature": 0.8,
            "seed": self._seed,
        }


def reworded(samples: Sequence[Sample], paraphraser: Paraphraser, counts: Counter[str]) -> Iterator[Sample]:
    """The samples in other words where these pass the checks, else as they were; `counts` says why."""
    for start in range(0, len(samples), SIDE_BY_SIDE):
        batch = samples[start : start + SIDE_BY_SIDE]
        for sample, text in zip(batch, paraphraser.reword(batch), strict=True):
            other = replace(sample, request=_line(text or ""))
            reason = _refusal(sample, other)
            counts[reason or "reworded"] += 1
            yield sample if reason else other


def _refusal(sample: Sample, other: Sample) -> str:
    if not other.request:
        return "no answer"
    if other.request == sample.request:
        return "the same words"
    return "words are missing" if not has_words(sample, other.request) else problem(other)


def _line(text: str) -> str:
    """Without the quotation marks that models put around a sentence."""
    text = " ".join(text.split())
    return text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _message(role: str, text: str) -> dict[str, object]:
    return {"role": role, "content": [{"type": "text", "text": text}]}


def _said(answer: Answer) -> str | None:
    return None if isinstance(answer, CutOff) else answer.text
