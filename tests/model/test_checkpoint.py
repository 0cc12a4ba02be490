"""Checkpoints come back as they were saved, and every kind of damage is a sentence."""

import pickle
from dataclasses import replace
from pathlib import Path

import fake_hub
import pytest
import torch
from published import Bomb
from safetensors.torch import load_file, save_file
from tiny_language import bpe
from tiny_vitron import CONFIG, tiny_vitron

from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.checkpoint import (
    find_checkpoint,
    from_pretrained,
    load_checkpoint,
    save_pretrained,
)
from vitron_ros.model.config import SelectorConfig, profile
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import ImageSegment, Prompt, TextSegment, Turn
from vitron_ros.model.vitron import VitronModel, build_empty
from vitron_ros.model.weights import INDEX, INPUT_EMBEDDINGS, OUTPUT_EMBEDDINGS, WEIGHTS, is_finite, weight_files

PROMPT = Prompt((TextSegment((1, 2)), ImageSegment(0), ImageSegment(1), TextSegment((3,))))
PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def answer(model: VitronModel) -> torch.Tensor:
    with torch.no_grad():
        return model(PROMPT, PIXELS)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_pretrained(tiny_vitron(), tmp_path / "ck", tokenizer=bpe())
    return tmp_path / "ck"


def shards(tmp_path: Path) -> Path:
    save_pretrained(tiny_vitron(), tmp_path / "ck", shard_bytes=100_000)
    return tmp_path / "ck"


@pytest.mark.parametrize("kind", ["gated", "published", "concat", "cross_attention", "pool", "attention"])
def test_a_model_comes_back_as_it_was(tmp_path, kind):
    model = tiny_vitron(replace(CONFIG, selector=SelectorConfig(kind=kind, alpha=0.25)))
    save_pretrained(model, tmp_path)
    loaded = from_pretrained(tmp_path)
    assert loaded.config == model.config and not loaded.training
    assert torch.equal(answer(loaded), answer(model))


def test_shards_hold_the_same_model_and_none_is_too_large(tmp_path):
    directory = shards(tmp_path)
    files = sorted(directory.glob("*.safetensors"))
    assert len(files) > 3 and files[0].name == f"model-00001-of-{len(files):05}.safetensors"
    assert all(sum(t.nbytes for t in load_file(file).values()) <= 100_000 for file in files)
    assert torch.equal(answer(from_pretrained(directory)), answer(tiny_vitron()))


def test_saving_again_leaves_no_old_weights(tmp_path):
    directory = shards(tmp_path)
    save_pretrained(tiny_vitron(seed=1), directory)
    assert [file.name for file in directory.glob("*.safetensors")] == [WEIGHTS] and not (directory / INDEX).exists()
    assert torch.equal(answer(from_pretrained(directory)), answer(tiny_vitron(seed=1)))


def test_a_model_is_saved_over_the_files_that_it_was_loaded_from(tmp_path):
    """Loaded weights may still lie in the mapped file."""
    directory = shards(tmp_path)
    save_pretrained(from_pretrained(directory), directory, dtype=torch.float64)
    assert torch.equal(answer(from_pretrained(directory, dtype=torch.float32)), answer(tiny_vitron()))


def test_tied_embeddings_are_stored_once_and_stay_tied(tmp_path):
    config = replace(CONFIG, language=replace(CONFIG.language, tie_embeddings=True))
    model = tiny_vitron(config)
    save_pretrained(model, tmp_path)
    assert "language.lm_head.weight" not in load_file(tmp_path / WEIGHTS)
    loaded = from_pretrained(tmp_path)
    assert loaded.language.lm_head.weight is loaded.language.model.embed_tokens.weight
    assert torch.equal(answer(loaded), answer(model))


def test_half_the_bytes_on_disk_and_full_precision_in_memory(tmp_path):
    model = tiny_vitron()
    save_pretrained(model, tmp_path, dtype=torch.float16)
    assert {t.dtype for t in load_file(tmp_path / WEIGHTS).values()} == {torch.float16}
    assert from_pretrained(tmp_path).dtype == torch.float16
    loaded = from_pretrained(tmp_path, dtype=torch.float32)
    assert loaded.dtype == torch.float32
    torch.testing.assert_close(loaded.language.state_dict(), model.half().float().language.state_dict(), atol=0, rtol=0)


