"""Checkpoints in the published layouts give the answers of the parts that they were made of."""

import gc
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from published import (
    ELYSIUM_CONFIG,
    FRAMES,
    VITRON_CONFIG,
    Bomb,
    assert_same_answers,
    save_elysium,
    save_vitron,
)
from released import RELEASED, wave
from safetensors.torch import load_file, save_file
from tiny_vitron import PLAIN

from tests.refusals import assert_refused
from vitron_ros.errors import ModelError
from vitron_ros.model import weights
from vitron_ros.model.checkpoint import from_pretrained, read_config, read_model, save_pretrained
from vitron_ros.model.config import PROFILES, profile
from vitron_ros.model.pickles import read_pickle
from vitron_ros.model.prompts import ImageSegment, Prompt, RegionSegment, Segment, TextSegment
from vitron_ros.model.published_layouts import VITRON, layout_of, rename, tower_rules, weight_sources
from vitron_ros.model.published_parts import ADAPTER, IMAGE_TOWER, VIDEO_TOWER
from vitron_ros.model.region import MarkedRegion
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VitronModel, build_empty
from vitron_ros.model.weights import WeightsError
from vitron_ros.region import Region


@pytest.fixture(autouse=True)
def sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published sizes, but tiny."""
    monkeypatch.setitem(PROFILES, "elysium-7b", ELYSIUM_CONFIG)
    monkeypatch.setitem(PROFILES, "vitron-7b-published", VITRON_CONFIG)


def test_elysium_gives_its_answers(tmp_path):
    theirs = save_elysium(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model, report = read_model(tmp_path, read_config(tmp_path))
    assert all("layers.3." in name or "post_layernorm" in name for name in report.unused)
    assert_same_answers(model, theirs, (1, 3))


def test_elysium_with_the_names_of_older_releases(tmp_path):
    """CLIP's names once had vision_model. in them, and buffers were saved."""
    theirs = save_elysium(tmp_path)
    tensors = {}
    for file in tmp_path.glob("*.safetensors"):
        tensors |= load_file(file)
        file.unlink()
    (tmp_path / "model.safetensors.index.json").unlink()
    old = {
        re.sub(r"^visual_encoder\.(vision_model\.)?", "visual_encoder.vision_model.", name): t
        for name, t in tensors.items()
    }
    old["visual_encoder.vision_model.embeddings.position_ids"] = torch.arange(65)[None]
    old["llm.model.layers.1.self_attn.rotary_emb.inv_freq"] = torch.ones(6)
    save_file(old, tmp_path / "model.safetensors")
    assert_same_answers(from_pretrained(tmp_path), theirs, (2,))


def test_elysium_states_its_token_counts(tmp_path):
    save_elysium(tmp_path)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "elysium", "adapter_config": {"in_token_num": 64, "out_token_num": 16}})
    )
    with pytest.raises(WeightsError, match=r"adapter.score_proj.weight: file \(12, 64\), model \(16, 64\).*--config"):
        from_pretrained(tmp_path, device="meta")


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("towers_in_base", [False, True])
def test_vitron_gives_its_answers(tmp_path, pickled, towers_in_base):
    base, lora = tmp_path / "base", tmp_path / "lora"
    theirs = save_vitron(base, lora, pickled=pickled, towers_in_base=towers_in_base)
    towers = {} if towers_in_base else {IMAGE_TOWER: base / "image", VIDEO_TOWER: base / "video"}
    model, _ = read_model(base, read_config(base), given={ADAPTER: lora, **towers})
    assert_same_answers(model, theirs, (1, FRAMES))


def test_vitron_regions_with_their_transposed_fill(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=False)
    model = from_pretrained(tmp_path / "base")
    features = VisionFeatures(wave((1, 64, 32), 5))
    for recorded in RELEASED["region"]:
        marked = MarkedRegion(region=Region.from_box(recorded["box"]), width=64, height=64)
        token = model.region_tokens(features, [marked])[0, 0, :8].detach()
        np.testing.assert_allclose(token.numpy(), recorded["token"], atol=1e-4)


@pytest.mark.parametrize("recorded", RELEASED["image_path"], ids=["image", "region"])
def test_the_image_path_is_that_of_the_released_code(tmp_path, recorded):
    """From prepared pixels, text and a box to what the language model reads."""
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=True, waves=True)
    model = from_pretrained(tmp_path / "base")
    segments: list[Segment] = []
    for token in recorded["ids"]:
        special = {-200: ImageSegment(0), -300: RegionSegment(0)}
        segments.append(special.get(token) or TextSegment((token,)))
    with torch.no_grad():
        features = model.features(wave((1, 3, 64, 64), 7))
        box = recorded["region"]
        marked = box and [MarkedRegion(region=Region.from_box(box), width=64, height=64)]
        regions = model.region_tokens(features, marked) if marked else None
        embeds = model.splice(Prompt(tuple(segments)), model.visual_tokens(features).tokens, regions)
    np.testing.assert_allclose((embeds @ wave((48,), 3)).numpy(), recorded["rows"], atol=2e-4)


