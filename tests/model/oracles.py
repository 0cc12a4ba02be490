"""What the model's parts are compared with: transformers' own, and NumPy statements of the released code."""

import numpy as np
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from vitron_ros.model.config import LanguageConfig, ModelConfig


def llama_of(config: LanguageConfig) -> LlamaForCausalLM:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocab_size,
            hidden_size=config.hidden_size,
            intermediate_size=config.intermediate_size,
            num_hidden_layers=config.num_layers,
            num_attention_heads=config.num_heads,
            num_key_value_heads=config.num_kv_heads,
            head_dim=config.head_dim,
            rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
            rms_norm_eps=config.rms_norm_eps,
            max_position_embeddings=config.max_positions,
            tie_word_embeddings=config.tie_embeddings,
        )
    ).eval()


def clip_of(config: ModelConfig) -> CLIPVisionModel:
    vision = config.vision
    return CLIPVisionModel(
        CLIPVisionConfig(
            image_size=vision.image_size,
            patch_size=vision.patch_size,
            hidden_size=vision.hidden_size,
            intermediate_size=vision.intermediate_size,
            num_hidden_layers=vision.num_layers,
            num_attention_heads=vision.num_heads,
            hidden_act=vision.activation,
        )
    ).eval()


def released_t_selector(
    patches: np.ndarray, weights: dict[str, np.ndarray], count: int
) -> tuple[np.ndarray, np.ndarray]:
    """What the released code does to one video, (F, N, C): kept tokens and their indices."""
    tokens, indices = [], []
    for frame in patches.astype(np.float64):
        score = frame @ weights["pre_proj.weight"][0] + weights["pre_proj.bias"][0]
        logits = score @ weights["trans_weight"] + weights["trans_bias"]
        share = np.exp(logits - logits.max())
        share /= share.sum()
        kept = np.sort(np.argsort(-share, kind="stable")[:count])
        indices.append(kept)
        tokens.append(frame[kept])
    return np.stack(tokens), np.stack(indices)


def bilinear_positive(mask: np.ndarray, grid: int) -> np.ndarray:
    """Where a mask, resized bilinearly to (grid, grid) with half-pixel centres and no antialiasing, exceeds 0."""
    size = len(mask)
    centre = (np.arange(grid) + 0.5) * size / grid - 0.5
    low = np.floor(centre).astype(int)
    share = centre - low
    near, far = np.clip(low, 0, size - 1), np.clip(low + 1, 0, size - 1)
    rows = mask[near] * (1 - share)[:, None] + mask[far] * share[:, None]
    return (rows[:, near] * (1 - share) + rows[:, far] * share) > 0


def released_extractor(
    patches: np.ndarray, xyxy: list[int], weights: dict[str, np.ndarray], *, size: int, transposed: bool
) -> np.ndarray:
    """What VITRON's released code does to one image (N, C) and one box on the model's square of `size` px: (D,)."""
    grid = round(len(patches) ** 0.5)
    x1, y1, x2, y2 = xyxy
    mask = np.zeros((size, size))
    if transposed:
        mask[x1:x2, y1:y2] = 1
    else:
        mask[y1:y2, x1:x2] = 1
    inside = bilinear_positive(mask, grid).ravel()
    x = patches[inside].sum(0) / (inside.sum() + 1e-8)
    for layer in (0, 2, 4):
        x = x @ weights[f"looks.{layer}.weight"].T + weights[f"looks.{layer}.bias"]
        x = np.maximum(x, 0) if layer < 4 else x
    place = np.array(xyxy, float)
    for layer in (0, 2):
        place = np.maximum(place @ weights[f"place.{layer}.weight"].T + weights[f"place.{layer}.bias"], 0)
    return x + place
