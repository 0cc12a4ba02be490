"""Engine profiles: what is read, and what is refused by name."""

from pathlib import Path

import pytest

from engines.profile import read_profile, source_hash
from vitron_ros.errors import ConfigError, EngineError

SHIPPED = sorted((Path(__file__).parents[2] / "engines" / "profiles").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_shipped_profiles_are_valid_and_begin_with_their_command(path):
    profile = read_profile(path)
    assert path.read_text().startswith(f"# python -m engines.build engines/profiles/{path.name}\n")
    assert profile.name == path.stem


def test_a_profile_is_read(write_profile):
    profile = read_profile(write_profile(library="tensorrt_rtx", targets=["SM86", "SM89"]))
    assert profile.sizes == ({"frames": (1, 2, 6)},)
    assert profile.targets == ("SM86", "SM89")
    assert profile.rebuild.endswith("small.yaml")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": "int3"}, "precision is 'int3'; it must be one of float32, float16, bfloat16"),
        ({"precision": "int8"}, "calibration is None; with precision int8, and no other"),
        ({"precision": "int8", "calibration": ""}, "it must name a folder of images"),
        ({"calibration": "worlds"}, "calibration is 'worlds'; with precision int8, and no other"),
        ({"precision": "int8", "calibration": "worlds", "part": "decode"}, "int8 is for the parts frames, vision"),
        ({"library": "openvino"}, "library is 'openvino'"),
        ({"part": "encoder"}, "part is 'encoder'"),
        ({"weights": "trained"}, "weights is 'trained'"),
        ({"levels": "yes"}, "levels true or false"),
        ({"model": 7}, "model is a name"),
        ({"targets": []}, "targets is"),
        ({"targets": "SM86"}, "targets is 'SM86'; it must be a list"),
        ({"targets": ["SM86"]}, r"targets is \['SM86'\]; name each once, and for onnxruntime \[cpu\] alone"),
        ({"targets": ["cpu", "cpu"]}, "name each once"),
        ({"model": ""}, "model is a name"),
        ({"model": "a\0b"}, "model is a name"),
        ({"sizes": [{5: {"min": 1, "opt": 2, "max": 8}}]}, "sizes of 5 are"),
        ({"sizes": []}, "sizes is"),
        ({"sizes": [{}]}, "it must name each dimension"),
        ({"sizes": [{"frames": 8}]}, "they must be like"),
        ({"sizes": [{"frames": {"min": 1, "max": 8}}]}, "they must be like"),
        ({"sizes": [{"frames": {"min": 4, "opt": 2, "max": 8}}]}, "and ascend"),
        ({"sizes": [{"frames": {"min": 0, "opt": 2, "max": 8}}]}, "at least 1"),
        ({"sizes": [{"frames": {"min": 1, "opt": 2, "max": 8.5}}]}, "whole"),
        ({"selector": "plugin"}, "selector is 'plugin' for frames by onnxruntime; leave it out"),
        ({"selector": "kernel", "library": "tensorrt"}, "selector is 'kernel'"),
        (
            {"selector": "plugin", "library": "tensorrt", "part": "vision"},
            "for vision by tensorrt; leave it out, or set it to plugin",
        ),
        ({"speed": "high"}, "exactly the settings model, weights"),
    ],
)
def test_what_is_wrong_is_named(write_profile, changes, words):
    with pytest.raises(ConfigError, match=words):
        read_profile(write_profile(**changes))


@pytest.mark.parametrize("text", ["- a list", "model: [", ""])
def test_files_that_are_no_profile(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        read_profile(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_profile(tmp_path / "none.yaml")


def test_weights_that_are_not_there(write_profile):
    with pytest.raises(EngineError, match="no checkpoint nowhere; give its directory, or set weights: random"):
        _ = read_profile(write_profile(model="nowhere")).checkpoint


def test_an_engine_is_stale_when_the_images_that_calibrated_it_change(write_profile, tmp_path):
    image = tmp_path / "images" / "a.png"
    image.parent.mkdir()
    image.write_bytes(b"one")
    profile = read_profile(write_profile(precision="int8", calibration=str(image.parent)))
    before = source_hash(profile)
    assert source_hash(profile) == before
    image.write_bytes(b"another")
    assert source_hash(profile) != before
