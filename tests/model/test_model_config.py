"""Model configs refuse what cannot be built, and come back from JSON as they were."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitron_ros.errors import ConfigError
from vitron_ros.model.bundled import ASSETS, is_bundled
from vitron_ros.model.checkpoint import read_config
from vitron_ros.model.config import (
    PARAMETERS,
    PROFILES,
    GenerationConfig,
    LanguageConfig,
    ModelConfig,
    RegionConfig,
    SelectorConfig,
    VisionConfig,
    from_dict,
    profile,
)
from vitron_ros.model.footprint import footprint


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_comes_back_from_json(name):
    assert from_dict(ModelConfig, json.loads(profile(name).to_json()), "it") == profile(name)


def test_the_weights_of_the_profiles_are_as_many_as_those_of_their_models():
    configs = {name: read_config(ASSETS / name) if is_bundled(name) else profile(name) for name in PROFILES}
    assert {name: footprint(config).total for name, config in configs.items()} == PARAMETERS


@pytest.mark.parametrize(
    ("part", "values", "sentence"),
    [
        (VisionConfig, {"image_size": 330}, "image_size is 330; it must be a multiple of patch_size 14"),
        (VisionConfig, {"num_heads": 7}, "multiple of num_heads 7"),
        (VisionConfig, {"layer": -25}, "layer is -25"),
        (VisionConfig, {"layer": 0}, "layer is 0; it must be at most -1"),
        (VisionConfig, {"fit": "tile"}, "fit is 'tile'; it must be one of stretch, pad, crop"),
        (SelectorConfig, {"kind": "best"}, "kind is 'best'"),
        (SelectorConfig, {"alpha": 0.0}, "alpha is 0"),
        (SelectorConfig, {"alpha": 1.5}, "alpha is 1.5; it must be at most 1"),
        (SelectorConfig, {"alpha": float("nan")}, "alpha is nan"),
        (SelectorConfig, {"kind": "none", "alpha": 0.5}, "selector none selects every token"),
        (RegionConfig, {"transposed": True}, "only region kind published"),
        (RegionConfig, {"kind": "none", "levels": (1,)}, "only region kind multi_level"),
        (LanguageConfig, {"num_kv_heads": 5}, "multiple of num_kv_heads 5"),
        (LanguageConfig, {"head_dim": 7}, "head_dim is 7"),
        (RegionConfig, {"levels": (1, 1)}, "each may be there once"),
        (VisionConfig, {"hidden_size": 1 << 40}, "hidden_size is 1099511627776; it must be at most"),
        (LanguageConfig, {"hidden_size": 1 << 70}, "hidden_size is 1180591620717411303424; it must be at most"),
        (LanguageConfig, {"num_layers": 10**6}, "num_layers is 1000000; it must be at most"),
        (LanguageConfig, {"rope_theta": float("inf")}, "rope_theta is inf; it must be a finite"),
        (LanguageConfig, {"rms_norm_eps": float("inf")}, "rms_norm_eps is inf; it must be a finite"),
        (LanguageConfig, {"max_positions": 10**4000}, "it must be at most"),
        (GenerationConfig, {"max_new_tokens": 10**9}, "max_new_tokens is 1000000000; it must be at most"),
        (LanguageConfig, {"eos_token_id": 32000}, "eos_token_id is 32000; the vocabulary has 32000 tokens"),
    ],
)
def test_a_bad_value_is_named(part, values, sentence):
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        part(**values)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"region": RegionConfig(levels=(3, 24))}, r"region levels \[24\] are not among .* 1 to 23"),
        ({"video": VisionConfig(image_size=224)}, "the video model gives 256 patches"),
        ({"language": LanguageConfig(max_positions=100)}, "one frame of 108 tokens does not fit"),
        ({"temporal": "mean"}, "temporal is 'mean'"),
        ({"max_frames": 0}, "max_frames is 0"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, sentence):
    with pytest.raises(ConfigError, match=sentence):
        replace(profile("vitron-7b"), **changes)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda values: values.update(colour="red"), "model config has unknown settings colour"),
        (lambda values: values["vision"].update(depth=3), "model config, vision has unknown settings depth"),
        (lambda values: values.update(vision=3), "model config, vision is 3; it must be a table"),
        (lambda values: values["vision"].update(image_size="336"), "image_size is '336'; it must be like"),
        (lambda values: values["language"].update(tie_embeddings=1), "tie_embeddings is 1; it must be like False"),
        (lambda values: values["region"].update(levels=["a"]), r"levels is \['a'\]"),
        (lambda values: values.update(max_frames=True), "max_frames is True"),
        (lambda values: values["language"].update(rope_theta=10**400), "rope_theta is 1000.* it must be like"),
        (lambda values: values.update(name="x" * 10**6), "name is 'xxx.* one line of at most 1024 characters"),
        (lambda values: values.update(name="a\nb"), "name is .* one line"),
        (lambda values: values.update({"k" * 10**6: 1}), "unknown settings 'kkk.{,100}; it knows"),
    ],
)
def test_bad_json_is_named(change, sentence):
    values = json.loads(profile("vitron-tiny").to_json())
    change(values)
    with pytest.raises(ConfigError, match=sentence):
        from_dict(ModelConfig, values, "model config")


@pytest.mark.parametrize("values", [[], None, "x", 3])
def test_what_is_no_table_is_refused(values):
    with pytest.raises(ConfigError, match=r"model config is .*; it must be a table of settings"):
        from_dict(ModelConfig, values, "model config")


def test_an_unknown_profile_lists_the_known():
    with pytest.raises(ConfigError, match="'gpt'; there are vitron-tiny, elysium-7b"):
        profile("gpt")


@given(st.floats(1e-9, 1.0), st.integers(1, 2000))
def test_any_share_keeps_between_one_and_all(alpha, patches):
    assert 1 <= SelectorConfig(kind="pool", alpha=alpha).num_selected(patches) <= patches


def test_the_published_numbers():
    assert profile("elysium-7b").tokens_per_frame == 108
    assert profile("elysium-7b").vision.used_layers == 23
    assert profile("vitron-7b-published").tokens_per_frame == 256
