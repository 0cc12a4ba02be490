"""The picture and its truth agree, for any seed; the same seed gives the same bytes."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.worlds import Clip, WorldConfig, make_clip
from training.worlds.splits import is_held_out_pair
from vitron_ros.errors import ConfigError
from vitron_ros.worlds.shapes import HALF_EXTENT, silhouette
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES

SEEDS = st.integers(0, 10**6)
FEW = settings(max_examples=25)


def digest(clip: Clip) -> str:
    parts = (clip.frames, clip.instances, clip.boxes_xyxy, clip.full_boxes_xyxy, clip.visible, clip.depth)
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


@pytest.mark.parametrize("frames", [1, 8])
def test_the_same_seed_gives_the_same_bytes(frames: int) -> None:
    first, again = make_clip(11, frames=frames), make_clip(11, frames=frames)
    assert digest(first) == digest(again)
    assert first.objects == again.objects


def test_a_clip_does_not_depend_on_the_process_or_on_clips_made_before() -> None:
    for seed in range(3):
        make_clip(seed)
    code = (
        "import hashlib; from training.worlds import make_clip; c = make_clip(5);"
        "print(hashlib.sha256(c.frames.tobytes() + c.boxes_xyxy.tobytes()).hexdigest())"
    )
    clip = make_clip(5)
    expected = hashlib.sha256(clip.frames.tobytes() + clip.boxes_xyxy.tobytes()).hexdigest()
    fresh = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == expected


def test_seeds_and_splits_differ() -> None:
    digests = {digest(make_clip(seed, frames=1, split=split)) for seed in range(30) for split in ("train", "val")}
    assert len(digests) == 60


@given(seed=SEEDS, size=st.sampled_from([64, 128, 160, 224, (96, 160), (180, 120)]), frames=st.sampled_from([1, 5]))
@FEW
def test_boxes_are_the_tight_boxes_of_the_masks(seed: int, size: int | tuple[int, int], frames: int) -> None:
    clip = make_clip(seed, frames=frames, size=size)
    height, width = (size, size) if isinstance(size, int) else size
    assert clip.frames.shape == (frames, height, width, 3)
    assert clip.frames.dtype == np.uint8
    for t in range(frames):
        for index, mask in enumerate(clip.masks[t]):
            rows, columns = np.nonzero(mask)
            if not len(rows):
                assert clip.visible[t, index] == 0
                assert np.isnan(clip.boxes_xyxy[t, index]).all()
                continue
            tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert clip.boxes_xyxy[t, index].tolist() == tight
            full = clip.full_boxes_xyxy[t, index]
            assert (full[:2] <= tight[:2]).all()
            assert (full[2:] >= tight[2:]).all()
            assert 0 < clip.visible[t, index] <= 1


@given(seed=SEEDS)
@FEW
def test_what_nothing_hides_is_wholly_visible_and_the_nearer_hides_the_farther(seed: int) -> None:
    clip = make_clip(seed, frames=3, config=WorldConfig(post=0.0))
    for t in range(3):
        for index, full in enumerate(clip.full_boxes_xyxy[t]):
            inside = (full >= 0).all() and full[2] <= clip.width and full[3] <= clip.height
            others = clip.full_boxes_xyxy[t]
            overlaps = (np.minimum(full[2:], others[:, 2:]) > np.maximum(full[:2], others[:, :2])).all(axis=1)
            nearer = bool((overlaps & (clip.depth < clip.depth[index])).any())
            if inside and not nearer:
                assert clip.visible[t, index] == 1
            if clip.visible[t, index] < 1:
                assert nearer or not inside


def test_ranks_of_depth_are_a_permutation() -> None:
    for seed in range(10):
        clip = make_clip(seed, frames=1)
        assert sorted(clip.depth.tolist()) == list(range(len(clip.objects)))


def test_the_object_behind_a_post_is_gone_for_a_while() -> None:
    hidden = 0
    for seed in range(30):
        clip = make_clip(seed, config=WorldConfig(post=1.0))
        shown = clip.visible[:, 0]
        hidden += bool(shown[0] > 0.4 and shown[3:5].max() < 0.02 and shown[-1] > 0.4)
    assert hidden >= 12


def test_every_word_of_the_vocabulary_is_drawn_about_equally() -> None:
    specs = [spec for seed in range(250) for spec in make_clip(seed, frames=1, size=32).objects]
    for names, field in ((SHAPES, "shape"), (COLOURS, "colour"), (SIZES, "size"), (PATTERNS, "pattern")):
        counts = np.array([sum(getattr(spec, field) == name for spec in specs) for name in names])
        assert counts.min() > 0.4 * len(specs) / len(names), dict(zip(names, counts, strict=True))
    numbers = {len(make_clip(seed, frames=1, size=32).objects) for seed in range(150)}
    assert numbers == set(range(2, 9))


def test_motion_is_smooth_accelerating_and_abrupt() -> None:
    """Second differences of positions: none for steady motion, one sign for accelerating, a jump for abrupt."""
    bends, still = [], 0
    for seed in range(60):
        world = make_clip(seed, frames=8, size=32).world_centers
        speed = np.linalg.norm(np.diff(world, axis=0), axis=-1)
        still += int((speed.max(axis=0) < 1e-9).sum())
        moving = world[:, speed.max(axis=0) > 0.01]
        bends += np.abs(np.diff(moving, n=2, axis=0)).max(axis=(0, 2)).tolist()
    assert still > 10
    assert sum(bend < 1e-9 for bend in bends) > 10
    assert sum(1e-3 < bend < 0.05 for bend in bends) > 10
    assert sum(bend > 0.1 for bend in bends) > 10


def test_more_comes_and_goes_where_that_is_asked_for() -> None:
    def share_out_of_sight(out_of_view: float) -> float:
        clips = [
            make_clip(seed, frames=8, size=32, config=WorldConfig(out_of_view=out_of_view, post=0.0))
            for seed in range(40)
        ]
        return float(np.concatenate([(clip.visible == 0).any(axis=0) for clip in clips]).mean())

    assert share_out_of_sight(0.0) < 0.35
    assert share_out_of_sight(1.0) > 0.75


def test_colours_can_be_told_apart_in_a_clean_world() -> None:
    """The mean of an object's pixels is nearer to its own colour's mean than to another's, nearly always."""
    config = WorldConfig(degrade=0.0, jpeg=0.0, camera_motion=0.0)
    samples: dict[str, list[np.ndarray]] = {name: [] for name in COLOURS}
    for seed in range(150):
        clip = make_clip(seed, frames=1, config=config)
        for index, spec in enumerate(clip.objects):
            if spec.pattern == "plain" and spec.shape in ("circle", "square", "heart") and clip.visible[0, index] > 0.9:
                samples[spec.colour].append(np.median(clip.frames[0][clip.masks[0, index]], axis=0))
    means = np.array([np.mean(samples[name], axis=0) for name in COLOURS])
    right = [
        np.linalg.norm(means - pixel, axis=1).argmin() == number
        for number, name in enumerate(COLOURS)
        for pixel in samples[name]
    ]
    assert len(right) > 50
    assert np.mean(right) > 0.9