def test_a_checkpoint_is_all_that_answers_a_prompt(saved):
    model, tokenizer, prompts = load_checkpoint(saved)
    prompt = prompts.build([Turn(task="rsot", text="the red ring", images=2)])
    assert tokenizer.encode("ring") == bpe().encode("ring")
    with torch.no_grad():
        assert model(prompt, PIXELS).shape == (prompt.length(model.config.tokens_per_frame), 400)


def test_a_checkpoint_keeps_its_wording_when_the_file_is_gone(tmp_path):
    text = PromptProfile.load("default").text.replace("system: ", "system: 'Mine. ' #", 1)
    mine = tmp_path / "mine.yaml"
    mine.write_text(text)
    model = tiny_vitron(replace(CONFIG, prompt_profile=str(mine)))
    save_pretrained(model, tmp_path / "ck", tokenizer=bpe(), prompt_profile=PromptProfile.load(mine))
    mine.unlink()
    assert load_checkpoint(tmp_path / "ck").prompts.profile.system == "Mine. "


def test_weights_can_be_trained_after_loading(saved):
    model = from_pretrained(saved).train()
    model(PROMPT, PIXELS).sum().backward()
    assert model.vision.layers[0].self_attn.q_proj.weight.grad.any()


def test_a_seven_billion_model_is_built_without_memory():
    model = build_empty(profile("elysium-7b"))
    assert all(weight.is_meta for weight in model.parameters())
    # vicuna-7b's published 6,738,415,616 weights.
    assert sum(weight.numel() for weight in model.language.parameters()) == 6_738_415_616


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_found(saved, value):
    weights = load_file(saved / WEIGHTS)
    weights["projector.0.weight"][3, 2] = value
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match=r"projector\.0\.weight in .* holds NaN or infinity"):
        from_pretrained(saved)


def test_a_missing_shard_is_named(tmp_path):
    directory = shards(tmp_path)
    lost = sorted(directory.glob("*.safetensors"))[1]
    lost.unlink()
    with pytest.raises(ModelError, match=f"lacks the weight file {lost.name}; fetch the checkpoint again"):
        from_pretrained(directory)


def test_a_shard_cut_off_is_named(tmp_path):
    directory = shards(tmp_path)
    cut = sorted(directory.glob("*.safetensors"))[0]
    cut.write_bytes(cut.read_bytes()[:-100])
    with pytest.raises(ModelError, match=f"{cut.name} is damaged"):
        from_pretrained(directory)


def drop(weights: dict[str, torch.Tensor]) -> None:
    del weights["language.model.norm.weight"]


def add(weights: dict[str, torch.Tensor]) -> None:
    weights["language.model.extra"] = torch.zeros(3)


def reshape(weights: dict[str, torch.Tensor]) -> None:
    weights["projector.0.bias"] = torch.zeros(7)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (drop, r"1 missing: language\.model\.norm\.weight"),
        (add, r"1 unexpected: language\.model\.extra"),
        (reshape, r"1 misshaped: projector\.0\.bias: file \(7,\), model \(48,\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(saved, change, sentence):
    weights = load_file(saved / WEIGHTS)
    change(weights)
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match=sentence):
        from_pretrained(saved)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl"])
def test_a_pickle_is_never_opened(saved, tmp_path, name):
    (saved / WEIGHTS).unlink()
    (saved / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with pytest.raises(ModelError, match=rf"pickles \({name}\).* save the model as safetensors where that is"):
        from_pretrained(saved)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("text", "error", "sentence"),
    [
        (None, ModelError, "has no config.json"),
        ("{", ModelError, "is not valid JSON"),
        ('{"model_type": "bert"}', ModelError, r"holds a model of type 'bert'; those that are read .* elysium, llava"),
        ('{"wheels": 4}', ConfigError, "unknown settings wheels"),
    ],
)
def test_a_config_that_is_not_ours(saved, text, error, sentence):
    (saved / "config.json").unlink()
    if text is not None:
        (saved / "config.json").write_text(text)
    with pytest.raises(error, match=sentence):
        from_pretrained(saved)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not valid JSON"),
        ("[]", "holds no table"),
        ('{"weight_map": 3}', "is not an index of weights"),
        ('{"weight_map": {}}', "is not an index of weights"),
        ('{"weight_map": {"a": 5}}', "names 5, which is not a file"),
        ('{"weight_map": {"a": "."}}', "lacks the weight file"),
        ('{"weight_map": {"a": "../ck/model.safetensors"}}', "outside its own folder"),
        ('{"weight_map": {"a": "/etc/hostname"}}', "outside its own folder"),
    ],
)
def test_a_damaged_index(saved, text, sentence):
    (saved / INDEX).write_text(text)
    with pytest.raises(ModelError, match=sentence):
        weight_files(saved)


