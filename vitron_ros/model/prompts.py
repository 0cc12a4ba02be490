"""Prompts: sequences of text, image and region segments."""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vitron_ros.errors import ModelError
from vitron_ros.model.answers import Box, box_text
from vitron_ros.model.prompt_profile import TASKS, PromptProfile
from vitron_ros.model.tokenizer import Tokenizer

WITHOUT_IMAGES = ("conversation", "invocation")  # these may be asked of no image at all


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Text, as token ids of the model's tokenizer."""

    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ImageSegment:
    """The selected tokens of one image; `index` counts the images of the prompt from 0."""

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

    def length(self, tokens_per_image: int, tokens_per_region: int = 1) -> int:
        """Tokens that it takes of the context."""
        each = {ImageSegment: tokens_per_image, RegionSegment: tokens_per_region}
        return sum(len(part.token_ids) if isinstance(part, TextSegment) else each[type(part)] for part in self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of the user, with the answer where it has been given.

    Attributes:
        task: a key of `TASKS`.
        text: the user's phrase or question.
        images: images that this turn shows, in order of time.
        times_s: s from the first frame, one an image; empty: frames are only numbered.
        box: the box that the turn is about, as fractions; None: none, or a region is marked.
        regions: marked regions of this turn.
        paraphrase: which of the profile's templates for the task.
        answer: None for the turn that is to be answered.
    """

    task: str
    text: str = ""
    images: int = 0
    times_s: tuple[float, ...] = ()
    box: Box | None = None
    regions: int = 0
    paraphrase: int = 0
    answer: str | None = None


@dataclass(frozen=True)
class PromptBuilder:
    """Makes prompts for one model.

    Attributes:
        is_published: each text between images is encoded by itself, with BOS where the profile says that the
            published weights expect it. Else BOS stands only at the very beginning.
    """

    profile: PromptProfile
    tokenizer: Tokenizer
    is_published: bool = False

    def build(self, turns: Sequence[Turn]) -> Prompt:
        """The prompt of a conversation whose last turn is to be answered.

        A conversation that goes on begins with the very tokens of its earlier prompts and answers.

        Raises:
            ModelError: a task is unknown, a turn lacks what its task needs, or the answers do not fit the turns.
        """
        if not turns:
            raise ModelError("a prompt needs at least one turn")
        writer = _PromptWriter(self)
        writer.write(self.profile.system)
        for index, turn in enumerate(turns):
            is_last = index == len(turns) - 1
            if (turn.answer is None) != is_last:
                raise ModelError(
                    "the last turn of a prompt is to be answered, and has no answer yet"
                    if is_last
                    else f"turn {index + 1} has no answer; only the last one is to be answered"
                )
            writer.write(self.profile.user)
            self._turn(turn, writer)
            writer.write(self.profile.assistant)
            if turn.answer is not None:
                writer.answer(turn.answer)
        return writer.prompt()

    def _turn(self, turn: Turn, writer: "_PromptWriter") -> None:
        if turn.task not in TASKS:
            raise ModelError(f"there is no task {turn.task!r}; there are {', '.join(TASKS)}")
        needs = TASKS[turn.task]
        templates = self.profile.templates[turn.task]
        if needs == "text" and not turn.text.strip():
            raise ModelError(f"{turn.task} needs a phrase or a question, and the text is empty")
        if needs == "target" and turn.box is None and turn.regions == 0:
            raise ModelError(f"{turn.task} needs a box or a marked region")
        if turn.images == 0 and turn.task not in WITHOUT_IMAGES:
            raise ModelError(f"{turn.task} needs at least one image")
        if turn.times_s and len(turn.times_s) != turn.images:
            raise ModelError(f"{len(turn.times_s)} times do not fit {turn.images} images")
        if not 0 <= turn.paraphrase < len(templates):
            raise ModelError(f"{turn.task} has paraphrases 0 to {len(templates) - 1}, not {turn.paraphrase}")
        self._images(turn, writer)
        regions = turn.regions
        if needs == "target" and turn.box is None:
            regions -= 1  # the template places the first
        first = writer.regions + turn.regions - regions
        for index in range(regions):
            writer.fill(self.profile.region, {"region": RegionSegment(first + index)})
        target = RegionSegment(writer.regions) if turn.box is None else box_text(turn.box, self.profile.dialect)
        writer.fill(templates[turn.paraphrase], {"text": turn.text.strip(), "target": target})
        writer.regions += turn.regions

    def _images(self, turn: Turn, writer: "_PromptWriter") -> None:
        markers = self.profile.markers[turn.task]
        frame = markers.image if turn.images == 1 else markers.timed_frame if turn.times_s else markers.frame
        for index in range(turn.images):
            seconds = turn.times_s[index] if turn.times_s else 0.0
            values = {"image": ImageSegment(writer.images), "number": index + 1, "seconds": seconds}
            writer.write(markers.separator if index else "")
            writer.fill(frame, values)
            writer.images += 1
        writer.write((markers.end if turn.images > 1 else markers.image_end) if turn.images else "")


@dataclass
class _PromptWriter:
    """A prompt while it is written."""

    builder: PromptBuilder
    images: int = 0
    regions: int = 0
    tokens: list[int] = field(default_factory=list)
    _pending: str = ""
    _bos: bool = True
    _segments: list[Segment] = field(default_factory=list)

    def write(self, text: str) -> None:
        self._pending += text

    def fill(self, template: str, values: Mapping[str, Any]) -> None:
        """Writes a template. What a user typed is only ever text, whatever signs it has."""
        for literal, name, spec, _ in string.Formatter().parse(template):
            self.write(literal)
            if name is None:
                continue
            value = values[name]
            if isinstance(value, ImageSegment | RegionSegment):
                self.end_text()
                self._end_tokens()
                self._segments.append(value)
                self._after("image" if isinstance(value, ImageSegment) else "region")
            else:
                self.write(format(value, spec or ""))

    def answer(self, text: str) -> None:
        """Writes an answer that was given, to its end."""
        self.end_text()
        tokenizer = self.builder.tokenizer
        self.tokens += [*tokenizer.encode_answer(text), tokenizer.eos_id]
        self._after("answer")

    def end_text(self) -> None:
        """Encodes the text since the last image, region or answer."""
        if self._pending or self._bos:
            self.tokens += self.builder.tokenizer.encode(self._pending, bos=self._bos)
        self._pending, self._bos = "", False

    def _after(self, kind: str) -> None:
        """Settles whether the text after an image, region or answer begins with BOS."""
        where = self.builder.profile.published_bos_after
        # VITRON's code splits a prompt at its regions first, and drops BOS after the images of the first part alone.
        is_late = kind == "image" and any(isinstance(segment, RegionSegment) for segment in self._segments)
        self._bos = self.builder.is_published and (kind in where or (is_late and "region" in where))

    def prompt(self) -> Prompt:
        self.end_text()
        self._end_tokens()
        return Prompt(tuple(self._segments))

    def _end_tokens(self) -> None:
        if self.tokens:
            self._segments.append(TextSegment(tuple(self.tokens)))
        self.tokens = []
