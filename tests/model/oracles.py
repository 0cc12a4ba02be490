"""What the model's parts are compared with: transformers' own. What the papers' code gave is in `released.py`."""

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
