"""Answers to questions about images: VQA soft accuracy, exact match, AUROC."""

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from vitron_ros.errors import MetricError
from vitron_ros.evaluation.metrics.checks import Flags, Values, finite, same_length

ARTICLES = ("a", "an", "the")
NUMBERS = dict(
    zip(
        ("none", "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
        ("0", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"),
        strict=True,
    )
)
PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
_CONTRACTIONS = """
'ow's'at 'twas ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't
he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am might've mightn't mightn't've must've mustn't
needn't not've o'clock oughtn't shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've wasn't we'd've we've weren't what'll what're what's what've when's where'd
where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all
y'all'd've y'all'll you'd you'd've you'll you're you've
"""
# With one apostrophe left out; "somebody'd" loses its own, as in the official table.
REPAIRED = {
    word[:at] + word[at + 1 :]: word
    for word in _CONTRACTIONS.split()
    for at, letter in enumerate(word)
    if letter == "'"
} | {"somebody'd": "somebodyd"}


def normalised_answer(text: str) -> str:
    """An answer as the VQA evaluation compares them: lower case, no articles, digits for numbers up to ten."""
    text = text.replace("\n", " ").replace("\t", " ").strip()
    has_thousands = re.search(r"\d,\d", text) is not None
    cleaned = text
    for mark in PUNCTUATION:
        stands_apart = f"{mark} " in text or f" {mark}" in text
        cleaned = cleaned.replace(mark, "" if stands_apart or has_thousands else " ")
    cleaned = re.sub(r"\.(?!\d)", "", cleaned, count=32)  # the official script passes a flag where the count belongs
    words = [NUMBERS.get(word, word) for word in cleaned.lower().split()]
    return " ".join(REPAIRED.get(word, word) for word in words if word not in ARTICLES)


def vqa_soft_accuracy(answer: str, annotated: Sequence[str], rule: Literal["official", "minigpt-v2"]) -> float:
    """How many annotators gave this answer, in [0, 1] (Antol et al., ICCV 2015).

    Args:
        annotated: their answers, usually ten.
        rule: "official": the mean of min(matches among the others / 3, 1), leaving out each in turn; texts are
            normalised only if the annotated answers are not all equal. "minigpt-v2": min(matches / 3, 1), in lower
            case only.

    Raises:
        MetricError: fewer than two annotated answers.
    """
    if isinstance(annotated, str) or len(annotated) < 2:
        raise MetricError(f"soft accuracy needs the answers of two annotators or more, this is {annotated!r}")
    if rule == "minigpt-v2":
        return min(sum(other.lower() == answer.lower() for other in annotated) / 3, 1.0)
    answer, *others = (re.sub(r"[\n\t]", " ", text).strip() for text in (answer, *annotated))
    if len(set(others)) > 1:
        answer, *others = map(normalised_answer, (answer, *others))
    matches = [other == answer for other in others]
    return float(np.mean([min((sum(matches) - match) / 3, 1.0) for match in matches]))


def exact_match(answers: Sequence[str], true: Sequence[str]) -> float:
    """Share of answers that equal the true one after `normalised_answer`, in [0, 1].

    Raises:
        MetricError: lengths differ, or empty.
    """
    same_length(answers=answers, true=true)
    pairs = zip(answers, true, strict=True)
    return float(np.mean([normalised_answer(one) == normalised_answer(other) for one, other in pairs]))


def auroc(scores: Values, is_positive: Flags) -> float:
    """The probability that a positive sample scores higher than a negative one, equal scores half. (N,), (N,).

    Raises:
        MetricError: lengths differ, scores are not finite, or samples of either sort are missing.
    """
    same_length(scores=scores, is_positive=is_positive)
    values, positive = finite(scores, "scores", (None,)), np.asarray(is_positive, bool)
    if positive.all() or not positive.any():
        raise MetricError("AUROC needs positive and negative samples")
    _, which, times = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[which]  # from 1, the mean rank of equal ones
    pairs = positive.sum() * (~positive).sum()
    return float((ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2) / pairs)
