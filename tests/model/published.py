"""Tiny checkpoints in the layouts of Elysium and VITRON, of transformers' and peft's own parts, and their answers.

What is saved and what is expected comes from no model code of the project.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from oracles import clip_of, llama_of
from peft import LoraConfig, get_peft_model
from released import with_waves
from safetensors.torch import save_file
from tiny_vitron import CONFIG, PLAIN
from torch import Tensor, nn
from transformers import CLIPVisionModel, LlamaForCausalLM, PretrainedConfig, PreTrainedModel
from transformers.models.clip.modeling_clip import CLIPAttention

from vitron_ros.model.config import RegionConfig, SelectorConfig
from vitron_ros.model.prompts import ImageSegment, Prompt, TextSegment
from vitron_ros.model.vitron import VitronModel

LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
KEPT = 12
WIDTH = 48  # of the language model
FRAMES = 4
ELYSIUM_CONFIG = replace(
    CONFIG, selector=SelectorConfig(kind="published", alpha=KEPT / 64), region=RegionConfig(kind="none")
)
VITRON_CONFIG = replace(
    PLAIN,
    video=replace(PLAIN.vision, time_frames=FRAMES),
    region=RegionConfig(kind="published", transposed=True),
)
BEFORE, AFTER = [1, 9, 8], [17, 4]


class Adapter(nn.Module):
    """The weights of the released T-Selector."""

    def __init__(self, width: int, patches: int, kept: int) -> None:
        super().__init__()
        self.pre_proj = nn.Linear(width, 1)
        self.score_proj = nn.Linear(patches, kept)
        self.trans_weight = nn.Parameter(torch.randn(patches, patches))
        self.trans_bias = nn.Parameter(torch.randn(patches))


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(32, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH))


class Elysium(PreTrainedModel):
    """The parts of the released Elysium, saved by transformers."""

    config_class = PretrainedConfig

    def __init__(self, config: PretrainedConfig) -> None:
        super().__init__(config)
        self.llm, self.visual_encoder = llama_of(PLAIN.language), clip_of(PLAIN)
        self.adapter, self.llm_proj = Adapter(32, 64, KEPT), mlp()

    @property
    def all_tied_weights_keys(self) -> dict[str, str]:
        return {}

    @torch.no_grad()
    def answer(self, pixels: Tensor, before: list[int], after: list[int]) -> Tensor:
        """Logits of text, all frames, text."""
        features = self.visual_encoder(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        visual = []
        for frame in features:
            scores = self.adapter.pre_proj(frame)[:, 0] @ self.adapter.trans_weight + self.adapter.trans_bias
            visual.append(self.llm_proj(frame[scores.topk(KEPT).indices.sort().values]))
        return answer_of(self.llm, visual, before, after)


def answer_of(llama: LlamaForCausalLM, visual: list[Tensor], before: list[int], after: list[int]) -> Tensor:
    embed = llama.get_input_embeddings()
    parts = [embed(torch.tensor(before)), *visual, embed(torch.tensor(after))]
    return llama(inputs_embeds=torch.cat(parts)[None]).logits[0]


def save_elysium(directory: Path) -> Elysium:
    torch.manual_seed(3)
    model = Elysium(PretrainedConfig()).eval()
    model.save_pretrained(directory, max_shard_size="300KB")
    values = {"model_type": "elysium", "adapter_config": {"in_token_num": 64, "out_token_num": KEPT}}
    (directory / "config.json").write_text(json.dumps(values))
    return model


class RegionExtractor(nn.Module):
    """The weights of VITRON's released region extractor."""

    def __init__(self) -> None:
        super().__init__()
        self.region_linear = nn.Module()
        sizes = [(32, WIDTH), (WIDTH, WIDTH), (WIDTH, WIDTH)]
        self.region_linear.layers = nn.ModuleList([nn.Linear(*size) for size in sizes])
        self.loc_encoder = nn.Module()
        half = WIDTH // 2
        self.loc_encoder.loc_encoder = nn.Sequential(nn.Linear(4, half), nn.ReLU(), nn.Linear(half, WIDTH))


class VideoTower(nn.Module):
    """A LanguageBind video tower: CLIP, and before each layer attention of each patch over time."""

    def __init__(self) -> None:
        super().__init__()
        clip: CLIPVisionModel = clip_of(PLAIN)
        self.embeddings, self.pre_layrnorm = clip.embeddings, clip.pre_layrnorm
        self.encoder, self.post_layernorm = clip.encoder, clip.post_layernorm
        for layer in self.encoder.layers:
            layer.temporal_embedding = nn.Parameter(torch.randn(1, FRAMES, 32))
            layer.temporal_layer_norm1 = nn.LayerNorm(32)
            layer.temporal_attn = CLIPAttention(clip.config)

    def forward(self, pixels: Tensor) -> Tensor:
        """The hidden state before the last layer, without the class token, (FRAMES, N, C)."""
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers[:-1]:
            columns = torch.stack([x[:, patch] for patch in range(x.shape[1])]) + layer.temporal_embedding
            columns = columns + layer.temporal_attn(layer.temporal_layer_norm1(columns))[0]
            x = layer(torch.stack([columns[:, frame] for frame in range(FRAMES)]), None)
        return x[:, 1:]


