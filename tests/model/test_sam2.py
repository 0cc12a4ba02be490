"""SAM 2 on a stream, with random weights: what it sees means nothing, what it keeps and where it looks does."""

import json

import cv2
import numpy as np
import PIL.Image
import pytest
import torch
from transformers import AutoConfig, EdgeTamVideoConfig

from tests.grounding.families.tiny_sam2 import MEAN, SIDE, STD, sam2_video
from tests.refusals import assert_refused
from vitron_ros.errors import ModelError
from vitron_ros.model.object_mask import ObjectMask
from vitron_ros.model.sam2 import Sam2Network, Sam2Object
from vitron_ros.region import Region

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 48, 80, 3), np.uint8)
BOX = Region.from_box([20, 8, 60, 40])


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return Sam2Network.load(sam2_video(tmp_path_factory.mktemp("sam2")), CPU)


def follow(network, count, region=BOX):
    target = Sam2Object(network, network.encode(IMAGES[0]), region)
    yield target
    for index in range(1, count):
        target.step(network.encode(IMAGES[index % len(IMAGES)]))
        yield target


def held(target):
    """Tensors of an object and their bytes, each storage once."""
    found = {}

    def look(value):
        if isinstance(value, torch.Tensor):
            found[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif isinstance(value, dict):
            for item in value.values():
                look(item)

    look(vars(target._session))
    return len(found), sum(found.values())


def test_memory_stays_flat_and_old_images_change_nothing(network):
    """Compared with the session of transformers that keeps everything, beyond the reach of memories and pointers."""
    whole = network.new_session()
    place = whole.obj_id_to_idx(1)
    sizes = []
    for index, target in enumerate(follow(network, 60)):
        pixels = network.pixels(IMAGES[index % len(IMAGES)])
        if index == 0:
            whole.add_point_inputs(place, 0, target._point_inputs(BOX, network.encode(IMAGES[0])))
            whole.obj_with_new_inputs = [1]
        with torch.inference_mode():
            kept = network.model(inference_session=whole, frame=pixels, frame_idx=index)
        assert np.array_equal(target.newest.logits, kept.pred_masks[0, 0].numpy())
        assert target.newest.score == torch.sigmoid(kept.object_score_logits).item()
        sizes.append(held(target))
    assert len(set(sizes[20:])) == 1, sizes
    assert len(whole.processed_frames) == 60


def test_objects_come_and_go_and_leave_the_others_alone(network):
    alone = [target.newest.logits for target in follow(network, 6)]
    first = Sam2Object(network, network.encode(IMAGES[0]), BOX)
    second = None
    for index in range(1, 6):
        image = network.encode(IMAGES[index % len(IMAGES)])
        assert np.array_equal(first.step(image).logits, alone[index])
        if index == 2:
            second = Sam2Object(network, image, Region.from_point(5, 5))
        elif index == 3:
            assert not np.array_equal(second.step(image).logits, alone[index])
        elif index == 4:
            second = None


def test_an_image_is_encoded_once_for_all_its_objects(network, monkeypatch):
    calls = []
    features = network.model.get_image_features
    monkeypatch.setattr(network.model, "get_image_features", lambda *a, **k: calls.append(1) or features(*a, **k))
    image = IMAGES[1].copy()
    assert network.encode(image) is network.encode(image)
    network.encode(image.copy())
    assert len(calls) == 2


REGIONS = {
    "box": (BOX, [[[[16, 8 * SIDE / 48], [48, 40 * SIDE / 48]]]], [[[2, 3]]]),
    "point": (Region.from_point(40, 24), [[[[32, 32]]]], [[[1]]]),
    "scribble": (Region.from_scribble([[40, 24], [60, 36]]), [[[[32, 32], [48, 48]]]], [[[1, 1]]]),
}


@pytest.mark.parametrize(("region", "points", "labels"), REGIONS.values(), ids=REGIONS)
def test_points_are_given_in_pixels_of_the_network(network, region, points, labels):
    inputs = Sam2Object(network, network.encode(IMAGES[0]), region)._session.point_inputs_per_obj[0][0]
    assert np.allclose(inputs["point_coords"], points) and inputs["point_labels"].tolist() == labels


def test_a_mask_that_is_given_is_the_first_mask(network):
    mask = np.zeros((48, 80), bool)
    mask[12:36, 20:60] = True
    target = Sam2Object(network, network.encode(IMAGES[0]), Region.from_mask(mask))
    given = target.newest.pixels > 0
    assert (given & mask).sum() / (given | mask).sum() > 0.8, "the network's grid is of 5 by 3 px"
    assert target.step(network.encode(IMAGES[1])).pixels.shape == (48, 80)


def test_pixels_are_those_of_the_image_processor(network):
    plain = np.full((7, 300, 3), (255, 0, 51), np.uint8)
    pixels = network.pixels(plain)
    assert pixels.shape == (1, 3, SIDE, SIDE)
    expected = (np.array([1, 0, 0.2]) - MEAN) / STD
    assert np.allclose(pixels[0].numpy(), expected[:, None, None], atol=1e-5)


@pytest.mark.parametrize("shape", [(480, 640, 3), (40, 30, 3), (SIDE, SIDE, 3)])
def test_an_image_is_resized_as_pillow_does(network, shape):
    """The image processors that the models were trained with are Pillow's; they may differ in the last grey level."""
    rgb = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, shape, np.uint8), (0, 0), 2)
    theirs = np.asarray(PIL.Image.fromarray(rgb).resize((SIDE, SIDE), PIL.Image.Resampling.BILINEAR))
    ours = network.pixels(rgb)[0].permute(1, 2, 0).numpy() * STD + MEAN
    assert np.abs(ours * 255 - theirs).max() <= 1.01


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (480, 640), (333, 517)])
def test_a_mask_lies_where_the_object_is(width, height):
    """Logits that fall off evenly from the border of a true box, on the grid of the real networks."""
    x_min, y_min, x_max, y_max = width * 0.31, height * 0.22, width * 0.74, height * 0.9
    x, y = (np.arange(256) + 0.5) * width / 256, (np.arange(256) + 0.5)[:, None] * height / 256
    logits = np.minimum(np.minimum(x - x_min, x_max - x), np.minimum(y - y_min, y_max - y)).astype(np.float32)
    mask = ObjectMask(logits, width, height, 0.9)
    assert np.abs(mask.box_xyxy - [x_min, y_min, x_max, y_max]).max() <= 1