def test_what_was_loaded_is_saved_in_our_layout_and_comes_back(tmp_path):
    theirs = save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=False)
    save_pretrained(from_pretrained(tmp_path / "base"), tmp_path / "ours")
    assert_same_answers(from_pretrained(tmp_path / "ours"), theirs, (1, FRAMES))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_in_16_bits_are_merged_in_32(tmp_path, dtype):
    """Each merged weight is the nearest to the sum, not to a sum of rounded products."""
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=True)
    exact, half = from_pretrained(tmp_path / "base"), from_pretrained(tmp_path / "base", dtype=dtype)
    for name, weight in exact.named_parameters():
        assert torch.equal(half.get_parameter(name), weight.to(dtype)), name


def anonymous_bytes() -> int:
    """This process's own memory: files that are mapped into it, which the system can drop at any time, do not count."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return 1024 * int(line.split()[1])


@pytest.mark.parametrize(("stored", "dtype"), [(torch.float16, None), (torch.float16, torch.float32)])
def test_no_weight_is_held_twice_while_pickles_are_read(tmp_path, monkeypatch, stored, dtype):
    """Beside the model's own memory there are a few copies of one weight, and none of a whole file."""
    language = replace(VITRON_CONFIG.language, vocab_size=8000, hidden_size=768, intermediate_size=3072)
    monkeypatch.setattr("published.PLAIN", replace(PLAIN, language=language))
    monkeypatch.setattr("published.WIDTH", 768)
    monkeypatch.setitem(PROFILES, "vitron-7b-published", replace(VITRON_CONFIG, language=language))
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=True, dtype=stored)
    peak, put = 0, weights._put

    def watched(*arguments: object) -> None:
        nonlocal peak
        put(*arguments)
        peak = max(peak, anonymous_bytes())

    monkeypatch.setattr(weights, "_put", watched)
    gc.collect()
    before = anonymous_bytes()
    model = from_pretrained(tmp_path / "base", dtype=dtype)
    size = sum(weight.nbytes for weight in model.parameters())
    largest = max(4 * weight.numel() for weight in model.parameters())
    assert size > 100e6 if dtype else 50e6
    assert peak - before < (size if dtype else 0) + 3 * largest + 16e6


def test_a_pickle_that_runs_code_runs_none(tmp_path):
    (tmp_path / "bad.bin").write_bytes(pickle.dumps({"weight": Bomb(tmp_path / "exploded")}, protocol=2))
    with pytest.raises(ModelError, match="holds more than tensors"):
        read_pickle(tmp_path / "bad.bin")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    "content",
    [{"a": 3}, [torch.ones(1)], {"a": {"b": torch.ones(1)}}, {3: torch.ones(1)}, {"a": torch.eye(2).to_sparse()}],
)
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "odd.bin")
    with pytest.raises(ModelError, match="not a table of tensors"):
        read_pickle(tmp_path / "odd.bin")


@pytest.mark.parametrize("content", [b"", b"abc" * 100, b"PK\x03\x04" + b"\0" * 100])
def test_a_pickle_that_is_damaged_is_one_line(tmp_path, content):
    (tmp_path / "bad.bin").write_bytes(content)
    with assert_refused(ModelError, r"bad\.bin is damaged or holds more than tensors: .+; fetch it again"):
        read_pickle(tmp_path / "bad.bin")


@pytest.mark.parametrize("weight_map", ['{"a": "../b.bin"}', '{"a": "/etc/hostname"}', '{"a": 3}', '["a"]', "{}"])
def test_an_index_of_pickles_is_read_as_any_other(tmp_path, weight_map):
    (tmp_path / "config.json").write_text('{"model_type": "llava"}')
    (tmp_path / "pytorch_model.bin.index.json").write_text(f'{{"weight_map": {weight_map}}}')
    with pytest.raises(ModelError, match=r"outside its own folder|is not a file|is not an index"):
        weight_sources(tmp_path, build_empty(VITRON_CONFIG))


@pytest.mark.parametrize(
    ("adapter", "sentence"),
    [
        ('"x"', "is not a table"),
        ('{"in_token_num": "64", "out_token_num": 12}', "selects 12 of '64' tokens"),
        ('{"in_token_num": 0, "out_token_num": 12}', "selects 12 of 0 tokens"),
        ('{"in_token_num": 64, "out_token_num": 65}', "selects 65 of 64 tokens"),
    ],
)
def test_token_counts_of_elysium_that_nobody_can_mean(tmp_path, adapter, sentence):
    (tmp_path / "config.json").write_text(f'{{"model_type": "elysium", "adapter_config": {adapter}}}')
    with pytest.raises(ModelError, match=sentence):
        read_config(tmp_path)