@dataclass
class Vitron:
    """The parts of the released VITRON, its LoRA merged."""

    llama: LlamaForCausalLM
    image_tower: CLIPVisionModel
    video_tower: VideoTower
    projector: nn.Sequential
    regions: RegionExtractor

    @torch.no_grad()
    def answer(self, pixels: Tensor, before: list[int], after: list[int]) -> Tensor:
        if len(pixels) > 1:
            features = self.video_tower(pixels)
        else:
            features = self.image_tower(pixels, output_hidden_states=True).hidden_states[-2][:, 1:]
        return answer_of(self.llama, list(self.projector(features)), before, after)


def prefixed(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor.contiguous() for name, tensor in module.state_dict().items()}


def write(tensors: Mapping[str, Tensor], path: Path, *, pickled: bool) -> None:
    if pickled:
        torch.save(dict(tensors), path.with_suffix(".bin"))
    else:
        save_file(dict(tensors), path.with_suffix(".safetensors"))


def save_vitron(
    base: Path,
    lora: Path,
    *,
    pickled: bool,
    towers_in_base: bool = True,
    dtype: torch.dtype | None = None,
    waves: bool = False,
) -> Vitron:
    """VITRON's two directories; without towers in the base, they lie in base/image and base/video.

    Args:
        dtype: of the stored base; None: float32.
        waves: the weights are those that the released code was recorded with.
    """
    torch.manual_seed(4)
    llama, image_tower, video_tower = llama_of(PLAIN.language), clip_of(PLAIN), VideoTower().eval()
    if waves:
        with_waves(llama), with_waves(image_tower)
    tensors = {**llama.state_dict(), "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(6)}
    base.mkdir()
    if towers_in_base:
        tensors |= prefixed("model.image_tower.image_tower", image_tower)
        tensors |= prefixed("model.video_tower.video_tower", video_tower)
    else:
        for name, tower in (("image", image_tower), ("video", video_tower)):
            (base / name).mkdir()
            rest = {"logit_scale": torch.ones(1), "text_model.final_layer_norm.weight": torch.ones(4)}
            stem = "pytorch_model" if pickled else "model"
            write({**prefixed("vision_model", tower), **rest}, base / name / stem, pickled=pickled)
    tensors |= prefixed("model.mm_projector", mlp())  # of an earlier stage: the LoRA directory holds the trained one
    halves = sorted(tensors)[::2], sorted(tensors)[1::2]
    suffix, stem = ("bin", "pytorch_model") if pickled else ("safetensors", "model")
    names = [f"{stem}-0000{part}-of-00002" for part in (1, 2)]
    for name, keys in zip(names, halves, strict=True):
        write({key: tensors[key].to(dtype) for key in keys}, base / name, pickled=pickled)
    weight_map = {key: f"{name}.{suffix}" for name, keys in zip(names, halves, strict=True) for key in keys}
    (base / f"{stem}.{suffix}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (base / "config.json").write_text(json.dumps({"model_type": "llava"}))

    adapted = get_peft_model(llama, LoraConfig(r=4, lora_alpha=8, target_modules=LINEAR, task_type="CAUSAL_LM"))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(weight, std=0.1)
    adapted.save_pretrained(lora)
    if pickled:
        from safetensors.torch import load_file

        torch.save(load_file(lora / "adapter_model.safetensors"), lora / "adapter_model.bin")
        (lora / "adapter_model.safetensors").unlink()
    projector, regions = with_waves(mlp()) if waves else mlp(), with_waves(RegionExtractor())
    trained = prefixed("base_model.model.model.mm_projector", projector)
    trained |= prefixed("base_model.model.model.region_extractor", regions)
    write(trained, lora / "non_lora_trainables", pickled=pickled)
    return Vitron(adapted.merge_and_unload().eval(), image_tower, video_tower, projector, regions)


def answer(model: VitronModel, pixels: torch.Tensor) -> torch.Tensor:
    images = tuple(ImageSegment(index) for index in range(len(pixels)))
    with torch.no_grad():
        return model(Prompt((TextSegment(tuple(BEFORE)), *images, TextSegment(tuple(AFTER)))), pixels)


def assert_same_answers(model: VitronModel, theirs, frames: tuple[int, ...]) -> None:
    for count in frames:
        pixels = torch.randn(count, 3, 64, 64)
        torch.testing.assert_close(answer(model, pixels), theirs.answer(pixels, BEFORE, AFTER), atol=1e-5, rtol=1e-5)


class Bomb:
    """What a pickle can do when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))
