"""Reference chains are in order, of the kind that is counted, and visible in their frames."""

import numpy as np
import pytest

from training.worlds import make_clip, make_samples
from training.worlds.facts import AXIS_OF, NO, UNSEEN, image_view
from training.worlds.queries import AttributeQuery, Beside, Closest, Extreme, Farthest, Nth, only_match
from training.worlds.reference_chain import reference_chain

SEEDS = range(40)


@pytest.mark.parametrize("direction", AXIS_OF)
def test_an_ordinal_counts_through_those_before(direction):
    axis, sign = AXIS_OF[direction]
    found = 0
    for seed in SEEDS:
        view = image_view(make_clip(seed, size=48), 0)
        for kind in (AttributeQuery(), *(AttributeQuery(shape=spec.shape) for spec in view.objects)):
            for number in (2, 3, 4):
                query = Nth(kind, number, direction)
                target = only_match(query.truth(view))
                if target is None:
                    continue
                chain = [*reference_chain(query, view), target]
                assert len(chain) == number
                assert (np.diff(view.centres[chain, axis]) * sign <= 0).all()
                for place, index in enumerate(chain):  # perhaps beside another
                    assert Nth(kind, place + 1, direction).truth(view)[index] != NO
                found += 1
    assert found > 40


def test_a_relation_begins_at_its_anchor():
    found = 0
    for seed in SEEDS:
        view = image_view(make_clip(seed, size=48), 0)
        for index, spec in enumerate(view.objects):
            anchor = AttributeQuery(spec.shape, spec.colour)
            if only_match(anchor.truth(view)) != index:
                continue
            assert reference_chain(Closest(AttributeQuery(), anchor), view) == (index,)
            assert reference_chain(Beside(AttributeQuery(), "left", anchor), view) == (index,)
            found += 1
    assert found > 40


def test_one_step_references_have_no_chain():
    view = image_view(make_clip(1, size=48), 0)
    for query in (AttributeQuery(), Farthest(AttributeQuery(), "left"), Extreme(AttributeQuery(), is_largest=True)):
        assert reference_chain(query, view) == ()


@pytest.mark.parametrize("frames", (1, 8))
def test_chains_of_samples_are_visible_and_only_of_present_targets(frames):
    kinds = set()
    for seed in SEEDS:
        clip = make_clip(seed, frames=frames, size=48)
        for sample in make_samples(clip, seed, per_task=8, tasks=("rec", "vqa") if frames == 1 else ("rsot",)):
            if sample.chain:
                kinds.add(sample.kind)
                assert sample.target is not None
            for index, frame in sample.chain:
                assert frame in sample.frames
                assert clip.visible[frame, index] > UNSEEN
                if sample.kind in ("motion", "event"):  # known in its last visible frame
                    assert index == sample.target
                    assert (clip.visible[frame + 1 :, index] <= UNSEEN).all()
                else:
                    assert index != sample.target
    assert kinds >= ({"ordinal", "relation", "closest"} if frames == 1 else {"ordinal", "relation", "motion", "event"})
