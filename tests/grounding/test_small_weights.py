"""The bundled model with weights and a cache in fewer bits: it finds what it did, and says what cannot be had."""

import numpy as np
import pytest

from training.evaluate import cases
from vitron_ros.boxes import iou
from vitron_ros.config import CACHES, WEIGHTS, ModelRun
from vitron_ros.errors import ModelError
from vitron_ros.frame import Frame
from vitron_ros.grounding.grounder import Grounder
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.model.checkpoint import find_checkpoint, load_checkpoint


@pytest.fixture(scope="module")
def asked():
    """Phrases about pictures of the worlds."""
    profile = load_checkpoint(find_checkpoint("vitron-tiny")).prompts.profile
    found = []
    for index, case in enumerate(cases("rec", 16, profile, seed=3)):
        sample = case.question.sample
        frame = Frame(rgb=np.ascontiguousarray(case.clip.frames[sample.frames[0]]), stamp_ns=index + 1)
        found.append(ModelRequest(id=str(index), task=Task.FIND, frames=(frame,), text=sample.expression))
    return found


def replies(run, asked):
    grounder = Grounder.load("vitron-tiny", run, rows=4)
    return [reply for start in range(0, len(asked), 4) for reply in grounder.reply(asked[start : start + 4])]


@pytest.fixture(scope="module")
def usual(asked):
    return replies(ModelRun(backend="torch"), asked)


@pytest.mark.parametrize(
    ("weights", "cache", "least"),
    [("int8", "full", 0.9), ("full", "int8", 0.9), ("int8", "int8", 0.9), ("full", "fp8", 0.8)],
)
def test_what_is_found_hardly_changes(weights, cache, least, asked, usual):
    if weights != "full":
        pytest.importorskip("torchao", reason="torchao is not installed")
    small = replies(ModelRun(weights=weights, cache=cache), asked)
    shown = [i for i, reply in enumerate(usual) if reply.status is ReplyStatus.OK]
    assert len(shown) >= 8, "most phrases name something that is there"
    assert sum(ours.status is theirs.status for ours, theirs in zip(small, usual, strict=True)) >= len(asked) - 1
    overlap = [float(iou(small[i].boxes_xyxy[-1], usual[i].boxes_xyxy[-1])) for i in shown]
    print(f"weights {weights}, cache {cache}: {len(shown)} of {len(asked)} boxes, mean overlap {np.mean(overlap):.3f}")
    assert np.mean(overlap) >= least
    assert [reply.score for reply in small] != [reply.score for reply in usual], "it is another arithmetic"


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (ModelRun(weights="int4"), "int4 needs a GPU, this model is on cpu; use int8 here"),
        (ModelRun(weights="fp8"), "fp8 needs a GPU, this model is on cpu; use int8 here"),
        (ModelRun(weights="int2"), "cannot quantise to 'int2'; choose int8, int4 or fp8"),
        (ModelRun(cache="int2"), "there is no cache of kind 'int2'; choose full, int8 or fp8"),
        (ModelRun(backend="onnx", cache="int8"), "full cache; set the backend to auto, or both to full"),
    ],
)
def test_what_cannot_be_had_is_said(run, says):
    with pytest.raises(ModelError, match=says):
        Grounder.load("vitron-tiny", run)


def test_the_settings_offer_what_the_model_knows():
    assert set(WEIGHTS) == {"full", "int8", "int4", "fp8"}
    for kind in CACHES:
        checkpoint = load_checkpoint(find_checkpoint("vitron-tiny"))
        cache = checkpoint.model.language.new_cache(rows=2, capacity=64, kind=kind)
        full = checkpoint.model.language.new_cache(rows=2, capacity=64)
        assert cache.nbytes == full.nbytes if kind == "full" else cache.nbytes < 0.6 * full.nbytes
