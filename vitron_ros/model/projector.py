"""The projector: from the vision model's channels to the language model's."""

from torch import nn

from vitron_ros.model.config import ModelConfig


def build_projector(config: ModelConfig) -> nn.Module:
    """Maps (..., C vision) to (..., D language). The kinds and their weight names are LLaVA's (arXiv 2310.03744)."""
    vision, language = config.vision.hidden_size, config.language.hidden_size
    if config.projector.kind == "linear":
        return nn.Linear(vision, language)
    return nn.Sequential(nn.Linear(vision, language), nn.GELU(), nn.Linear(language, language))
