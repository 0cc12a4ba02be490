"""Tiny CLIPSeg and SAM 3 with random weights, saved as the hub has them."""

import json
from pathlib import Path

import torch
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    CLIPTokenizer,
    Sam3Config,
    Sam3Model,
)

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
END = len(WORDS) - 1
TEXT = {
    "vocab_size": len(WORDS), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "projection_dim": 16, "bos_token_id": END - 1, "eos_token_id": END, "pad_token_id": END,
}  # fmt: skip


def clipseg(directory: Path) -> Path:
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 32,
        "patch_size": 8,
    }  # fmt: skip
    config = CLIPSegConfig(
        text_config=TEXT, vision_config=vision, projection_dim=16, reduce_dim=8, extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2, decoder_intermediate_size=16, conditional_layer=0,
    )  # fmt: skip
    return _saved(CLIPSegForImageSegmentation, config, directory, side=48)


def sam3(directory: Path) -> Path:
    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 56,
        "patch_size": 14, "window_size": 2, "global_attn_indexes": [1], "pretrain_image_size": 28,
    }  # fmt: skip
    part = {"hidden_size": 16, "num_attention_heads": 2}
    layers = {**part, "num_layers": 1, "intermediate_size": 16}
    config = Sam3Config(
        vision_config={
            "backbone_config": backbone, "fpn_hidden_size": 16, "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        text_config={**TEXT, "max_position_embeddings": 32},
        geometry_encoder_config=layers,
        detr_encoder_config=layers,
        detr_decoder_config={**layers, "num_queries": 5},
        mask_decoder_config={**part, "num_upsampling_stages": 3},
    )  # fmt: skip
    return _saved(Sam3Model, config, directory, side=56)


def _saved(kind, config, directory, side):
    torch.manual_seed(0)
    kind(config).save_pretrained(directory)
    tokenizer = CLIPTokenizer(vocab={word: i for i, word in enumerate(WORDS)}, merges=[], model_max_length=32)
    tokenizer.save_pretrained(directory)
    values = {"size": {"height": side, "width": side}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (directory / "preprocessor_config.json").write_text(json.dumps(values))
    return directory