def test_specks_are_left_out_and_parts_are_not():
    logits = np.full((64, 64), -4, np.float32)
    logits[10:30, 10:30] = logits[40:50, 10:30] = 4
    logits[60, 60] = 4
    assert ObjectMask(logits, 64, 64, 0.9).box_xyxy.tolist() == [10, 10, 30, 50]
    nothing = ObjectMask(np.full((64, 64), -4, np.float32), 64, 64, 0.1)
    assert nothing.box_xyxy is None and not nothing.pixels.any()


def test_an_absent_object_has_no_pixels(tmp_path):
    network = Sam2Network.load(sam2_video(tmp_path, is_there=False), CPU)
    for target in follow(network, 3):
        assert target.newest.score < 0.2 and target.newest.box_xyxy is None


DAMAGE = {
    "no processor": (lambda folder: (folder / "processor_config.json").unlink(), "has no image processor"),
    "no mean": (lambda folder: (folder / "processor_config.json").write_text("{}"), "holds no image_mean"),
    "a mean of two": (
        lambda folder: (folder / "processor_config.json").write_text('{"image_mean": [1, 2], "image_std": [1, 1, 1]}'),
        "holds no image_mean and image_std of three",
    ),
    "a deviation of zero": (
        lambda folder: (folder / "processor_config.json").write_text(
            '{"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}'
        ),
        "is no scale",
    ),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "has no weights"),
    "another model": (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "type 'bert'"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json cannot be read"),
    **{
        f"of type {text}": (
            lambda folder, text=text: (folder / "config.json").write_text(f'{{"model_type": {text}}}'),
            "holds a model of type",
        )
        for text in ('["sam2_video"]', '{"a": 1}', "1", "null", "true")
    },
}


@pytest.mark.parametrize(("damage", "says"), DAMAGE.values(), ids=DAMAGE)
def test_what_is_wrong_with_a_directory_is_one_sentence(tmp_path, damage, says):
    damage(sam2_video(tmp_path))
    with assert_refused(ModelError, says):
        Sam2Network.load(tmp_path, CPU)


def test_edgetam_names_the_package_that_it_needs(tmp_path):
    backbone = AutoConfig.for_model("timm_wrapper", architecture="repvit_m1.dist_in1k").to_dict()
    values = EdgeTamVideoConfig().to_dict()
    values["vision_config"]["backbone_config"] = backbone
    (tmp_path / "config.json").write_text(json.dumps(values, default=str))
    with pytest.raises(ModelError, match="one of timm, which is not here; run: pip install timm"):
        Sam2Network.load(tmp_path, CPU)
