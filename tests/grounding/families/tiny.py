"""Tiny directories of published families with random weights, saved as the hub has them."""

import json
from pathlib import Path

import torch
from transformers import (
    BertConfig,
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessorPil,
    GroundingDinoProcessor,
    MMGroundingDinoConfig,
    MMGroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    OwlViTConfig,
    OwlViTForObjectDetection,
    OwlViTImageProcessorPil,
    OwlViTProcessor,
    SwinConfig,
)

WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", "?", ",", "the", "a", "red", "blue", "green", "purple", "small",
    "large", "left", "right", "on", "in", "of", "with", "all", "person", "people", "man", "jacket", "square", "circle",
    "ring", "star", "mug", "cup", "car", "table", "what", "is",
]  # fmt: skip


def split_processor(directory: Path) -> None:
    """Gives a directory the older layout: the image processor in a file of its own."""
    nested = directory / "processor_config.json"
    values = json.loads(nested.read_text())
    images = {**values.pop("image_processor"), "processor_class": values["processor_class"]}
    (directory / "preprocessor_config.json").write_text(json.dumps(images))
    nested.unlink()


def grounding_dino(directory: Path, *, kind: str = "grounding-dino") -> Path:
    """A (MM-)Grounding DINO of 0.18 M parameters."""
    torch.manual_seed(0)
    sizes = {
        "backbone_config": SwinConfig(
            embed_dim=8,
            depths=[1, 1, 1, 1],
            num_heads=[1, 1, 1, 1],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        "text_config": BertConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=len(WORDS)
        ),
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "num_queries": 20,
    }
    if kind == "grounding-dino":
        model = GroundingDinoForObjectDetection(GroundingDinoConfig(**sizes))
    else:
        model = MMGroundingDinoForObjectDetection(MMGroundingDinoConfig(**sizes))
    model.save_pretrained(directory)
    tokenizer = BertTokenizer(vocab={word: place for place, word in enumerate(WORDS)}, model_max_length=512)
    size = {"shortest_edge": 160, "longest_edge": 266}
    GroundingDinoProcessor(GroundingDinoImageProcessorPil(size=size), tokenizer).save_pretrained(directory)
    return directory


def owl(directory: Path, *, kind: str = "owlvit") -> Path:
    """An OWL-ViT or OWLv2 of 0.03 M parameters whose tokens are letters."""
    torch.manual_seed(0)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    vocabulary = ["!", *letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    ids = {token: place for place, token in enumerate(vocabulary)}
    merges = [("t", "h"), ("th", "e</w>")]
    for first, second in merges:
        ids[first + second] = len(ids)
    text = {
        "vocab_size": len(ids), "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 16, "pad_token_id": 0,
        "bos_token_id": ids["<|startoftext|>"], "eos_token_id": ids["<|endoftext|>"],
    }  # fmt: skip
    vision = {
        "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": 64, "patch_size": 16,
    }  # fmt: skip
    size, values = {"height": 64, "width": 64}, {"text_config": text, "vision_config": vision, "projection_dim": 16}
    tokenizer = CLIPTokenizer(vocab=ids, merges=merges, pad_token="!", model_max_length=16)
    model = OwlViTForObjectDetection(OwlViTConfig(**values)) if kind == "owlvit" else None
    model = model or Owlv2ForObjectDetection(Owlv2Config(**values))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(0.1)  # else every box is a line along an edge of the image
    model.save_pretrained(directory)
    OwlViTProcessor(OwlViTImageProcessorPil(size=size, crop_size=size), tokenizer).save_pretrained(directory)
    if kind == "owlv2":
        _rename(directory / "processor_config.json", "OwlViT", "Owlv2")
    return directory


def _rename(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))
