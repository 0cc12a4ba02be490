"""Frames that the model has seen are not encoded again, and are not kept alive by that."""

import weakref

import numpy as np
import pytest
import torch

from tests.fakes import frame as grey
from vitron_ros.frame import Frame
from vitron_ros.grounding.frame_tokens import CachedFrameEncoder


def noise(seed: int, stamp_ns: int = 0, camera: str = "") -> Frame:
    rgb = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), np.uint8)
    return Frame(rgb=rgb, stamp_ns=stamp_ns or 1 + seed, camera=camera)


@pytest.fixture
def model(checkpoint):
    return checkpoint.model.eval()


def test_tokens_are_those_of_the_model_and_say_which_patches_they_are(model):
    frames = [noise(seed) for seed in range(3)]
    with torch.inference_mode():
        features = model.features(model.pixels(frames))
        visual = model.visual_tokens(features)
    for place, one in enumerate(CachedFrameEncoder(model)(frames)):
        torch.testing.assert_close(one.tokens, visual.tokens[place])
        assert np.flatnonzero(one.kept).tolist() == visual.indices[place].tolist()
        assert one.kept.shape == (6, 6)
        np.testing.assert_allclose(one.mean_patch, features.patches[place].mean(0), rtol=1e-5, atol=1e-6)


def test_clips_that_overlap_are_encoded_once(model):
    encoder, frames = CachedFrameEncoder(model), [noise(seed) for seed in range(6)]
    first = encoder(frames[:4])
    second = encoder(frames[1:5])
    assert encoder.encoded == 5
    assert [a is b for a, b in zip(first[1:], second[:3], strict=True)] == [True] * 3
    for one, frame in zip(second, frames[1:5], strict=True):
        torch.testing.assert_close(one.tokens, CachedFrameEncoder(model)([frame])[0].tokens)


def test_a_frame_that_several_ask_about_is_encoded_once(model):
    encoder, one, other = CachedFrameEncoder(model), noise(0), noise(1)
    seen = encoder([one, other, one, one])
    assert encoder.encoded == 2
    assert seen[0] is seen[2] is seen[3] is not seen[1]


@pytest.mark.parametrize("change", ["camera", "stamp", "pixels"])
def test_a_frame_that_differs_in_anything_is_another(model, change):
    one = grey(0, camera="left")
    other = {
        "camera": Frame(rgb=one.rgb, stamp_ns=one.stamp_ns, camera="right"),
        "stamp": Frame(rgb=one.rgb, stamp_ns=one.stamp_ns + 1, camera="left"),
        "pixels": Frame(rgb=one.rgb.copy(), stamp_ns=one.stamp_ns, camera="left"),
    }[change]
    encoder = CachedFrameEncoder(model)
    encoder([one]), encoder([other])
    assert encoder.encoded == 2
    encoder([Frame(rgb=one.rgb, stamp_ns=one.stamp_ns, camera="left", index=7)])
    assert encoder.encoded == 2


def test_no_more_than_the_limit_are_remembered_and_the_latest_used_stay(model):
    encoder, frames = CachedFrameEncoder(model, kept=3), [noise(seed) for seed in range(9)]
    for frame in frames[:3]:
        encoder([frame])
    encoder(frames[:1])
    encoder(frames[3:4])  # forgets frame 1, the longest unused
    assert len(encoder) == 3
    encoder([frames[0], frames[2]])
    assert encoder.encoded == 4
    encoder(frames[1:2])
    assert encoder.encoded == 5
    # More than are remembered, and more than the model takes at once.
    assert len(encoder(frames)) == 9
    assert len(encoder) == 3


def test_frames_that_are_gone_make_room_before_frames_that_are_still_held(model):
    encoder, held = CachedFrameEncoder(model, kept=4), noise(0)
    encoder([held])
    for seed in range(1, 6):
        encoder([noise(seed)])  # gone at once, as the parts of images that are shown only once
    encoder([held])
    assert encoder.encoded == 6
    assert len(encoder) <= 4


def test_pixels_are_not_kept_alive_and_an_id_that_comes_again_is_not_trusted(model):
    encoder = CachedFrameEncoder(model)
    for seed in range(20):
        frame = noise(seed, stamp_ns=5)
        gone = weakref.ref(frame.rgb)
        seen = encoder([frame])[0]
        torch.testing.assert_close(seen.tokens, CachedFrameEncoder(model)([frame])[0].tokens)
        del frame
        assert gone() is None
    assert encoder.encoded == 20
