"""Assembled checkpoints compute what transformers' own models compute, and the wrong models are refused."""

import json
from dataclasses import replace

import pytest
import torch
from base_models import write_clip, write_llama

from training.adapters import add_adapters, merged_weights
from training.assemble import PROFILES, assemble, main
from vitron_ros.errors import ModelError
from vitron_ros.model.checkpoint import load_checkpoint
from vitron_ros.model.prompts import Turn
from vitron_ros.model.weights import named_weights

IMAGES = [torch.randint(0, 255, (30, 40, 3), dtype=torch.uint8).numpy() for _ in range(2)]


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": True, "rope_theta": 5e4}], ids=["untied", "tied"])
def test_the_assembled_model_is_the_composition_of_its_parts(tmp_path, changes):
    clip, llama = write_clip(tmp_path / "clip"), write_llama(tmp_path / "llama", **changes)
    assemble(
        PROFILES["elysium-7b"], vision=tmp_path / "clip", language=tmp_path / "llama", out=tmp_path / "out",
        shard_bytes=40_000,
    )  # fmt: skip
    assert len(list((tmp_path / "out").glob("model-*-of-*.safetensors"))) > 3
    checkpoint = load_checkpoint(tmp_path / "out", dtype=torch.float32)
    model = checkpoint.model
    prompt = checkpoint.prompts.build([Turn(task="rsot", text="the small red ring", images=2)])
    with torch.inference_mode():
        pixels = model.pixels(IMAGES)
        patches = clip(pixel_values=pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        visual = model.projector(model.selector(patches).tokens)
        embeds = model.splice(prompt, visual)[None]
        expected = llama(inputs_embeds=embeds).logits[0]
        found = model(prompt, pixels)
    assert torch.allclose(model.features(pixels).patches, patches, atol=1e-5)
    assert torch.allclose(found, expected, atol=1e-5)


def test_merged_adapters_are_the_same_model(tmp_path):
    write_clip(tmp_path / "clip")
    write_llama(tmp_path / "llama")
    assemble(PROFILES["vitron-7b"], vision=tmp_path / "clip", language=tmp_path / "llama", out=tmp_path / "out")
    plain, adapted = (load_checkpoint(tmp_path / "out", dtype=torch.float32) for _ in range(2))
    add_adapters(adapted.model, rank=4)
    generator = torch.Generator().manual_seed(0)
    for name, weight in adapted.model.named_parameters():
        if "lora_" in name:
            weight.data = torch.randn(weight.shape, generator=generator) / 10
    prompt = plain.prompts.build([Turn(task="rec", text="the small red ring", images=1)])
    with torch.inference_mode():
        pixels = plain.model.pixels(IMAGES[:1])
        before, unmerged = plain.model(prompt, pixels), adapted.model(prompt, pixels)
        plain.model.load_state_dict(dict(merged_weights(adapted.model)), strict=False)
        merged = plain.model(prompt, pixels)
    assert not torch.allclose(before, unmerged, atol=1e-2), "the adapters change something"
    assert torch.allclose(merged, unmerged, atol=1e-4)


def test_the_command_writes_a_whole_checkpoint_of_a_seed(tmp_path, capsys):
    write_clip(tmp_path / "clip")
    write_llama(tmp_path / "llama")
    arguments = ["--vision", str(tmp_path / "clip"), "--language", str(tmp_path / "llama")]
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["--profile", "vitron-7b", *arguments, "--out", str(tmp_path / out), "--seed", seed]) == 0
    a, b, c = (named_weights(load_checkpoint(tmp_path / name).model) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    changed = {name.partition(".")[0] for name in a if not torch.equal(a[name], c[name])}
    assert changed == {"selector", "projector", "region"}
    assert main(["--profile", "vitron-7b", *arguments, "--out", str(tmp_path / "a")]) == 1
    assert "holds a checkpoint already" in capsys.readouterr().err


def test_language_bind_towers_become_the_two_vision_models(tmp_path):
    write_llama(tmp_path / "llama")
    image = write_clip(tmp_path / "image")
    recipe = PROFILES["vitron-7b-published"]
    with pytest.raises(ModelError, match="sees video with a model of its own"):
        assemble(recipe, vision=tmp_path / "image", language=tmp_path / "llama", out=tmp_path / "out")
    plain = replace(recipe, video=replace(recipe.vision))  # a tower without attention over time is a CLIP
    video = write_clip(tmp_path / "video", seed=1)
    assemble(
        plain, vision=tmp_path / "image", video=tmp_path / "video", language=tmp_path / "llama", out=tmp_path / "out"
    )
    model = load_checkpoint(tmp_path / "out").model
    for tower, clip in ((model.vision, image), (model.video, video)):
        pixels = torch.randn(2, 3, 28, 28)
        expected = clip(pixel_values=pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        assert torch.allclose(tower(pixels).patches, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("folder", "changes", "sentence"),
    [
        ("clip", {"model_type": "siglip_vision_model"}, "give a CLIP"),
        ("clip", {"hidden_size": "wide"}, "not a number"),
        ("clip", {"hidden_size": 64}, "its config.json is that of another model"),
        ("clip", {"num_hidden_layers": 5}, "weights are missing: vision.layers.3"),
        ("llama", {"model_type": "mistral"}, "give a LLaMA"),
        ("llama", {"rope_parameters": {"rope_type": "linear", "factor": 2.0}}, "scales its rotary positions"),
        ("llama", {"vocab_size": 200}, "belongs to another model"),
        ("llama", {"num_hidden_layers": None}, "lacks a size"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, folder, changes, sentence):
    write_clip(tmp_path / "clip")
    write_llama(tmp_path / "llama")
    path = tmp_path / folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ModelError, match=sentence):
        assemble(PROFILES["elysium-7b"], vision=tmp_path / "clip", language=tmp_path / "llama", out=tmp_path / "out")
    assert not (tmp_path / "out" / "config.json").exists()