def test_training_never_shows_a_held_out_pair_and_validation_does() -> None:
    share = {}
    for split in ("train", "val"):
        clips = [make_clip(seed, frames=1, size=32, split=split) for seed in range(150)]
        share[split] = np.mean([is_held_out_pair(spec.colour, spec.shape) for clip in clips for spec in clip.objects])
    assert share["train"] == 0
    assert 0.1 < share["val"] < 0.5


def test_real_frames_become_the_background() -> None:
    real = [np.full((90, 200, 3), 10 * t, np.uint8) for t in range(4)]
    config = WorldConfig(degrade=0.0, jpeg=0.0)
    clip = make_clip(3, frames=4, config=config, background=real)
    for t in range(4):
        ground = clip.frames[t][clip.instances[t] == 0]
        assert abs(float(np.median(ground)) - 10 * t) <= 2
    one = make_clip(3, frames=4, config=config, background=real[2:3])
    assert one.frames.shape == clip.frames.shape


@pytest.mark.parametrize(
    ("settings_", "word"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 0, "frames": 0}, "frames"),
        ({"seed": 0, "size": 8}, "size"),
        ({"seed": 0, "frames": 3, "background": [np.zeros((9, 9, 3), np.uint8)] * 2}, "background frames"),
        ({"seed": 0, "frames": 1, "background": [np.zeros((9, 9), np.uint8)]}, "uint8"),
    ],
)
def test_what_does_not_fit_is_refused(settings_: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        make_clip(**settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "field",
    [
        {"min_objects": 0},
        {"max_objects": 9},
        {"min_objects": 5, "max_objects": 3},
        {"post": 1.5},
        {"out_of_view": -0.1},
        {"degrade": -1},
    ],
)
def test_a_config_out_of_range_is_refused(field: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        WorldConfig(**field)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_silhouette_is_centred_with_a_box_of_area_one(shape: str) -> None:
    drawing = silhouette(shape)
    corners = np.concatenate(drawing.contours)
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert np.prod(high - low) == pytest.approx(1)
    assert low + high == pytest.approx([0, 0], abs=1e-9)
    assert np.abs(corners).max() < HALF_EXTENT
