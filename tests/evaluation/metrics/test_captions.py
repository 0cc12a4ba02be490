"""Scores of captions: known cases, and pycocoevalcap on random sentences."""

import numpy as np
import pytest

from vitron_ros.errors import MetricError, MetricUnavailable
from vitron_ros.evaluation.metrics import captions
from vitron_ros.evaluation.metrics.captions import bleu, cider_d, meteor, ptb_tokens, rouge_l, simple_tokens

CAT, DOG = "a cat sits on the mat", "two dogs run along a beach"


def test_perfect_captions():
    assert bleu([CAT, DOG], [[CAT], [DOG]]) == pytest.approx((1, 1, 1, 1))
    assert rouge_l([CAT], [[DOG, CAT]]) == pytest.approx(1)
    assert cider_d([CAT, DOG], [[CAT], [DOG]]) == pytest.approx([10, 10])


def test_one_image_alone_has_no_cider():
    assert cider_d([CAT], [[CAT]]) == [0]


def test_bleu_without_a_match_is_small_and_not_zero():
    assert 0 < bleu(["a b c d"], [["e f g h"]])[3] < 1e-5


def test_a_short_caption_is_penalised():
    assert bleu(["a cat"], [[CAT]])[0] == pytest.approx(np.exp(1 - 6 / 2))


def test_rouge_takes_the_best_precision_and_the_best_recall():
    # Subsequences of 2: precision 2/2; recall 2/6 of the first, 2/3 of the second.
    precision, recall = 1, 2 / 3
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(["a mat"], [[CAT, "a red mat"]]) == pytest.approx(expected)


def test_an_empty_caption_scores_nothing():
    assert rouge_l([""], [[CAT]]) == cider_d(["", DOG], [[CAT], [DOG]])[0] == 0
    assert bleu([""], [[CAT]])[0] == pytest.approx(0, abs=1e-5)


def test_simple_tokens():
    assert simple_tokens("The dog's ball (red), on-the  mat_2.") == "the dog's ball red on the mat 2"


def test_agrees_with_pycocoevalcap(capsys):
    pytest.importorskip("pycocoevalcap")
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    rng = np.random.default_rng(8)
    words = np.array(["a", "the", "dog", "cat", "red", "runs", "sits", "on", "in", "mat"])
    for _ in range(50):  # sets of 20 images: 1,000 captions

        def sentence():
            return " ".join(rng.choice(words, rng.integers(1, 12)))

        own = [sentence() for _ in range(20)]
        references = [[sentence() for _ in range(rng.integers(1, 5))] for _ in range(20)]
        theirs = {number: [text] for number, text in enumerate(own)}
        gold = dict(enumerate(references))
        assert bleu(own, references) == pytest.approx(Bleu(4).compute_score(gold, theirs, verbose=0)[0], abs=1e-12)
        assert rouge_l(own, references) == pytest.approx(Rouge().compute_score(gold, theirs)[0], abs=1e-12)
        assert cider_d(own, references) == pytest.approx(list(Cider().compute_score(gold, theirs)[1]), abs=1e-12)


@pytest.mark.parametrize("score", [lambda: meteor([CAT], [[CAT]]), lambda: ptb_tokens([CAT])])
def test_without_java_there_is_no_number(monkeypatch, score):
    monkeypatch.setattr(captions.shutil, "which", lambda name: None)
    with pytest.raises(MetricUnavailable, match="needs Java"):
        score()


@pytest.mark.parametrize("metric", [bleu, rouge_l, cider_d, meteor])
@pytest.mark.parametrize(
    ("candidates", "references", "words"),
    [
        ([CAT], [[CAT], [DOG]], "candidates 1, references 2"),
        ([], [], "nothing to score"),
        ([CAT], [[]], "sample 0 needs"),
        ([CAT, DOG], [[CAT], [DOG, " "]], "sample 1 needs"),
        ([CAT], [CAT], "sample 0 needs"),
    ],
)
def test_bad_input_is_refused(metric, candidates, references, words):
    with pytest.raises(MetricError, match=words):
        metric(candidates, references)
