"""A tiny language model and its tokenizers for the tests of this folder."""

import io
from functools import lru_cache

import torch

from vitron_ros.model.config import LanguageConfig
from vitron_ros.model.language import LanguageModel
from vitron_ros.model.tokenizer import SentencePieceBackend, Tokenizer, train_tokenizer

CORPUS = [
    "Track the small red ring. Give its box in every frame. ASSISTANT: Frame 1: [12,34,56,78], Frame 2: none.",
    "USER: What is at [1,2,3,4]? ASSISTANT: the blue square",
] * 10

CONFIG = LanguageConfig(
    vocab_size=400,
    hidden_size=48,
    intermediate_size=96,
    num_layers=3,
    num_heads=4,
    num_kv_heads=2,
    head_dim=12,
    max_positions=512,
)


def tiny_language(config: LanguageConfig = CONFIG, seed: int = 0) -> LanguageModel:
    torch.manual_seed(seed)
    return LanguageModel(config).eval()


@lru_cache
def bpe() -> Tokenizer:
    """Numbers of a box are single tokens."""
    return train_tokenizer(CORPUS, 400)


@lru_cache
def sentencepiece() -> Tokenizer:
    """Digits are single tokens, words begin with a space: LLaMA's way."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        vocab_size=340,
        model_type="bpe",
        split_digits=True,
        byte_fallback=True,
        character_coverage=1.0,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return Tokenizer(SentencePieceBackend(model.getvalue(), "the test's model"))