def test_a_hub_cache_of_links_is_read(saved, tmp_path):
    """A snapshot of the hub's client links into a folder beside it."""
    blobs = tmp_path / "blobs"
    saved.rename(blobs)
    snapshot = tmp_path / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for file in blobs.iterdir():
        (snapshot / file.name).symlink_to(Path("../../blobs") / file.name)
    assert torch.equal(answer(load_checkpoint(snapshot).model), answer(tiny_vitron()))


@pytest.mark.parametrize("name", ["/etc/passwd", "../../../../etc/passwd", "mine.yaml", ""])
def test_a_config_names_no_file_as_its_wording(saved, name):
    secret = saved / "mine.yaml"
    secret.write_text("a secret")
    (saved / "prompt_profile.yaml").unlink()
    (saved / "config.json").write_text(replace(CONFIG, prompt_profile=name).to_json())
    with pytest.raises(ConfigError, match="is built in; there are default, elysium, vitron") as told:
        load_checkpoint(saved)
    assert "root:" not in str(told.value) and "secret" not in str(told.value)


def test_a_wording_that_is_another_file_is_not_shown(saved, tmp_path):
    (tmp_path / "secret").write_text("password: &a hunter2\n")
    for text in ("hunter2", "hunter2: [hunter2", "- hunter2"):
        (tmp_path / "secret").write_text(text)
        (saved / "prompt_profile.yaml").unlink()
        (saved / "prompt_profile.yaml").symlink_to(tmp_path / "secret")
        with pytest.raises(ConfigError, match=r"prompt_profile\.yaml") as told:
            load_checkpoint(saved)
        assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.bool, torch.float8_e4m3fn, torch.complex64])
def test_weights_of_a_quantised_model_are_refused_by_their_type(saved, dtype):
    weights = load_file(saved / WEIGHTS)
    weights["projector.0.weight"] = weights["projector.0.weight"].to(dtype)
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match=rf"projector\.0\.weight in .* is stored as {str(dtype)[6:]}"):
        from_pretrained(saved)


def test_weights_of_several_types_take_that_of_most(saved):
    weights = load_file(saved / WEIGHTS)
    save_file({name: w.bfloat16() if w.dim() > 1 else w for name, w in weights.items()}, saved / WEIGHTS)
    assert {weight.dtype for weight in from_pretrained(saved).parameters()} == {torch.bfloat16}


def test_a_weight_too_large_for_the_type_wanted(saved):
    weights = load_file(saved / WEIGHTS)
    weights["projector.0.weight"][3, 2] = 1e6
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match=r"projector\.0\.weight in .* is too large for float16"):
        from_pretrained(saved, dtype=torch.float16)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_value_of_many_is_seen(dtype, value):
    weight = torch.randn(1000, 37).to(dtype)
    assert is_finite(weight) and is_finite(weight[:0])
    weight[567, 8] = value
    assert not is_finite(weight)


@pytest.fixture
def tied(tmp_path: Path) -> Path:
    config = replace(CONFIG, language=replace(CONFIG.language, tie_embeddings=True))
    save_pretrained(tiny_vitron(config), tmp_path / "tied")
    return tmp_path / "tied"


@pytest.mark.parametrize("kept", [True, False], ids=["both", "output"])
def test_tied_embeddings_are_taken_by_either_name(tied, kept):
    weights = load_file(tied / WEIGHTS)
    expected = answer(from_pretrained(tied))
    weights[OUTPUT_EMBEDDINGS] = weights[INPUT_EMBEDDINGS].clone()
    if not kept:
        del weights[INPUT_EMBEDDINGS]
    save_file(weights, tied / WEIGHTS)
    loaded = from_pretrained(tied)
    assert loaded.language.lm_head.weight is loaded.language.model.embed_tokens.weight
    assert torch.equal(answer(loaded), expected)


