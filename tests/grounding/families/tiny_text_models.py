"""Tiny directories of published vision-language models with random weights, saved as the hub has them."""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPImageProcessorPil,
    Florence2Config,
    Florence2ForConditionalGeneration,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

CONTROL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
]  # fmt: skip
WORDS = [
    "Locate the person in the red jacket in the image, output its bbox coordinates using JSON format",
    'yes Yes no No [{"bbox_2d": [100, 200, 300, 400], "label": "the mug"}] user assistant system',
    "Is there a blue mug in the image? Answer yes or no. What is this? The box drawn on the image marks what it means.",
] * 5
IDS = {
    "image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>",
}  # fmt: skip
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}"
    "{% if part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def byte_tokenizer(control: list[str], vocab_size: int = 600, **special: object) -> PreTrainedTokenizerFast:
    """A byte-level BPE that knows a few words and control tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=control, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


ROPE = {"rope_type": "default", "rope_theta": 1e4}
KINDS = {
    # model_type: class, config, processor, and what its parts have beside those of the others
    "qwen2_5_vl": (
        Qwen2_5_VLForConditionalGeneration, Qwen2_5_VLConfig, "Qwen2_5_VLProcessor",
        {"rope_parameters": ROPE | {"mrope_section": [1, 1, 2]}},
        {"fullatt_block_indexes": [1], "window_size": 56},
        {"patch_size": 14},
    ),
    "qwen3_vl": (
        Qwen3VLForConditionalGeneration, Qwen3VLConfig, "Qwen3VLProcessor",
        {"head_dim": 8, "rope_parameters": ROPE | {"mrope_section": [2, 1, 1]}},
        {"num_position_embeddings": 64, "patch_size": 16, "deepstack_visual_indexes": [0]},
        {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    ),
    "qwen3_5": (
        Qwen3_5ForConditionalGeneration, Qwen3_5Config, "Qwen3VLProcessor",
        {
            "head_dim": 32, "layer_types": ["linear_attention", "full_attention"],
            "linear_num_key_heads": 2, "linear_num_value_heads": 2,
            "linear_key_head_dim": 8, "linear_value_head_dim": 8,
            "rope_parameters": ROPE | {"mrope_section": [2, 1, 1], "partial_rotary_factor": 0.25},
        },
        {"num_position_embeddings": 64, "patch_size": 16},
        {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
    ),
}  # fmt: skip


def qwen(directory: Path, kind: str, layout: str = "nested") -> Path:
    """A Qwen2.5-VL, Qwen3-VL or Qwen3.5 of about 0.1 M parameters, by its model_type.

    Args:
        layout: "nested": one processor_config.json, as newer versions save it; "split": preprocessor_config.json and
            chat_template.json, as most directories on the hub have it.
    """
    torch.manual_seed(0)
    model_class, config_class, processor, own_text, own_vision, own_images = KINDS[kind]
    tokenizer = byte_tokenizer(
        CONTROL, eos_token="<|im_end|>", pad_token="<|endoftext|>", additional_special_tokens=CONTROL[1:]
    )
    tokenizer.chat_template = TEMPLATE
    ids = {name: tokenizer.convert_tokens_to_ids(token) for name, token in IDS.items()}
    end, pad = (tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
    text = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "bos_token_id": pad, "eos_token_id": end, "pad_token_id": pad, **own_text,
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 32, "out_hidden_size": 32, **own_vision
    }  # fmt: skip
    model = model_class(config_class(text_config=text, vision_config=vision, **ids))
    model.generation_config.update(
        eos_token_id=[end, pad], pad_token_id=pad, do_sample=True, temperature=0.1, repetition_penalty=5.0
    )
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    side = 2 * own_images["patch_size"]
    size = {"shortest_edge": 4 * side**2, "longest_edge": 64 * side**2}
    save_images(Qwen2VLImageProcessorPil(size=size, **own_images), directory, layout, processor)
    if layout == "split":
        template = directory / "chat_template.jinja"
        (directory / "chat_template.json").write_text(json.dumps({"chat_template": template.read_text()}))
        template.unlink()
    return directory


def save_images(image_processor: object, directory: Path, layout: str, processor: str) -> None:
    """An image processor as the hub has it: by the name of the class for torchvision, in one of the two layouts."""
    image_processor.save_pretrained(directory)
    split = directory / "preprocessor_config.json"
    values = json.loads(split.read_text())
    values["image_processor_type"] = type(image_processor).__name__.removesuffix("Pil")
    if layout == "nested":
        nested = {"image_processor": values, "processor_class": processor}
        (directory / "processor_config.json").write_text(json.dumps(nested))
        split.unlink()
    else:
        split.write_text(json.dumps({**values, "processor_class": processor}))


def florence2(directory: Path, layout: str = "nested") -> Path:
    """A Florence-2 of about 0.1 M parameters that sees 64 px."""
    torch.manual_seed(0)
    control = ["<s>", "<pad>", "</s>", "<unk>", "<image>", *(f"<loc_{number}>" for number in range(1000))]
    tokenizer = byte_tokenizer(
        control, vocab_size=1600, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>",
        additional_special_tokens=control[4:],
    )  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "d_model": 16, "encoder_layers": 1, "decoder_layers": 1,
        "encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16,
        "max_position_embeddings": 256,
    }  # fmt: skip
    vision = {
        "depths": [1, 1, 1, 1], "embed_dim": [8, 8, 16, 16], "num_heads": [1, 1, 2, 2], "num_groups": [1, 1, 2, 2],
        "window_size": 2, "projection_dim": 16, "max_position_embeddings": 8,
    }  # fmt: skip
    config = Florence2Config(
        text_config=text, vision_config=vision, image_token_id=tokenizer.convert_tokens_to_ids("<image>")
    )
    model = Florence2ForConditionalGeneration(config)
    model.generation_config.num_beams = 3
    model.generation_config.no_repeat_ngram_size = 3
    model.generation_config.forced_bos_token_id = 0
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    square = {"height": 64, "width": 64}
    images = CLIPImageProcessorPil(size=square, crop_size=square, do_center_crop=False)
    images.image_seq_length = 5  # 2 x 2 cells and their mean
    save_images(images, directory, layout, "Florence2Processor")
    return directory
