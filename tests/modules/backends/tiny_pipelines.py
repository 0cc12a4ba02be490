"""Tiny pipelines with random weights, saved as the hub has them."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLWan,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    I2VGenXLPipeline,
    PNDMScheduler,
    StableDiffusionGLIGENPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionInstructPix2PixPipeline,
    StableDiffusionPipeline,
    TextToVideoSDPipeline,
    UNet2DConditionModel,
    UNet3DConditionModel,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
    WanVACEPipeline,
    WanVACETransformer3DModel,
)
from diffusers.models.unets.unet_i2vgen_xl import I2VGenXLUNet
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

WIDTH = 32  # of text features
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;-'"
SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def clip_text():
    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=77)
    end = len(words) - 1
    config = CLIPTextConfig(
        vocab_size=len(words), hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=WIDTH, bos_token_id=end - 1, eos_token_id=end, pad_token_id=end,
    )  # fmt: skip
    return {"tokenizer": tokenizer, "text_encoder": CLIPTextModel(config)}


def clip_vision(kind, size=32):
    config = CLIPVisionConfig(
        hidden_size=WIDTH, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=size,
        patch_size=8, projection_dim=WIDTH,
    )  # fmt: skip
    return kind(config)


def image_processor(size=32):
    return CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})


def vae():
    return AutoencoderKL(
        block_out_channels=[8, 16], down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2, latent_channels=4, norm_num_groups=4, sample_size=64,
    )  # fmt: skip


def unet(channels=4, **options):
    return UNet2DConditionModel(
        block_out_channels=[8, 16], layers_per_block=1, sample_size=32, in_channels=channels, out_channels=4,
        down_block_types=["DownBlock2D", "CrossAttnDownBlock2D"], up_block_types=["CrossAttnUpBlock2D", "UpBlock2D"],
        cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=4, **options,
    )  # fmt: skip


def stable_diffusion(kind, scheduler=None, **options):
    return kind(
        vae=vae(), unet=unet(**options), scheduler=scheduler or DDIMScheduler(**SCHEDULE), safety_checker=None,
        feature_extractor=None, requires_safety_checker=False, **clip_text(),
    )  # fmt: skip


def text_to_video():
    network = UNet3DConditionModel(
        block_out_channels=[8, 16], layers_per_block=1, sample_size=32,
        down_block_types=["CrossAttnDownBlock3D", "DownBlock3D"], up_block_types=["UpBlock3D", "CrossAttnUpBlock3D"],
        cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=4,
    )  # fmt: skip
    return TextToVideoSDPipeline(vae=vae(), unet=network, scheduler=DDIMScheduler(**SCHEDULE), **clip_text())


def i2vgen_xl():
    network = I2VGenXLUNet(
        block_out_channels=[8, 16], layers_per_block=1, sample_size=32, in_channels=4, out_channels=4,
        down_block_types=["CrossAttnDownBlock3D", "DownBlock3D"], up_block_types=["UpBlock3D", "CrossAttnUpBlock3D"],
        cross_attention_dim=WIDTH, attention_head_dim=8, norm_num_groups=2,
    )  # fmt: skip
    return I2VGenXLPipeline(
        vae=vae(), unet=network, scheduler=DDIMScheduler(**SCHEDULE), feature_extractor=image_processor(),
        image_encoder=clip_vision(CLIPVisionModelWithProjection), **clip_text(),
    )  # fmt: skip


def flux2_klein():
    words = {chr(code): code for code in range(256)}
    tokenizer = Qwen2Tokenizer(vocab=words, merges=[])
    tokenizer.add_special_tokens({"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    config = Qwen3Config(
        vocab_size=300, hidden_size=8, intermediate_size=8, num_hidden_layers=28, num_attention_heads=2,
        num_key_value_heads=1, head_dim=4, max_position_embeddings=1024,
    )  # fmt: skip
    transformer = Flux2Transformer2DModel(
        in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=24, timestep_guidance_channels=32, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False,
    )  # fmt: skip
    decoder = AutoencoderKLFlux2(
        block_out_channels=[8, 16], down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2, latent_channels=4, norm_num_groups=4, sample_size=64,
        layers_per_block=1,
    )  # fmt: skip
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=decoder, text_encoder=Qwen3ForCausalLM(config),
        tokenizer=tokenizer, transformer=transformer, is_distilled=True,
    )  # fmt: skip


def wan_parts():
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((letter, -2.0) for letter in LETTERS)]
    encoder = UMT5Config(
        vocab_size=len(pieces), d_model=WIDTH, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return {
        "tokenizer": T5Tokenizer(vocab=pieces, extra_ids=0),
        "text_encoder": UMT5EncoderModel(encoder),
        "vae": AutoencoderKLWan(base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1),
        "scheduler": UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0),
    }


def wan_network(kind, **options):
    return kind(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, out_channels=16, text_dim=WIDTH,
        freq_dim=32, ffn_dim=16, cross_attn_norm=True, qk_norm="rms_norm_across_heads", rope_max_seq_len=32, **options,
    )  # fmt: skip


def wan():
    return WanPipeline(transformer=wan_network(WanTransformer3DModel, in_channels=16, num_layers=2), **wan_parts())


def wan_image_to_video():
    network = wan_network(
        WanTransformer3DModel,
        in_channels=36,
        num_layers=2,
        image_dim=WIDTH,
        added_kv_proj_dim=None,
        pos_embed_seq_len=None,
    )
    return WanImageToVideoPipeline(
        transformer=network,
        image_encoder=clip_vision(CLIPVisionModel),
        image_processor=image_processor(),
        **wan_parts(),
    )


def wan_vace():
    network = wan_network(WanVACETransformer3DModel, in_channels=16, num_layers=2, vace_layers=[0], vace_in_channels=96)
    return WanVACEPipeline(transformer=network, **wan_parts())


BUILDERS = {
    "sd": lambda: stable_diffusion(StableDiffusionPipeline, PNDMScheduler(skip_prk_steps=True, **SCHEDULE)),
    "sd-inpaint": lambda: stable_diffusion(StableDiffusionInpaintPipeline, channels=9),
    "pix2pix": lambda: stable_diffusion(StableDiffusionInstructPix2PixPipeline, channels=8),
    "gligen": lambda: stable_diffusion(StableDiffusionGLIGENPipeline, attention_type="gated"),
    "gligen-inpaint": lambda: stable_diffusion(StableDiffusionGLIGENPipeline, channels=9, attention_type="gated"),
    "flux2-klein": flux2_klein,
    "zeroscope": text_to_video,
    "i2vgen-xl": i2vgen_xl,
    "wan": wan,
    "wan-i2v": wan_image_to_video,
    "wan-vace": wan_vace,
}


def save_pipeline(name: str, directory: Path) -> Path:
    torch.manual_seed(0)
    BUILDERS[name]().save_pretrained(directory, safe_serialization=True)
    return directory
