"""Distances of features and of pixels, and networks from a directory or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest

from vitron_ros.errors import MetricError, MetricUnavailable
from vitron_ros.evaluation.metrics.feature_networks import load_clip, load_onnx_network
from vitron_ros.evaluation.metrics.generation import (
    clip_direction,
    clip_score,
    cosine_similarity,
    flicker,
    frechet_distance,
    inception_score,
    l1,
)

GREY = np.full((4, 6, 3), 100, np.uint8)
X, Y = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])


def test_equal_sets_have_no_distance_and_a_shift_adds_its_square():
    features = np.random.default_rng(11).normal(size=(50, 4))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features, features + np.array([3, 0, 4, 0])) == pytest.approx(25)


def test_one_dimension_by_hand():
    own, other = np.array([[0.0], [2.0]]), np.array([[0.0], [6.0]])  # means 1 and 3, variances 2 and 18
    assert frechet_distance(own, other) == pytest.approx(4 + 2 + 18 - 2 * 6)


def test_agrees_with_torchmetrics():
    torch = pytest.importorskip("torch")
    fid = pytest.importorskip("torchmetrics.image.fid")

    class Pixels(torch.nn.Module):
        """Images of one row are their own features."""

        num_features = 5

        def forward(self, images):
            return images[:, 0, 0].double() / 255

    rng = np.random.default_rng(12)
    for _ in range(25):  # sets of 20 and 20: 1,000 images
        own, other = (rng.integers(0, 256, (20, 1, 1, 5), dtype=np.uint8).repeat(3, axis=1) for _ in range(2))
        metric = fid.FrechetInceptionDistance(feature=Pixels(), input_img_size=(3, 1, 5)).set_dtype(torch.float64)
        metric.update(torch.from_numpy(other), real=True)
        metric.update(torch.from_numpy(own), real=False)
        ours = frechet_distance(own[:, 0, 0] / 255, other[:, 0, 0] / 255)
        assert ours == pytest.approx(float(metric.compute()), abs=1e-9)


def test_inception_score_between_one_and_the_number_of_classes():
    assert inception_score(np.full((20, 4), 0.25)) == pytest.approx((1, 0))
    assert inception_score(np.tile(np.eye(4), (5, 1)), splits=5) == pytest.approx((4, 0))
    two_and_three = np.eye(2)[[0, 1, 0, 0, 0]]
    assert inception_score(two_and_three, splits=2) == pytest.approx((1.5, 0.5))


def test_cosines():
    assert cosine_similarity(np.concatenate([X, X]), np.concatenate([5 * X, Y])) == 0.5
    assert clip_score(np.concatenate([X, X]), np.concatenate([X, -X])) == 50  # what is below 0 counts 0


def test_direction_compares_changes():
    assert clip_direction(X, Y, 2 * X, 3 * Y) == pytest.approx(1)
    assert clip_direction(X, Y, Y, X) == pytest.approx(-1)


def test_pixels():
    assert l1(GREY, GREY) == 0
    assert l1(GREY, GREY + 51) == pytest.approx(0.2)
    assert l1(GREY + 51, GREY) == pytest.approx(0.2)
    assert flicker([GREY] * 3) == 1
    assert flicker([GREY, GREY + 51, GREY + 51]) == pytest.approx(0.9)


@pytest.fixture
def onnx_directory(tmp_path: Path) -> Path:
    """Its features are the means of the channels, over clips too."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    make = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
            onnx.helper.make_node("Flatten", ["pooled"], ["features"]),
        ],
        "means",
        [make("images", onnx.TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [make("features", onnx.TensorProto.FLOAT, ["n", 3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "network.onnx")
    settings = {"name": "means", "height": 2, "width": 2, "mean": [0, 0, 0], "std": [1, 1, 1], "filter": "area"}
    (tmp_path / "network.json").write_text(json.dumps(settings))
    return tmp_path


def test_a_network_from_a_directory(onnx_directory):
    network = load_onnx_network(onnx_directory)
    assert (network.name, network.resize, len(network.weights)) == ("means", "area 2x2", 12)
    features = network.features([GREY, GREY + 51, np.zeros((9, 9, 3), np.uint8)] * 10)
    assert features.shape == (30, 3)
    assert features[:3, 0] == pytest.approx([100 / 255, 151 / 255, 0])


@pytest.mark.parametrize(
    ("name", "text"),
    [("network.json", "{"), ("network.json", '{"name": "x"}'), ("network.json", "[]"), ("network.onnx", "nothing")],
)
def test_a_damaged_network_is_unavailable(onnx_directory, name, text):
    (onnx_directory / name).write_text(text)
    with pytest.raises(MetricUnavailable):
        load_onnx_network(onnx_directory)


@pytest.mark.parametrize("load", [load_clip, load_onnx_network])
def test_without_a_directory_there_is_no_number(load, tmp_path):
    with pytest.raises(MetricUnavailable, match="no directory"):
        load(None)
    with pytest.raises(MetricUnavailable, match="has no"):
        load(tmp_path)


def test_clip_gives_features_of_images_and_texts(tmp_path):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    text = {**sizes, "vocab_size": 8, "max_position_embeddings": 8, "bos_token_id": 0, "eos_token_id": 1}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": 8, "patch_size": 4}, projection_dim=4
    )
    transformers.CLIPModel(config).save_pretrained(tmp_path)
    words = ["<|startoftext|>", "<|endoftext|>", "a", "b", "a</w>", "b</w>"]
    transformers.CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[]).save_pretrained(tmp_path)
    small = {"height": 8, "width": 8}
    transformers.CLIPImageProcessor(size=small, crop_size=small).save_pretrained(tmp_path)
    clip = load_clip(tmp_path)
    images, texts = clip.images([GREY] * 17), clip.texts(["a b", "b"])
    assert (images.shape, texts.shape) == ((17, 4), (2, 4))
    assert 0 <= clip_score(images[:2], texts) <= 100
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(MetricUnavailable, match="cannot be read"):
        load_clip(tmp_path)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: frechet_distance(X, Y), "two features or more"),
        (lambda: frechet_distance(np.ones((3, 2)), np.ones((3, 4))), "of one size"),
        (lambda: frechet_distance(np.full((3, 2), np.nan), np.ones((3, 2))), "generated has 6 values"),
        (lambda: inception_score(np.ones((20, 4))), "sums to 1"),
        (lambda: inception_score(np.full((4, 4), 0.25)), "4 samples do not make 10 splits"),
        (lambda: cosine_similarity(X, np.concatenate([X, X])), "features 1, others 2"),
        (lambda: cosine_similarity(X, 0 * X), "zero vector"),
        (lambda: clip_score(X, np.ones((1, 3))), "of one size"),
        (lambda: clip_direction(X, X, X, Y), "zero vector"),
        (lambda: clip_direction(X, Y, np.ones((1, 3)), np.ones((1, 3))), "shapes differ"),
        (lambda: l1(GREY, GREY[:2]), "resize the generated image"),
        (lambda: l1(GREY.astype(float), GREY), "uint8"),
        (lambda: flicker([GREY]), "two frames or more"),
        (lambda: flicker([GREY, GREY[:2]]), "of one size"),
    ],
)
def test_bad_input_is_refused(call, words):
    with pytest.raises(MetricError, match=words):
        call()
