"""`vitron eval compare`: what is told of two runs, and which are not compared."""

import json
import shutil

import numpy as np
import pytest

from tests.evaluation.miniature_run import write_data
from vitron_ros.cli.main import main
from vitron_ros.errors import MetricError
from vitron_ros.evaluation.comparison import paired_bootstrap
from vitron_ros.evaluation.predictions import FILE


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    root = tmp_path_factory.mktemp("compare")
    write_data(root / "data")
    for tracker in ("default", "kcf"):
        words = ["eval", "run", "boxes", str(root / "data"), "--out", str(root / tracker), "--tracker", tracker]
        assert main(words) == 0
    return root


def test_a_difference_in_every_sequence_is_sure_and_noise_is_not():
    first = np.random.default_rng(1).uniform(0.2, 0.8, 40)
    sure = paired_bootstrap(first, first + 0.01)
    assert sure.difference == pytest.approx(0.01)
    assert sure.low == pytest.approx(0.01) and sure.high == pytest.approx(0.01)
    assert sure.p_value < 0.001
    noise = paired_bootstrap(first, first + np.tile([0.05, -0.05], 20))
    assert noise.low < 0 < noise.high
    assert noise.p_value > 0.5
    assert paired_bootstrap(first, first).p_value == 1


def test_the_interval_is_that_of_the_mean_over_sequences():
    """For many sequences it is that of the normal distribution."""
    second = np.random.default_rng(2).normal(0.1, 0.2, 400)
    found = paired_bootstrap(np.zeros(400), second)
    half = 1.96 * second.std() / 20
    assert found.high - found.low == pytest.approx(2 * half, rel=0.05)


def test_samples_of_one_image_are_drawn_together():
    """Ten questions about each of 20 images, all right or all wrong: as sure as 20 questions are."""
    difference = np.random.default_rng(3).choice([-1.0, 1.0], 20)
    images = np.arange(20).repeat(10).astype(str).tolist()
    alone = paired_bootstrap(np.zeros(20), difference)
    together = paired_bootstrap(np.zeros(200), difference.repeat(10), images)
    apart = paired_bootstrap(np.zeros(200), difference.repeat(10))
    width = {name: one.high - one.low for name, one in (("alone", alone), ("together", together), ("apart", apart))}
    assert together.difference == alone.difference
    assert width["together"] == pytest.approx(width["alone"], rel=0.05)
    assert width["apart"] < width["alone"] / 2


def test_values_that_cannot_be_paired_are_refused():
    with pytest.raises(MetricError, match="first 2, second 3"):
        paired_bootstrap([1, 2], [1, 2, 3])


def test_two_runs_are_compared_by_every_figure(finished, capsys):
    words = ["eval", "compare", str(finished / "default"), str(finished / "kcf")]
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["variant"], document["samples"]) == ("visible-frames", 3)
    auc = document["figures"]["auc"]
    assert auc["difference"] == pytest.approx(auc["second"] - auc["first"])
    assert main([*words, "--variant", "pytracking-otb"]) == 0
    assert capsys.readouterr().out.startswith("pytracking-otb")
    assert main([*words, "--variant", "best"]) == 1
    assert "visible-frames, pytracking-otb" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"suite":"boxes"', '"suite":"davis-sot"'), "different suites"),
        (lambda text: text.replace('"data_hash":"', '"data_hash":"0'), "different data"),
        (lambda text: text.split('{"name":"c"')[0] + '{"name":"c","error":"x"}\n', "c failed in one of the runs only"),
        (lambda text: text[:-1], "is cut off"),
    ],
)
def test_unequal_sets_are_refused(finished, tmp_path, capsys, change, words):
    other = shutil.copytree(finished / "kcf", tmp_path / "other")
    (other / FILE).write_text(change((other / FILE).read_text()))
    assert main(["eval", "compare", str(finished / "default"), str(other)]) == 1
    assert words in capsys.readouterr().err
