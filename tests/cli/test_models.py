"""`vitron models`: what it prints, what it writes, and what it refuses."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from published import ELYSIUM_CONFIG, FRAMES, VITRON_CONFIG, assert_same_answers, save_elysium, save_vitron
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tiny_language import bpe
from tiny_vitron import CONFIG, tiny_vitron

from vitron_ros.cli.main import main
from vitron_ros.grounding.families import FAMILIES
from vitron_ros.model.bundled import ASSETS
from vitron_ros.model.checkpoint import from_pretrained, save_pretrained
from vitron_ros.model.config import PROFILES, ModelConfig
from vitron_ros.model.tokenizer import train_tokenizer
from vitron_ros.modules.backends import MODEL_BACKENDS

BUFFER = re.compile(r"running_|num_batches")  # statistics of batch norms, which are no parameters


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_pretrained(tiny_vitron(), tmp_path / "ck", tokenizer=bpe())
    return tmp_path / "ck"


def written(config: ModelConfig, directory: Path) -> Path:
    directory.mkdir()
    (directory / "config.json").write_text(config.to_json())
    return directory


def result(capsys: pytest.CaptureFixture[str]) -> object:
    return json.loads(capsys.readouterr().out)


def test_list_names_every_profile(capsys):
    assert main(["models", "list", "--json"]) == 0
    assert [row["name"] for row in result(capsys)["profiles"]] == list(PROFILES)
    assert main(["models", "list"]) == 0
    assert "7,050.70 M" in capsys.readouterr().out


def test_list_tells_of_published_models_what_is_known_and_what_is_not(capsys):
    assert main(["models", "list", "--json"]) == 0
    published = result(capsys)["published"]
    assert {model["model_type"] for model in published} <= set(FAMILIES).union(*MODEL_BACKENDS.values())
    assert all(model["source"] for model in published if model["accuracy"])
    assert main(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert any("with tiny random weights only" in line for line in lines)
    assert any(line.startswith("sty-yyj/elysium_7b") and "not checked" in line for line in lines)


def test_a_bundled_model_is_counted_as_it_is_shipped(capsys):
    weights = load_file(ASSETS / "vitron-tiny" / "model.safetensors")
    shipped = sum(weight.numel() for name, weight in weights.items() if not BUFFER.search(name))
    assert main(["models", "list", "--json"]) == 0
    assert result(capsys)["profiles"][0]["parameters"] == shipped
    assert main(["models", "show", "vitron-tiny", "--json"]) == 0
    assert result(capsys)["total"] == shipped


def test_show_tells_memory_by_part_without_taking_it(capsys):
    assert main(["models", "show", "elysium-7b", "--json"]) == 0
    shown = result(capsys)
    assert shown["parameters"] == {
        "vision": 290_909_184,
        "selector": 395_693,
        "projector": 20_979_712,
        "language": 6_738_415_616,
    }
    assert shown["float16_bytes"] == 2 * shown["total"] == 2 * sum(shown["parameters"].values())
    # Keys and values, 32 layers of 4096 channels, 2 bytes: half a MiB a token.
    assert shown["cache_bytes_per_token"] == 2 * 32 * 4096 * 2
    assert shown["cache_bytes"] == 2 * 1024**3
    assert shown["config"]["language"]["num_layers"] == 32


def test_show_takes_a_checkpoint_too(capsys, saved):
    assert main(["models", "show", str(saved)]) == 0
    assert "16 tokens a frame" in capsys.readouterr().out


def test_show_lists_the_profiles_when_there_is_no_such_model(capsys):
    assert main(["models", "show", "vitron-huge"]) == 1
    assert "Profiles: vitron-tiny, elysium-7b" in capsys.readouterr().err


def test_verify_finds_a_good_checkpoint_good(capsys, saved):
    assert main(["models", "verify", str(saved), "--json"]) == 0
    verdict = result(capsys)
    assert verdict["ok"] and verdict["weights"]["loaded"] == len(list(tiny_vitron().parameters()))


def lose_weight(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    del weights["projector.0.bias"]
    save_file(weights, directory / "model.safetensors")


def lose_tokenizer(directory: Path) -> None:
    (directory / "tokenizer.json").unlink()


def shrink_vocabulary(directory: Path) -> None:
    config = replace(CONFIG, language=replace(CONFIG.language, vocab_size=300))
    save_pretrained(tiny_vitron(config), directory, tokenizer=bpe())


def exchange_end(directory: Path) -> None:
    config = replace(CONFIG, language=replace(CONFIG.language, eos_token_id=5))
    (directory / "config.json").write_text(config.to_json())


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lose_weight, "1 missing: projector.0.bias"),
        (lose_tokenizer, "neither tokenizer.json nor tokenizer.model"),
        (shrink_vocabulary, "tokens, the model only 300"),
        (exchange_end, "begins and ends text with tokens (1, 2), the model with (1, 5)"),
    ],
)
def test_verify_names_each_fault(capsys, saved, damage, sentence):
    damage(saved)
    assert main(["models", "verify", str(saved)]) == 1
    out = capsys.readouterr().out
    assert sentence in out and out.endswith("not ok\n")


def test_convert_elysium(capsys, tmp_path):
    theirs = save_elysium(tmp_path / "elysium")
    (tmp_path / "vicuna").mkdir()
    bpe().save(tmp_path / "vicuna")
    sizes = written(ELYSIUM_CONFIG, tmp_path / "sizes")
    words = ["models", "convert", str(tmp_path / "elysium"), str(tmp_path / "out"), "--config", str(sizes)]
    assert main([*words, "--tokenizer", str(tmp_path / "vicuna"), "--dtype", "float32", "--json"]) == 0
    converted = result(capsys)
    assert not converted["unexpected"]
    assert_same_answers(from_pretrained(tmp_path / "out"), theirs, (2,))
    assert main(["models", "verify", str(tmp_path / "out")]) == 0


def test_convert_reads_vitrons_pickles_and_writes_safetensors(capsys, tmp_path):
    theirs = save_vitron(tmp_path / "base", tmp_path / "lora", pickled=True)
    sizes = written(VITRON_CONFIG, tmp_path / "sizes")
    words = ["models", "convert", str(tmp_path / "base"), str(tmp_path / "out"), "--lora", str(tmp_path / "lora")]
    bpe().save(tmp_path / "base")
    assert main([*words, "--config", str(sizes), "--dtype", "float32"]) == 0
    assert not list((tmp_path / "out").glob("*.bin"))
    assert_same_answers(from_pretrained(tmp_path / "out"), theirs, (1, FRAMES))


def test_convert_halves_by_default(tmp_path):
    save_elysium(tmp_path / "elysium")
    bpe().save(tmp_path / "elysium")
    sizes = written(ELYSIUM_CONFIG, tmp_path / "sizes")
    assert main(["models", "convert", str(tmp_path / "elysium"), str(tmp_path / "out"), "--config", str(sizes)]) == 0
    assert from_pretrained(tmp_path / "out").dtype == torch.float16


def test_convert_says_when_the_sizes_are_others(capsys, tmp_path):
    save_elysium(tmp_path / "elysium")
    bpe().save(tmp_path / "elysium")
    sizes = written(CONFIG, tmp_path / "sizes")  # another selector, and regions
    assert main(["models", "convert", str(tmp_path / "elysium"), str(tmp_path / "out"), "--config", str(sizes)]) == 1
    assert "missing: selector.gate.0.weight" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_convert_writes_over_nothing(capsys, saved, tmp_path):
    save_elysium(tmp_path / "elysium")
    assert main(["models", "convert", str(tmp_path / "elysium"), str(saved)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert main(["models", "convert", str(saved), str(tmp_path / "out")]) == 1
    assert "in this project's layout already" in capsys.readouterr().err


def convert(base: Path, out: Path, lora: Path, sizes: Path, *more: str) -> int:
    return main(["models", "convert", str(base), str(out), "--lora", str(lora), "--config", str(sizes), *more])


def rewrite(path: Path, change) -> None:
    save_file({name: change(name, tensor) for name, tensor in load_file(path).items()}, path)


@pytest.fixture
def vitron(tmp_path: Path) -> tuple[Path, Path, Path, Path]:
    """Base, output, adapter and sizes."""
    save_vitron(tmp_path / "base", tmp_path / "lora", pickled=False)
    bpe().save(tmp_path / "base")
    return tmp_path / "base", tmp_path / "new" / "out", tmp_path / "lora", written(VITRON_CONFIG, tmp_path / "sizes")


def nothing_written(out: Path) -> bool:
    return not out.exists() and not (out.parent.is_dir() and list(out.parent.iterdir()))


def test_convert_writes_nothing_of_an_adapter_that_is_not_finite(capsys, vitron):
    rewrite(vitron[2] / "adapter_model.safetensors", lambda name, t: t * float("nan"))
    assert convert(*vitron) == 1
    assert "holds NaN or infinity" in capsys.readouterr().err and nothing_written(vitron[1])


def test_convert_writes_nothing_where_the_sum_is_too_large_for_its_type(capsys, vitron):
    """Base and adapter are finite, and both fit: what they are merged to does not."""
    rewrite(vitron[2] / "adapter_model.safetensors", lambda name, t: t.fill_(200.0))
    assert convert(*vitron) == 1
    assert re.search(r"proj.weight in .* is too large for float16; choose another", capsys.readouterr().err)
    assert nothing_written(vitron[1])
    assert convert(*vitron, "--dtype", "bfloat16") == 0


def test_convert_writes_nothing_with_a_tokenizer_that_does_not_fit(capsys, vitron, tmp_path):
    (tmp_path / "other").mkdir()
    train_tokenizer(["a red ring, a blue square, a green star"] * 3, 600).save(tmp_path / "other")
    config = replace(VITRON_CONFIG, language=replace(VITRON_CONFIG.language, eos_token_id=5))
    (vitron[3] / "config.json").write_text(config.to_json())
    assert convert(*vitron, "--tokenizer", str(tmp_path / "other")) == 1
    assert "begins and ends text with tokens" in capsys.readouterr().err and nothing_written(vitron[1])
    (tmp_path / "none").mkdir()
    assert convert(*vitron, "--tokenizer", str(tmp_path / "none")) == 1
    assert "has neither tokenizer.json nor tokenizer.model" in capsys.readouterr().err and nothing_written(vitron[1])


def test_convert_names_a_folder_that_cannot_be_written(capsys, vitron, tmp_path):
    (tmp_path / "file").touch()
    assert convert(vitron[0], tmp_path / "file" / "out", *vitron[2:]) == 1
    assert re.search(r"out cannot be written: .*; nothing was kept", capsys.readouterr().err)


def test_convert_leaves_nothing_on_a_full_disk(capsys, vitron, monkeypatch):
    def full(*args, **kwargs):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("vitron_ros.model.checkpoint.save_file", full)
    assert convert(*vitron) == 1
    assert "No space left on device" in capsys.readouterr().err and nothing_written(vitron[1])


def test_convert_of_an_adapter_alone_asks_for_its_base(capsys, vitron):
    assert main(["models", "convert", str(vitron[2]), str(vitron[1])]) == 1
    assert "holds an adapter" in capsys.readouterr().err


def test_convert_does_not_drop_what_it_was_given(capsys, tmp_path):
    save_elysium(tmp_path / "elysium")
    assert main(["models", "convert", str(tmp_path / "elysium"), str(tmp_path / "out"), "--lora", str(tmp_path)]) == 1
    assert "leave them out" in capsys.readouterr().err


def test_convert_of_no_name_is_not_that_of_the_current_folder(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["models", "convert", "", str(tmp_path / "out")])
    assert "the name is empty" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["", "elysium-7b"])
def test_verify_of_what_has_no_weights(capsys, model):
    assert main(["models", "verify", model]) == 1
    assert "without weights" in (err := capsys.readouterr().err) or "is empty" in err


def test_verify_of_a_device_that_is_not_there(capsys, saved):
    assert main(["models", "verify", str(saved), "--model-device", "foo"]) == 1
    assert "there is no device 'foo'" in capsys.readouterr().err