def test_tied_embeddings_that_differ_name_the_repair(tied):
    weights = load_file(tied / WEIGHTS)
    weights[OUTPUT_EMBEDDINGS] = -weights[INPUT_EMBEDDINGS]
    save_file(weights, tied / WEIGHTS)
    with pytest.raises(ModelError, match=r"differ, .* set language, tie_embeddings to false"):
        from_pretrained(tied)
    (tied / "config.json").write_text(CONFIG.to_json())
    assert torch.equal(from_pretrained(tied).language.lm_head.weight, weights[OUTPUT_EMBEDDINGS])


def test_untied_embeddings_without_their_output_name_the_repair(saved):
    weights = load_file(saved / WEIGHTS)
    del weights[OUTPUT_EMBEDDINGS]
    save_file(weights, saved / WEIGHTS)
    with pytest.raises(ModelError, match="set language, tie_embeddings to true"):
        from_pretrained(saved)


@pytest.mark.parametrize("positions", [1 << 33, 1 << 50])
def test_a_context_that_no_machine_holds_says_how_much_it_needs(saved, positions):
    config = replace(CONFIG, language=replace(CONFIG.language, max_positions=positions))
    (saved / "config.json").write_text(config.to_json())
    with pytest.raises(ModelError, match=rf"[\d,.]+ GiB for a context of {positions:,} tokens; cpu has [\d,.]+ GiB"):
        from_pretrained(saved)


@pytest.mark.parametrize("with_config", [True, False])
def test_an_adapter_alone_says_of_which_model_it_is(saved, with_config):
    (saved / WEIGHTS).unlink()
    if not with_config:
        (saved / "config.json").unlink()
    (saved / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "lmsys/vicuna"}')
    with pytest.raises(ModelError, match="adapter of 'lmsys/vicuna' and no model; give the directory of its"):
        from_pretrained(saved)


def test_an_empty_directory(tmp_path):
    (tmp_path / "config.json").write_text(CONFIG.to_json())
    with pytest.raises(ModelError, match="has no weights"):
        from_pretrained(tmp_path)


def test_a_checkpoint_without_its_tokenizer(saved):
    (saved / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match="neither tokenizer"):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nowhere", "not a directory, bundled model or hub id"),
        ("/not/there/at/all", "not a directory, bundled model or hub id"),
        ("a/b/c", "not a directory, bundled model or hub id"),
        ("", "the name of the model is empty"),
        ("  ", "the name of the model is empty"),
        ("elysium-7b", "is a profile without weights; .* vitron models list"),
        ("a" * 5000, "cannot be opened"),
        ("a\0b", "null byte|not a directory"),
        (__file__, "is a file; give the directory"),
    ],
)
def test_a_source_that_is_nowhere(source, sentence):
    with pytest.raises(ModelError, match=sentence):
        find_checkpoint(source)


def test_a_hub_id_is_fetched_once_and_the_hub_then_not_asked(monkeypatch, saved, tmp_path):
    with fake_hub.serving() as hub:
        hub.add("owner/name", saved, evil__py="import os", pytorch_model__bin=b"\x80")
        fake_hub.use(monkeypatch, hub.url, tmp_path)
        folder = find_checkpoint("owner/name")
        assert {path.name for path in folder.iterdir()} == {path.name for path in saved.iterdir()}
    assert find_checkpoint("owner/name") == folder
    assert from_pretrained("owner/name").config == CONFIG


def test_a_hub_id_of_which_weights_are_missing_is_fetched_again(monkeypatch, saved, tmp_path):
    with fake_hub.serving() as hub:
        hub.add("owner/name", saved)
        fake_hub.use(monkeypatch, hub.url, tmp_path)
        (find_checkpoint("owner/name") / "model.safetensors").unlink()
        assert (find_checkpoint("owner/name") / "model.safetensors").is_file()


def test_a_hub_id_without_a_network(monkeypatch, tmp_path):
    fake_hub.use(monkeypatch, "http://127.0.0.1:9", tmp_path)
    with pytest.raises(ModelError, match=r"owner/name cannot be fetched: http://127\.0\.0\.1:9 cannot be reached"):
        find_checkpoint("owner/name")
