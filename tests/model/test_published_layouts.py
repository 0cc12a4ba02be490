"""Checkpoints in the published layouts give the answers of the parts that they were made of."""

import json
import pickle
import re
from dataclasses import replace

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
from tiny_vitron import CONFIG

from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import from_pretrained, save_pretrained
from vitron_ros.model.config import RegionConfig, profile
from vitron_ros.model.lora import load_lora
from vitron_ros.model.published_layouts import (
    VITRON,
    layout_of,
    load_elysium,
    load_vitron,
    read_pickle,
    rename,
    tower_rules,
)
from vitron_ros.model.region import MarkedRegion
from vitron_ros.model.vision import VisionFeatures
from vitron_ros.model.vitron import VitronModel
from vitron_ros.region import Region


def test_elysium_gives_its_answers(tmp_path):
    theirs = save_elysium(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1 and layout_of(tmp_path) == "elysium"
    model, report = load_elysium(tmp_path, ELYSIUM_CONFIG)
    assert report.is_complete, report
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
    model, report = load_elysium(tmp_path, ELYSIUM_CONFIG)
    assert report.is_complete, report
    assert_same_answers(model, theirs, (2,))


def test_elysium_states_its_token_counts(tmp_path):
    save_elysium(tmp_path)
    (tmp_path / "config.json").write_text(
        json.dumps({"model_type": "elysium", "adapter_config": {"in_token_num": 576, "out_token_num": 144}})
    )
    _, report = load_elysium(tmp_path, device="meta")  # the sizes of the whole 7B model, which these are not
    assert any("adapter.score_proj.weight: file (12, 64), model (144, 576)" in entry for entry in report.misshaped)


@pytest.mark.parametrize("pickled", [False, True])
@pytest.mark.parametrize("towers_in_base", [False, True])
def test_vitron_gives_its_answers(tmp_path, pickled, towers_in_base):
    base, lora = tmp_path / "base", tmp_path / "lora"
    theirs = save_vitron(base, lora, pickled=pickled, towers_in_base=towers_in_base)
    assert layout_of(base) == "vitron"
    towers = {} if towers_in_base else {"image_tower": base / "image", "video_tower": base / "video"}
    model, report = load_vitron(base, lora, VITRON_CONFIG, read_pickles=pickled, **towers)
    assert report.is_complete, report
    assert_same_answers(model, theirs, (1, FRAMES))


def test_vitron_regions_with_their_transposed_fill(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    model, _ = load_vitron(tmp_path / "base", tmp_path / "lora", VITRON_CONFIG)
    features = VisionFeatures(wave((1, 64, 32), 5))
    for recorded in RELEASED["region"]:
        marked = MarkedRegion(region=Region.from_box(recorded["box"]), width=64, height=64)
        token = model.region_tokens(features, [marked])[0, 0, :8].detach()
        np.testing.assert_allclose(token.numpy(), recorded["token"], atol=1e-4)


def test_lora_may_stay_beside_the_weights(tmp_path):
    theirs = save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    model, report = load_vitron(tmp_path / "base", None, replace(VITRON_CONFIG, region=RegionConfig(kind="none")))
    assert report.is_complete, report
    embeds = torch.randn(1, 7, 48)
    with torch.no_grad():
        expected, base = theirs.llama(inputs_embeds=embeds).logits, model.language(embeds)
        load_lora(model, tmp_path / "lora", merge=False)
        beside = model.language(embeds)
    assert not torch.allclose(base, expected, atol=1e-3)
    torch.testing.assert_close(beside, expected, atol=1e-5, rtol=1e-5)
    trainable = [name for name, weight in model.language.named_parameters() if weight.requires_grad]
    assert trainable and all("lora_" in name for name in trainable)


def test_what_was_loaded_is_saved_in_our_layout_and_comes_back(tmp_path):
    theirs = save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    model, _ = load_vitron(tmp_path / "base", tmp_path / "lora", VITRON_CONFIG)
    save_pretrained(model, tmp_path / "ours")
    assert layout_of(tmp_path / "ours") == "vitron_ros"
    assert_same_answers(from_pretrained(tmp_path / "ours"), theirs, (1, FRAMES))


def test_vitron_pickles_are_refused_unless_asked_for(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=True)
    with pytest.raises(ModelError, match=r"pickles .* vitron models convert"):
        load_vitron(tmp_path / "base", tmp_path / "lora", VITRON_CONFIG)
    save_vitron(tmp_path / "base2", tmp_path / "lora2", pickled=False)
    with pytest.raises(ModelError, match=r"non_lora_trainables.bin is a pickle.*vitron models convert BASE OUT --lora"):
        load_vitron(tmp_path / "base2", tmp_path / "lora", VITRON_CONFIG)


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
    with pytest.raises(ModelError, match=r"bad\.bin is damaged or holds more than tensors: .+; fetch it again") as told:
        read_pickle(tmp_path / "bad.bin")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("weight_map", ['{"a": "../b.bin"}', '{"a": "/etc/hostname"}', '{"a": 3}', '["a"]', "{}"])
def test_an_index_of_pickles_is_read_as_any_other(tmp_path, weight_map):
    (tmp_path / "pytorch_model.bin.index.json").write_text(f'{{"weight_map": {weight_map}}}')
    with pytest.raises(ModelError, match=r"outside its own folder|is not a file|is not an index"):
        load_vitron(tmp_path, config=VITRON_CONFIG, read_pickles=True)


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
        load_elysium(tmp_path)


def test_what_is_missing_is_reported_by_name(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    file = tmp_path / "lora" / "non_lora_trainables.safetensors"
    tensors = load_file(file)
    del tensors["base_model.model.model.region_extractor.region_linear.layers.1.bias"]
    tensors["base_model.model.model.mystery"] = torch.ones(2)
    tensors["base_model.model.model.mm_projector.0.bias"] = torch.ones(2)
    save_file(tensors, file)
    _, report = load_vitron(tmp_path / "base", tmp_path / "lora", VITRON_CONFIG)
    assert report.missing == ("region.looks.2.bias",)
    assert report.unexpected == ("base_model.model.model.mystery",)
    assert report.misshaped == ("base_model.model.model.mm_projector.0.bias: file (2,), model (48,)",)
    assert "1 missing: region.looks.2.bias; 1 unexpected" in str(report)


def test_an_adapter_for_another_model_is_refused(tmp_path):
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    small = replace(CONFIG, language=replace(CONFIG.language, num_layers=2))
    with pytest.raises(ModelError, match="does not fit the language model"):
        load_lora(VitronModel(small), tmp_path / "lora", merge=True)
    with pytest.raises(ModelError, match="is not a LoRA adapter"):
        load_lora(VitronModel(small), tmp_path / "base", merge=True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"model_type": "qwen"}', "of no known layout"),
        ("[]", "no table"),
        ("{", "is not valid JSON"),
        (None, "cannot be read"),
    ],
)
def test_a_directory_of_somebody_else(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(ModelError, match=sentence):
        layout_of(tmp_path)


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
def test_names_of_the_real_release(theirs, ours):
    used = profile("vitron-7b-published").vision.used_layers
    assert rename(theirs, (*VITRON, *tower_rules(r"model\.image_tower\.image_tower\.", "vision", used))) == ours


def test_the_real_profiles_have_the_published_sizes():
    """Projector 20.98 M, region extractor 46.2 M, T-Selector 395,693 weights."""
    with torch.device("meta"):
        vitron, elysium = VitronModel(profile("vitron-7b-published")), VitronModel(profile("elysium-7b"))
    count = {name: sum(w.numel() for w in part.parameters()) for name, part in vitron.named_children()}
    assert count["projector"] == 20_979_712 and round(count["region"] / 1e6, 1) == 46.2
    assert sum(w.numel() for w in elysium.selector.parameters()) == 395_693
