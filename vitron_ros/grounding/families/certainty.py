"""How sure a model behind a server is of its answer, by the probabilities of its tokens where the server gives them."""

import math

from vitron_ros.grounding.families.chat import NO, YES
from vitron_ros.grounding.families.chat_protocol import Completion

UNSCORED = 0.6  # score of an answer without log-probabilities: it counts, and is not taken for very sure


def score(answer: Completion) -> float:
    """Geometric mean of the probabilities of the tokens, 0..1."""
    logprobs = [token.logprob for token in answer.tokens]
    return math.exp(sum(logprobs) / len(logprobs)) if logprobs else UNSCORED


def presence(answer: Completion) -> float | None:
    """The probability of "yes" against "no", 0..1, of an answer that should be one of them; None: it is neither."""
    if answer.tokens:
        first = answer.tokens[0]
        likely = {token.text: math.exp(token.logprob) for token in (first, *first.likely)}
        yes, no = (sum(likely.get(word, 0.0) for word in words) for words in (YES, NO))
        if yes + no > 0:
            return yes / (yes + no)
    word = answer.text.strip().lower()
    if word.startswith("yes"):
        return UNSCORED
    return 1 - UNSCORED if word.startswith("no") else None