def test_what_is_missing_is_reported_by_name(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=False)
    file = tmp_path / "vitron-lora" / "non_lora_trainables.safetensors"
    tensors = load_file(file)
    del tensors["base_model.model.model.region_extractor.region_linear.layers.1.bias"]
    tensors["base_model.model.model.mystery"] = torch.ones(2)
    tensors["base_model.model.model.mm_projector.0.bias"] = torch.ones(2)
    save_file(tensors, file)
    with pytest.raises(WeightsError, match=r"1 missing: region.looks.2.bias; 1 unexpected") as told:
        from_pretrained(tmp_path / "base")
    report = told.value.report
    assert report.missing == ("region.looks.2.bias",)
    assert report.unexpected == ("base_model.model.model.mystery",)
    assert report.misshaped == ("base_model.model.model.mm_projector.0.bias: file (2,), model (48,)",)


def test_what_the_files_have_beyond_the_model_is_told_and_left_out(tmp_path, caplog):
    """A release may hold more than its code ever read."""
    save_elysium(tmp_path)
    file = next(tmp_path.glob("*.safetensors"))
    save_file({**load_file(file), "llm.mystery": torch.ones(2)}, file)
    from_pretrained(tmp_path)
    assert "1 unexpected: llm.mystery" in caplog.text


def test_an_adapter_of_another_base_is_refused(tmp_path, monkeypatch):
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=False)
    small = replace(VITRON_CONFIG, language=replace(VITRON_CONFIG.language, num_layers=2))
    monkeypatch.setitem(PROFILES, "vitron-7b-published", small)
    with pytest.raises(ModelError, match=r"vitron-lora does not fit the language model: 28 weights loaded; 14 unexp"):
        from_pretrained(tmp_path / "base")


def test_the_adapter_alone_is_no_model(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "vitron-lora", pickled=True)
    (tmp_path / "vitron-lora" / "config.json").write_text('{"model_type": "llava"}')  # as it was published
    with pytest.raises(ModelError, match="holds an adapter and no model; give the directory of its base"):
        from_pretrained(tmp_path / "vitron-lora")


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"model_type": "qwen"}, "x holds a model of type 'qwen'; those that are read .* are elysium, llava"),
        ({"model_type": ["llava"]}, "of type \\['llava'\\]"),
        ({"model_type": "llava", "vision_config": {}}, "of type transformers' own LLaVA"),
    ],
)
def test_a_layout_of_somebody_else(config, sentence):
    with pytest.raises(ModelError, match=sentence):
        layout_of(config, "x")


def test_a_pickle_that_was_never_pulled(tmp_path):
    (tmp_path / "a.bin").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 3\n")
    with pytest.raises(ModelError, match=r"a\.bin is a pointer of Git LFS, .*: git lfs pull$"):
        read_pickle(tmp_path / "a.bin")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("model.embed_tokens.weight", "language.model.embed_tokens.weight"),
        ("lm_head.weight", "language.lm_head.weight"),
        ("model.mm_projector.2.bias", "projector.2.bias"),
        ("model.region_extractor.region_linear.layers.2.weight", "region.looks.4.weight"),
        ("model.region_extractor.loc_encoder.loc_encoder.2.bias", "region.place.2.bias"),
        ("model.image_tower.image_tower.encoder.layers.22.mlp.fc1.bias", "vision.layers.22.mlp.fc1.bias"),
        ("model.image_tower.image_tower.encoder.layers.23.mlp.fc1.bias", None),
        ("model.image_tower.image_tower.post_layernorm.bias", None),
        ("model.layers.31.self_attn.rotary_emb.inv_freq", None),
        ("something.else", "something.else"),
    ],
)
def test_names_of_the_real_release(monkeypatch, theirs, ours):
    monkeypatch.undo()
    used = profile("vitron-7b-published").vision.used_layers
    assert rename(theirs, (*VITRON, *tower_rules(r"model\.image_tower\.image_tower\.", "vision", used))) == ours


def test_the_real_profiles_have_the_published_sizes(monkeypatch):
    """Projector 20.98 M, region extractor 46.2 M, T-Selector 395,693 weights."""
    monkeypatch.undo()
    with torch.device("meta"):
        vitron, elysium = VitronModel(profile("vitron-7b-published")), VitronModel(profile("elysium-7b"))
    count = {name: sum(w.numel() for w in part.parameters()) for name, part in vitron.named_children()}
    assert count["projector"] == 20_979_712 and round(count["region"] / 1e6, 1) == 46.2
    assert sum(w.numel() for w in elysium.selector.parameters()) == 395_693
