"""How sure a model behind a server is of its answer, by the probabilities of its tokens where the server gives them."""

import math
from collections.abc import Sequence

from vitron_ros.grounding.families.chat import NO, YES
from vitron_ros.grounding.families.chat_protocol import Completion

UNSCORED = 0.6  # score of an answer without log-probabilities: it counts, and is not taken for very sure


def score(answer: Completion) -> float:
    """Geometric mean of the probabilities of the tokens, 0..1."""
    logprobs = [token.logprob for token in answer.tokens]
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else UNSCORED


def choice_score(answer: Completion, choices: Sequence[str]) -> float:
    """The probability of an answer against the other choices, 0..1; the `score` of one that is none of them."""
    text, likely = answer.text.strip(), _first_words(answer)
    total = sum(likely.get(choice, 0.0) for choice in choices)
    return likely[text] / total if text in choices and text in likely and total > 0 else score(answer)


def presence(answer: Completion) -> float | None:
    """The probability of "yes" against "no", 0..1, of an answer that should be one of them; None: it is neither."""
    likely = _first_words(answer)
    yes, no = (sum(likely.get(word, 0.0) for word in words) for words in (YES, NO))
    if yes + no > 0:
        return yes / (yes + no)
    word = answer.text.strip().lower()
    if word.startswith("yes"):
        return UNSCORED
    return 1 - UNSCORED if word.startswith("no") else None


def _first_words(answer: Completion) -> dict[str, float]:
    """Probabilities of what was said first, and of what was likely in its place."""
    first = answer.tokens[:1]
    return {token.text: math.exp(token.logprob) for said in first for token in (*said.likely, said)}
