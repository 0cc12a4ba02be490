"""A tiny CLIP and a tiny LLaMA in directories, as transformers saves them, for the tests of this folder."""

from pathlib import Path

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from vitron_ros.model.tokenizer import Tokenizer, train_tokenizer

CORPUS = [
    "Please locate the small red ring and give its coordinates. Frame 1: [12,34,56,78], Frame 2: none.",
    "USER: What is at [1,2,3,4]? ASSISTANT: the blue square (0.25, 0.50, 0.75, 1.00)",
]


def tokenizer() -> Tokenizer:
    return train_tokenizer(CORPUS, 400)


def write_clip(folder: Path, *, image_size: int = 28, seed: int = 0) -> CLIPVisionModel:
    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        image_size=image_size, patch_size=7, hidden_size=32, intermediate_size=64, num_hidden_layers=3,
        num_attention_heads=2,
    )  # fmt: skip
    clip = CLIPVisionModel(config).eval()
    clip.save_pretrained(folder)
    return clip


def write_llama(folder: Path, *, context: int = 1024, seed: int = 0, **changes) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    numbers = tokenizer()
    config = LlamaConfig(
        vocab_size=numbers.size + 3, hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=context, **changes,
    )  # fmt: skip
    llama = LlamaForCausalLM(config).eval()
    llama.save_pretrained(folder)
    numbers.save(folder)
    return llama
