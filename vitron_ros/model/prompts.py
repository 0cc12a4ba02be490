"""Prompts: what the language model is asked, as pieces of text, images and regions in their order."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Text, as token ids of the model's tokenizer."""

    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImageSegment:
    """The kept tokens of one image; `index` counts the images of the prompt from 0."""

    index: int


@dataclass(frozen=True, slots=True)
class RegionSegment:
    """The tokens of one region; `index` counts the regions of the prompt from 0."""

    index: int


Segment = TextSegment | ImageSegment | RegionSegment


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt without any tensors: `VitronModel.splice` turns it into embeddings."""

    segments: tuple[Segment, ...]
