"""Captions against several references, as coco-caption computes them: BLEU, ROUGE-L, CIDEr-D, METEOR.

Texts are tokenised: words with spaces between. `ptb_tokens` makes them as published figures have them, with Java;
`simple_tokens` needs nothing. State which: "on-the" is one token of PTB, and brackets become words there.
BLEU, ROUGE-L and CIDEr-D are ours, equal to pycocoevalcap; no METEOR in Python agrees with the Java program.
"""

import math
import re
import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import chain

from vitron_ros.errors import MetricError, MetricUnavailable
from vitron_ros.evaluation.metrics.checks import same_length

ORDERS = 4
SMALL, TINY = 1e-9, 1e-15  # coco-caption's smoothing: without any match of four words BLEU-4 is small, not 0
ROUGE_BETA = 1.2
CIDER_SIGMA = 6.0

NGrams = Counter[tuple[str, ...]]


def simple_tokens(text: str) -> str:
    """Lower case, words and numbers only; an apostrophe within a word stays."""
    return " ".join(re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.lower()))


def ptb_tokens(texts: Sequence[str]) -> list[str]:
    """As coco-caption: Stanford's PTBTokenizer, in lower case, without punctuation.

    Raises:
        MetricUnavailable: Java or pycocoevalcap is missing.
    """
    _need_java("the PTB tokeniser")
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    tokenised = PTBTokenizer().tokenize({number: [{"caption": text}] for number, text in enumerate(texts)})
    return [tokenised[number][0] for number in range(len(texts))]


def bleu(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, float, float, float]:
    """BLEU-1 to BLEU-4 of the corpus, in [0, 1], with the length of the closest reference (Papineni et al., ACL 2002).

    Args:
        candidates: (N,) tokenised; may be empty strings.
        references: (N,) lists of one tokenised text or more.

    Raises:
        MetricError: lengths differ, empty, or a reference is missing or empty; so of all of these metrics.
    """
    _check(candidates, references)
    matches, guesses = [0] * ORDERS, [0] * ORDERS
    length = closest = 0
    for candidate, own in zip(candidates, references, strict=True):
        words = candidate.split()
        counts, most = _ngrams(words), Counter[tuple[str, ...]]()
        for reference in own:
            most |= _ngrams(reference.split())
        length += len(words)
        closest += min((abs(size - len(words)), size) for size in (len(text.split()) for text in own))[1]
        for ngram, times in counts.items():
            matches[len(ngram) - 1] += min(times, most[ngram])
        for order in range(ORDERS):
            guesses[order] += max(0, len(words) - order)
    ratio = (length + TINY) / (closest + SMALL)
    penalty = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    product, scores = 1.0, []
    for order in range(ORDERS):
        product *= (matches[order] + TINY) / (guesses[order] + SMALL)
        scores.append(penalty * product ** (1 / (order + 1)))
    return scores[0], scores[1], scores[2], scores[3]


def rouge_l(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L in [0, 1]: F of the longest common subsequence, beta 1.2, with the best precision and the best recall.

    The mean over the candidates (Lin, 2004). Packages that print F1 of one reference give other numbers.
    """
    _check(candidates, references)
    return sum(map(_rouge_l, candidates, references)) / len(candidates)


def cider_d(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr-D of each candidate, 0..10; the published figure is the mean (Vedantam et al., CVPR 2015).

    Words are weighted by how many of the images have them in a reference: the figure depends on the whole set, and one
    image alone scores 0.
    """
    _check(candidates, references)
    counted = [[_ngrams(text.split()) for text in own] for own in references]
    images_with = Counter(chain.from_iterable(set(chain.from_iterable(own)) for own in counted))
    weights = {ngram: math.log(len(references) / max(1, times)) for ngram, times in images_with.items()}
    unseen = math.log(len(references))
    scores = []
    for candidate, own in zip(candidates, counted, strict=True):
        vector = _Cider(_ngrams(candidate.split()), weights, unseen)
        similar = [vector.similarity(_Cider(ngrams, weights, unseen)) for ngrams in own]
        scores.append(10 * sum(similar) / len(similar))
    return scores


def meteor(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """METEOR 1.5 of the Java program that coco-caption comes with, in [0, 1]. Its start takes 10 s or more.

    Raises:
        MetricUnavailable: Java or pycocoevalcap is missing, or the program ends early.
    """
    _check(candidates, references)
    _need_java("METEOR")
    from pycocoevalcap.meteor.meteor import Meteor

    own = {number: [_plain(text)] for number, text in enumerate(candidates)}
    gold = {number: [_plain(text) for text in texts] for number, texts in enumerate(references)}
    try:
        score, _ = Meteor().compute_score(gold, own)
    except (OSError, ValueError) as error:
        raise MetricUnavailable(f"METEOR's Java program ended: {error}; it needs 2 GB of memory") from error
    return float(score)


class _Cider:
    """Weighted n-grams of one text, by their length."""

    def __init__(self, ngrams: NGrams, weights: dict[tuple[str, ...], float], unseen: float) -> None:
        self.vectors: list[dict[tuple[str, ...], float]] = [defaultdict(float) for _ in range(ORDERS)]
        for ngram, times in ngrams.items():
            self.vectors[len(ngram) - 1][ngram] = times * weights.get(ngram, unseen)
        self.norms = [math.sqrt(sum(value * value for value in vector.values())) for vector in self.vectors]
        self.bigrams = sum(times for ngram, times in ngrams.items() if len(ngram) == 2)  # the length that is compared

    def similarity(self, reference: "_Cider") -> float:
        penalty = math.exp(-((self.bigrams - reference.bigrams) ** 2) / (2 * CIDER_SIGMA**2))
        total = 0.0
        for own, other, norm, other_norm in zip(
            self.vectors, reference.vectors, self.norms, reference.norms, strict=True
        ):
            if norm and other_norm:
                shared = sum(min(value, other[ngram]) * other[ngram] for ngram, value in own.items() if ngram in other)
                total += shared / (norm * other_norm)
        return penalty * total / ORDERS


def _ngrams(words: Sequence[str]) -> NGrams:
    return Counter(
        tuple(words[start : start + order]) for order in range(1, ORDERS + 1) for start in range(len(words) - order + 1)
    )


def _rouge_l(candidate: str, references: Sequence[str]) -> float:
    words = candidate.split()
    if not words:
        return 0.0
    common = [(_common_subsequence(words, text.split()), len(text.split())) for text in references]
    precision, recall = max(length for length, _ in common) / len(words), max(length / size for length, size in common)
    if not precision or not recall:
        return 0.0
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def _common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest."""
    row = [0] * (len(b) + 1)
    for word in a:
        before = 0
        for column, other in enumerate(b, 1):
            before, row[column] = row[column], before + 1 if word == other else max(row[column], row[column - 1])
    return row[-1]


def _plain(text: str) -> str:
    """One line, without the separator of METEOR's program."""
    return " ".join(text.replace("|||", " ").split())


def _check(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> None:
    same_length(candidates=candidates, references=references)
    for number, own in enumerate(references):
        if isinstance(own, str) or not own or not all(text.split() for text in own):
            raise MetricError(f"sample {number} needs a list of one reference or more, none empty; it has {own!r}")


def java_problem() -> str:
    """Why `ptb_tokens` and `meteor` are unavailable; empty: they are not."""
    if shutil.which("java") is None:
        return "Java is not on the PATH"
    return "" if find_spec("pycocoevalcap") else "pycocoevalcap is not installed: pip install 'vitron_ros[meteor]'"


def _need_java(what: str) -> None:
    if problem := java_problem():
        raise MetricUnavailable(f"{what} needs Java: {problem}")
