"""A new model: random weights, a tokenizer trained on the worlds' text, and coordinate embeddings on a smooth curve."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from training.losses import fourier_embeddings
from training.questions import make_question
from training.worlds import TASKS, make_clip, make_samples
from vitron_ros.errors import ConfigError, ModelError
from vitron_ros.model.checkpoint import Checkpoint
from vitron_ros.model.config import PROFILES, ModelConfig, from_dict, profile
from vitron_ros.model.files import is_file, read_json
from vitron_ros.model.language import INITIAL_STD
from vitron_ros.model.memory import check_memory
from vitron_ros.model.prompt_profile import PromptProfile
from vitron_ros.model.prompts import PromptBuilder
from vitron_ros.model.tokenizer import Tokenizer, train_tokenizer
from vitron_ros.model.vitron import VitronModel, build_empty

CORPUS_SEED = 1 << 40  # shares no clip with any batch


def corpus(prompt_profile: PromptProfile, clips: int) -> Iterator[str]:
    """The text of the worlds' training split, and the texts of prompts."""
    for index in range(clips):
        clip = make_clip(CORPUS_SEED + index, frames=1 + 2 * (index % 2), size=48)
        for sample in make_samples(clip, clip.seed, tasks=TASKS):
            question = make_question(clip, sample, prompt_profile, None, takes_regions=True)
            if question is not None:
                yield from (turn.text for turn in question.turns)
                yield " " + question.answer  # an answer follows its prompt with a space
        if index % 20 == 0:
            yield prompt_profile.system
            yield from (text for texts in prompt_profile.templates.values() for text in texts)
            yield from (prompt_profile.user, prompt_profile.assistant)


def read_model(name: str) -> ModelConfig:
    """The model config of a profile name, or of a JSON file.

    Raises:
        ConfigError: it is neither, or the file is damaged.
    """
    if is_file(Path(name)):
        try:
            return from_dict(ModelConfig, read_json(Path(name)), name)
        except ModelError as error:
            raise ConfigError(f"{error}; it has to be a model config") from error
    if name not in PROFILES:
        raise ConfigError(f"model is {name!r}, which is not a JSON file, nor a profile: {', '.join(PROFILES)}")
    return profile(name)


def new_checkpoint(name: str, *, seed: int, tokenizer_clips: int) -> Checkpoint:
    """A model with the weights of a seed, its tokenizer and its prompts.

    Raises:
        ConfigError: there is no such model.
        ModelError: memory is too small for it.
    """
    config = read_model(name)
    check_memory(build_empty(config), "cpu", torch.float32)
    prompts = PromptProfile.load(config.prompt_profile)
    tokenizer = train_tokenizer(corpus(prompts, tokenizer_clips), config.language.vocab_size)
    language = replace(
        config.language,
        vocab_size=tokenizer.size,
        bos_token_id=tokenizer.bos_id,
        eos_token_id=tokenizer.eos_id,
        pad_token_id=tokenizer.pad_id,
    )
    torch.manual_seed(seed)
    model = VitronModel(replace(config, language=language))
    init_number_embeddings(model, tokenizer, seed)
    return Checkpoint(model, tokenizer, PromptBuilder(prompts, tokenizer))


def init_number_embeddings(model: VitronModel, tokenizer: Tokenizer, seed: int) -> None:
    """Puts the embeddings of the box coordinates on a smooth curve; other weights stay as initialised."""
    embeddings = model.language.model.embed_tokens.weight
    ids = [numbers[0] for numbers in tokenizer.number_ids()]
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        embeddings[ids] = fourier_embeddings(embeddings.shape[1], INITIAL_STD, generator)
