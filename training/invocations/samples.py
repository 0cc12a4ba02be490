"""One request with its reply: of a kind, about a scene or a thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from training.invocations import templates
from training.invocations.subjects import Media, Scene, Thing, the
from vitron_ros.model.answers import Box, Invocation
from vitron_ros.module_registry import Module

T = TypeVar("T")
Rng = np.random.Generator
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request, and what is meant by it.

    Attributes:
        words: of the thing, that another wording of the request has to have, too.
        mark: what the request marks; None: nothing.
        reply: in words.
        invocation: None: no module is called.
        is_forbidden: the request says what is not to be done.
    """

    kind: str
    media: Media
    request: str
    words: tuple[str, ...]
    reply: str
    invocation: Invocation | None
    mark: Box | None = None
    is_forbidden: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """A function and the kind of input that it is asked with: a row of VITRON's table 3.

    Attributes:
        name: as the file and the report have it.
        module: that is called.
        of_scene: it is about a caption; else about a thing.
        of_clip: of a video; else of an image.
        is_marked: the thing is marked with a region, and the text says "this".
    """

    name: str
    module: Module
    of_scene: bool = False
    of_clip: bool = False
    is_marked: bool = False


KINDS = (
    Kind("image generation", Module.IMAGE_GENERATION, of_scene=True),
    Kind("image segmentation", Module.IMAGE_SEGMENTATION),
    Kind("image segmentation, marked", Module.IMAGE_SEGMENTATION, is_marked=True),
    Kind("image editing", Module.IMAGE_EDITING),
    Kind("image editing, marked", Module.IMAGE_EDITING, is_marked=True),
    Kind("video generation", Module.VIDEO_GENERATION, of_scene=True),
    Kind("image to video", Module.IMAGE_TO_VIDEO),
    Kind("video segmentation", Module.VIDEO_SEGMENTATION, of_clip=True),
    Kind("video segmentation, marked", Module.VIDEO_SEGMENTATION, of_clip=True, is_marked=True),
    Kind("video editing", Module.VIDEO_EDITING, of_clip=True),
    Kind("video editing, marked", Module.VIDEO_EDITING, of_clip=True, is_marked=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    """What is asked for: templates of requests and replies, instructions, and whether it is done to a thing."""

    requests: tuple[str, ...]
    replies: str
    instructions: tuple[str, ...]
    needs_thing: bool = True


def scene_sample(kind: Kind, scene: Scene, media: Media, rng: Rng) -> Sample:
    """A request to generate what a caption says, while the camera shows something else."""
    requests = templates.DRAW if kind.module is Module.IMAGE_GENERATION else templates.FILM
    act = _Act(requests=requests, replies="generate", instructions=("generate: {scene}",), needs_thing=False)
    values = {"scene": scene.text}
    return Sample(
        kind=kind.name,
        media=media,
        request=_asked(act.requests, values, rng),
        words=(scene.text,),
        reply=_one(templates.REPLIES[act.replies], rng),
        invocation=_invocation(kind, act, values, None),
    )


def thing_sample(kind: Kind, thing: Thing, rng: Rng) -> Sample:
    """A request about a thing that is there."""
    act = _act(kind, rng)
    values = _values(kind, thing.name, rng)
    said = {**values, "the": _one(templates.MARKED, rng)} if kind.is_marked else values
    has_region = act.needs_thing and kind.module is not Module.IMAGE_TO_VIDEO
    return Sample(
        kind=kind.name,
        media=thing.media,
        request=_asked(act.requests, said, rng),
        words=(thing.name,) if act.needs_thing and not kind.is_marked else (),
        reply=_capital(_one(templates.REPLIES[act.replies], rng).format(**values)),
        invocation=_invocation(kind, act, values, thing.box if has_region else None),
        mark=thing.box if kind.is_marked else None,
    )


def absent_sample(kind: Kind, media: Media, name: str, rng: Rng) -> Sample:
    """A request about a thing that is not there: the reply says so, and calls nothing."""
    act = _act(kind, rng, only_thing=True)
    values = _values(kind, name, rng)
    return Sample(
        kind=kind.name,
        media=media,
        request=_asked(act.requests, values, rng),
        words=(name,),
        reply=_one(templates.ABSENT, rng).format(**values),
        invocation=None,
    )


def forbidden_sample(kind: Kind, thing: Thing, rng: Rng) -> Sample:
    """A request not to do something: the reply calls nothing."""
    act = _act(kind, rng, only_thing=True)
    values = _values(kind, thing.name, rng)
    request = _clause(_one(_imperative(act.requests), rng).format(**values))
    return Sample(
        kind=kind.name,
        media=thing.media,
        request=f"{_one(templates.NOT_TO_DO, rng).format(request)}.",
        words=(thing.name,),
        reply=_one(templates.LEFT_ALONE, rng).format(**values),
        invocation=None,
        is_forbidden=True,
    )


def _invocation(kind: Kind, act: _Act, values: Values, region: Box | None) -> Invocation:
    return Invocation(kind.module, tuple(text.format(**values) for text in act.instructions), region)


def _act(kind: Kind, rng: Rng, *, only_thing: bool = False) -> _Act:
    """What is asked of a kind's module.

    Args:
        only_thing: it is done to the thing, not to the whole picture.
    """
    acts = _ACTS[kind.module]
    return _one([act for act in acts if act.needs_thing] if only_thing or kind.is_marked else acts, rng)


def _segmentation(requests: tuple[str, ...]) -> tuple[_Act, ...]:
    return (_Act(requests=requests, replies="segment", instructions=("segmentation: {name}",)),)


def _editing(remove: tuple[str, ...], recolour: tuple[str, ...], replacement: tuple[str, ...]) -> tuple[_Act, ...]:
    return (
        _Act(requests=remove, replies="remove", instructions=("remove: {name}",)),
        _Act(requests=recolour, replies="recolour", instructions=("recolour: {name} to {colour}",)),
        _Act(requests=replacement, replies="replace", instructions=("replace: {name} with {new}",)),
        _Act(
            requests=templates.BACKGROUND,
            replies="background",
            instructions=("background: {place}",),
            needs_thing=False,
        ),
        _Act(requests=templates.STYLE, replies="style", instructions=("style: {style}",), needs_thing=False),
    )


_ACTS: dict[Module, tuple[_Act, ...]] = {
    Module.IMAGE_SEGMENTATION: _segmentation(templates.CUT_OUT),
    Module.VIDEO_SEGMENTATION: _segmentation(templates.CUT_OUT_VIDEO),
    Module.IMAGE_EDITING: _editing(templates.REMOVE, templates.RECOLOUR, templates.REPLACE),
    Module.VIDEO_EDITING: _editing(templates.REMOVE_VIDEO, templates.RECOLOUR_VIDEO, templates.REPLACE_VIDEO),
    Module.IMAGE_TO_VIDEO: (_Act(requests=templates.ANIMATE, replies="animate", instructions=("animate: {action}",)),),
}


def _values(kind: Kind, name: str, rng: Rng) -> dict[str, str]:
    """What templates may name."""
    return {
        "name": name,
        "the": the(name),
        "action": f"{the(name)} {_one(templates.ACTIONS, rng)}",
        "colour": _one(templates.COLOURS, rng),
        "new": _one(templates.NEW, rng),
        "place": _one(templates.PLACES, rng),
        "style": _one(templates.STYLES, rng),
        "medium": "video" if kind.of_clip else "image",
    }


def _asked(family: tuple[str, ...], values: Values, rng: Rng) -> str:
    """A template, as it stands or politely."""
    template = _one(family, rng)
    text = template.format(**values)
    if template not in _imperative(family) or rng.random() < 0.5:
        return text
    polite = _one(templates.POLITE, rng).format(_clause(text))
    return polite if polite.endswith("?") else f"{polite}."


def _imperative(family: tuple[str, ...]) -> tuple[str, ...]:
    """Templates of one sentence that begin with a verb."""
    return tuple(
        template
        for template in family
        if template.split()[0] not in ("I", "Which", "In", "Show") and template.endswith(".") and ". " not in template
    )


def _clause(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:].removesuffix(".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one(values: Sequence[T], rng: Rng) -> T:
    return values[int(rng.integers(len(values)))]
