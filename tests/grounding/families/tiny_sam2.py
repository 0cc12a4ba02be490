"""Tiny directories of SAM 2 video with random weights, saved as the hub has them."""

import json
from pathlib import Path

import torch
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

SIDE = 64
WIDTH = 128  # memory attention needs a multiple of 64
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def sam2_video(directory: Path, *, is_split: bool = False, is_there: bool = True) -> Path:
    """A SAM 2 of 1.0 M parameters.

    Args:
        is_split: the older layout of its processor's files.
        is_there: it always says that the object is in the image, or never does.
    """
    torch.manual_seed(0)
    backbone = Sam2HieraDetConfig(
        hidden_size=8,
        image_size=[SIDE, SIDE],
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1, 1, 2, 4],
        window_size_per_stage=[4, 4, 4, 2],
        global_attention_blocks=[3],
        window_positional_embedding_background_size=[4, 4],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[64, 32, 16, 8],
        backbone_feature_sizes=[[SIDE // stride, SIDE // stride] for stride in (4, 8, 16)],
        fpn_hidden_size=WIDTH,
    )
    config = Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config={"hidden_size": WIDTH, "image_size": SIDE, "mask_input_channels": 4},
        mask_decoder_config={
            "hidden_size": WIDTH, "mlp_dim": 16, "num_attention_heads": 4,
            "iou_head_hidden_dim": 16, "iou_head_depth": 2,
        },
        image_size=SIDE,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=16,
        memory_attention_rope_feat_sizes=[SIDE // 16, SIDE // 16],
        memory_encoder_hidden_size=WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_num_layers=1,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=16,
    )  # fmt: skip
    model = Sam2VideoModel(config)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0 if is_there else -2.0)
    model.save_pretrained(directory)
    images = {"image_processor_type": "Sam2ImageProcessorFast", "image_mean": MEAN, "image_std": STD}
    if is_split:
        (directory / "preprocessor_config.json").write_text(json.dumps(images))
    else:
        values = {"image_processor": images, "processor_class": "Sam2VideoProcessor"}
        (directory / "processor_config.json").write_text(json.dumps(values))
    return directory
