"""Region encoders: the released one against what the released code gave, ours by what a user would miss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from published import RegionExtractor
from released import RELEASED, wave, with_waves
from tiny_vitron import CONFIG, VISION

from vitron_ros.errors import ModelError, RegionError
from vitron_ros.model.config import RegionConfig
from vitron_ros.model.region import MarkedRegion, MultiLevelRegionEncoder, PublishedRegionEncoder, build_region_encoder
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.region import Region

WIDTH, HEIGHT = 160, 120
N, GRID, SIZE = VISION.num_patches, VISION.grid, VISION.image_size


def marked(region: Region, frame: int = 0) -> MarkedRegion:
    return MarkedRegion(region=region, width=WIDTH, height=HEIGHT, frame=frame)


def box(x_min: float, y_min: float, x_max: float, y_max: float, frame: int = 0) -> MarkedRegion:
    return marked(Region.from_box([x_min, y_min, x_max, y_max]), frame)


def features(frames: int = 2, levels: int = 3) -> VisionFeatures:
    generator = torch.Generator().manual_seed(0)
    states = [torch.randn(frames, N, VISION.hidden_size, generator=generator) for _ in range(levels)]
    return VisionFeatures(states[-1], tuple(states))


def ours() -> MultiLevelRegionEncoder:
    torch.manual_seed(0)
    return MultiLevelRegionEncoder(CONFIG).eval()


def published(*, transposed: bool) -> PublishedRegionEncoder:
    """With the weights that the released code was given when its tokens were recorded."""
    encoder, weights = PublishedRegionEncoder(VISION, 48, transposed=transposed), with_waves(RegionExtractor())
    for index, layer in enumerate(weights.region_linear.layers):
        encoder.looks[2 * index].load_state_dict(layer.state_dict())
    encoder.place.load_state_dict(weights.loc_encoder.loc_encoder.state_dict())
    return encoder.eval()


@pytest.mark.parametrize("recorded", RELEASED["region"], ids=[str(row["box"]) for row in RELEASED["region"]])
def test_published_equals_the_released_code(recorded):
    seen = VisionFeatures(torch.cat([torch.zeros(1, N, 32), wave((1, N, 32), 5)]))
    on_image = [value * size / SIZE for value, size in zip(recorded["box"], (WIDTH, HEIGHT) * 2, strict=True)]
    with torch.no_grad():
        token = published(transposed=True)(seen, [box(*on_image, frame=1)])
    assert token.shape == (1, 1, 48)
    np.testing.assert_allclose(token[0, 0, :8].numpy(), recorded["token"], atol=1e-4)


@pytest.mark.parametrize("xyxy", [[8, 16, 40, 24], [0, 0, 64, 64], [3, 50, 5, 63], [20, 21, 45, 23]])
def test_an_upright_fill_is_the_transposed_one_over_transposed_patches(xyxy):
    seen = features()
    turned = seen.patches.unflatten(1, (GRID, GRID)).transpose(1, 2).flatten(1, 2)
    on_image = [value * size / SIZE for value, size in zip(xyxy, (WIDTH, HEIGHT) * 2, strict=True)]
    with torch.no_grad():
        upright = published(transposed=False)(seen, [box(*on_image)])
        transposed = published(transposed=True)(VisionFeatures(turned), [box(*on_image)])
    torch.testing.assert_close(upright, transposed)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_box_between_the_patches_gives_a_finite_token_in_every_precision(dtype):
    with torch.no_grad():
        token = published(transposed=True).to(dtype)(VisionFeatures(features().patches.to(dtype)), [box(0, 0, 2, 2)])
    assert torch.isfinite(token).all()


def test_transposed_fill_is_off_by_default():
    assert not RegionConfig(kind="published").transposed


def test_published_reduces_a_stroke_to_its_box():
    encoder = PublishedRegionEncoder(VISION, 48, transposed=False).eval()
    drawn = marked(Region.from_polygon([[20, 30], [90, 30], [20, 90]]))
    tight = Region.from_polygon([[20, 30], [90, 30], [20, 90]]).bounding_box(WIDTH, HEIGHT)
    torch.testing.assert_close(encoder(features(), [drawn]), encoder(features(), [box(*tight)]))


def test_every_kind_of_region_gives_two_tokens():
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[40:60, 50:90] = True
    regions = [
        marked(Region.from_point(30, 40)),
        box(10, 10, 60, 70),
        marked(Region.from_polygon([[0, 0], [50, 0], [25, 60]]), frame=1),
        marked(Region.from_scribble([[10, 10], [80, 60], [90, 20]])),
        marked(Region.from_mask(mask), frame=1),
    ]
    tokens = ours()(features(), regions)
    assert tokens.shape == (5, 2, 48) and torch.isfinite(tokens).all()
    one_by_one = torch.cat([ours()(features(), [region]) for region in regions])
    torch.testing.assert_close(tokens, one_by_one)


def test_a_token_sees_what_is_inside_and_not_outside():
    """At every level; the edge of the mask is as soft as the resized image, so a trace of the neighbours may show."""
    encoder, seen = ours(), features()
    region = box(0, 0, WIDTH / 2, HEIGHT)  # the left half: columns 0..3 of 8
    left = torch.arange(N) % GRID < GRID // 2
    base = encoder(seen, [region])
    for level in range(3):
        changes = []
        for patches in (left, ~left):
            levels = [state.clone() for state in seen.levels]
            levels[level][0, patches] = torch.randn(N // 2, VISION.hidden_size)
            token = encoder(VisionFeatures(levels[-1], tuple(levels)), [region])
            assert torch.equal(token[0, 1], base[0, 1])  # where it lies does not depend on how it looks
            changes.append(float((token - base)[0, 0].detach().abs().max()))
        inside, outside = changes
        assert inside > 1e-3 and outside < 0.05 * inside


def test_the_frame_of_a_region_is_the_one_that_is_read():
    encoder, seen = ours(), features(3)
    first, last = encoder(seen, [box(0, 0, 80, 60, frame=0), box(0, 0, 80, 60, frame=2)])
    assert not torch.allclose(first[0], last[0])
    assert torch.equal(first[1], last[1])


def test_x_and_y_are_not_exchanged():
    """A bright patch in the upper right is found there."""
    encoder, seen = ours(), features()
    levels = [torch.zeros_like(state) for state in seen.levels]
    for state in levels:
        state[0, GRID - 1] = torch.arange(VISION.hidden_size).float()  # first row, last column
    zero = encoder(VisionFeatures(levels[-1], tuple(torch.zeros_like(s) for s in levels)), [box(140, 0, 160, 15)])
    upper_right = encoder(VisionFeatures(levels[-1], tuple(levels)), [box(140, 0, 160, 15)])
    lower_left = encoder(VisionFeatures(levels[-1], tuple(levels)), [box(0, 105, 20, 120)])
    assert not torch.allclose(upper_right[0, 0], zero[0, 0])
    torch.testing.assert_close(lower_left[0, 0], zero[0, 0])


def test_a_click_on_one_pixel_reads_its_patch():
    encoder, seen = ours(), features()
    click = encoder(seen, [marked(Region.from_point(5, 5))])
    patch = encoder(seen, [box(2, 2, 16, 12)])  # inside the first patch of 20 x 15 px
    torch.testing.assert_close(click[0, 0], patch[0, 0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("frame", [-1, 2])
@pytest.mark.parametrize("kind", ["multi_level", "published"])
def test_a_frame_that_is_not_there_is_refused(kind, frame):
    encoder = build_region_encoder(replace(CONFIG, region=RegionConfig(kind=kind)))
    with pytest.raises(ModelError, match=rf"frames \[{frame}\], but the clip has frames 0 to 1"):
        encoder(features(), [box(0, 0, 9, 9, frame=frame)])
    with pytest.raises(ModelError, match="at least one"):
        encoder(features(), [])


@pytest.mark.parametrize("kind", ["multi_level", "published"])
def test_a_region_outside_the_image_is_refused(kind):
    encoder = build_region_encoder(replace(CONFIG, region=RegionConfig(kind=kind)))
    with pytest.raises(RegionError, match="outside the image of 160x120"):
        encoder(features(), [box(500, 10, 600, 90)])


def test_half_precision():
    encoder = ours().half()
    seen = features()
    half = VisionFeatures(seen.patches.half(), tuple(level.half() for level in seen.levels))
    tokens = encoder(half, [box(0, 0, 80, 60)])
    assert tokens.dtype == torch.float16
    torch.testing.assert_close(tokens.float(), ours()(seen, [box(0, 0, 80, 60)]), atol=1e-2, rtol=1e-2)
