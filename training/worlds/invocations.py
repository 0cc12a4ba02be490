"""Requests that call an expert module, with module, instructions and the object of the region.

An instruction is "verb: object". The verbs: segmentation (B, E); remove, replace, recolour (C, F); foreground and
background (F, both at once, which the editing node refuses: a goal does one thing); generate (A, D); animate (G).
"""

from dataclasses import dataclass

import numpy as np

from training.worlds.expressions import FIND
from training.worlds.facts import NO, YES, SceneView, image_view, video_view
from training.worlds.queries import is_absent
from training.worlds.query_sampling import describe_kind, sample_kind
from training.worlds.sample import DialogueTurn, Sample
from training.worlds.scene_sampling import sample_pair
from training.worlds.splits import is_held_out_pair
from training.worlds.templates import article, kind_name, pick_template, plural, verbalize_kind
from vitron_ros.worlds.clip import Clip
from vitron_ros.worlds.vocabulary import COLOURS, Split

CUT_OUT = (
    "Cut out {the}.", "Segment {the}.", "Give me a mask of {the}.", "Outline {the} exactly.",
    "Which pixels belong to {the}?", "Separate {the} from the background.", "I need the exact shape of {the}.",
)  # fmt: skip
CUT_OUT_VIDEO = (
    "Cut out {the} in every frame.", "Segment {the} through the video.", "Follow {the} with a mask.",
    "Give me masks of {the} for the whole clip.", "Mask {the} in the video.", "Keep {the} outlined while it moves.",
)  # fmt: skip
REMOVE = (
    "Remove {the}.", "Erase {the} from the picture.", "Make {the} disappear.", "Take {the} away from the image.",
    "Delete {the}.", "I do not want to see {the} here.",
)  # fmt: skip
REMOVE_VIDEO = (
    "Remove {the} from the video.", "Erase {the} in every frame.", "Make {the} disappear from the clip.",
    "Take {the} out of the video.", "Delete {the} from the whole clip.",
)  # fmt: skip
RECOLOUR = (
    "Make {the} {colour}.", "Paint {the} {colour}.", "Change the colour of {the} to {colour}.",
    "Turn {the} {colour}.", "Give {the} a {colour} colour.",
)  # fmt: skip
RECOLOUR_VIDEO = (
    "Make {the} {colour} in the video.", "Paint {the} {colour} in every frame.",
    "Change the colour of {the} to {colour} through the clip.", "Turn {the} {colour} for the whole video.",
)  # fmt: skip
REPLACE = (
    "Replace {the} with {new}.", "Put {new} in place of {the}.", "Swap {the} for {new}.", "Change {the} into {new}.",
    "I want {new} instead of {the}.",
)  # fmt: skip
RESTYLE_VIDEO = (
    "In the video, replace {the} with {new} and the background with {place}.",
    "Turn {the} into {new} and set the clip in {place}.",
    "Make the video show {new} instead of {the}, in {place}.",
    "Change {the} to {new} and the scene to {place} in the whole video.",
)
DRAW = (
    "Draw {scene}.", "Generate an image of {scene}.", "Paint {scene}.", "Create a picture of {scene}.",
    "I want a picture of {scene}.", "Show me what {scene} looks like.", "Make a photo of {scene}.",
)  # fmt: skip
FILM = (
    "Generate a video of {scene}.", "Make a clip of {scene}.", "Film {scene}.", "Create a short video of {scene}.",
    "I want a video of {scene}.", "Show me a movie of {scene}.",
)  # fmt: skip
ANIMATE = (
    "Animate this picture: {action}.", "Bring this image to life so that {action}.",
    "Turn this image into a video where {action}.", "Make a video from this picture in which {action}.",
    "Let this picture move: {action}.",
)  # fmt: skip
PLACES = (
    "a snowy field", "a sandy beach", "a green meadow", "a dark forest", "a busy street", "a quiet kitchen",
    "a wooden table", "the night sky", "a mountain lake", "an empty room", "a garden", "the desert",
)  # fmt: skip
PLACED = "{thing} in {place}"
BETWEEN = "{thing} next to {other}"
ACTIONS = ("moves left", "moves right", "turns slowly", "jumps up", "falls down", "grows", "shrinks", "rolls away")

REPLIES = {
    "B": "I will cut it out.", "E": "I will cut it out in every frame.", "C": "I will edit the image.",
    "F": "I will edit the video.", "A": "I will draw it.", "D": "I will make the video.", "G": "I will animate it.",
}  # fmt: skip
ABSENT_SHARE = 0.1
MODULES = {
    "A": "image generation",
    "B": "image segmentation",
    "C": "image editing",
    "D": "video generation",
    "E": "video segmentation",
    "F": "video editing",
    "G": "image to video",
}
"""Letters of the expert modules, as in VITRON's invocation text."""
MODULES_OF_IMAGES = ("A", "B", "C", "G", "B", "C")
MODULES_OF_VIDEOS = ("D", "E", "F", "E", "F")


@dataclass(frozen=True, slots=True)
class Referent:
    """How a request refers to an object, and the name that the instruction uses for it."""

    index: int
    text: str
    name: str
    region: int | None = None
    history: tuple[DialogueTurn, ...] = ()


def _one_of(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]


def _refer(view: SceneView, split: Split, rng: np.random.Generator) -> Referent | None:
    """By a name, by "it" after an earlier turn, or by a mark; None where no object has a unique name."""
    there = np.flatnonzero(np.minimum(view.present, view.placed) == YES)
    if not len(there):
        return None
    index = int(there[int(rng.integers(len(there)))])
    choice = rng.random()
    if choice < 0.2:
        spec = view.objects[index]
        name = f"{spec.colour} {spec.shape}"
        return Referent(index, _one_of(("this object", "this", "the marked object"), rng), name, region=index)
    kind = describe_kind(view, index, rng)
    if kind is None:
        return None
    expression = verbalize_kind(kind, rng)
    if choice < 0.3:
        opening = pick_template(FIND, split, rng).template.format(kind=expression)
        return Referent(index, "it", kind_name(kind), history=(DialogueTurn(opening, "", index),))
    return Referent(index, f"the {expression}", kind_name(kind))


def _thing(split: Split, rng: np.random.Generator) -> str:
    colour, shape = sample_pair(split, 0.3, rng)
    return f"{colour} {shape}"


def _scene(split: Split, rng: np.random.Generator) -> str:
    number = int(rng.integers(1, 5))
    colour, shape = sample_pair(split, 0.3, rng)
    thing = (
        article(f"{colour} {shape}")
        if number == 1
        else f"{('two', 'three', 'four')[number - 2]} {colour} {plural(shape)}"
    )
    if rng.random() < 0.5:
        return PLACED.format(thing=thing, place=_one_of(PLACES, rng))
    return BETWEEN.format(thing=thing, other=article(_thing(split, rng)))


def _colour_for(shape: str, current: str, split: Split, rng: np.random.Generator) -> str:
    """Another colour that a text of this split may name with the shape."""
    while True:
        colour = _one_of(COLOURS, rng)
        if colour != current and not (split == "train" and is_held_out_pair(colour, shape)):
            return colour


def invocation_sample(clip: Clip, frame: int | None, rng: np.random.Generator) -> Sample | None:
    """A request about a frame, or (None) about the whole clip; None where every case was ambiguous."""
    view = video_view(clip) if frame is None else image_view(clip, frame)
    frames = tuple(range(len(clip.frames))) if frame is None else (frame,)
    module = _one_of(MODULES_OF_VIDEOS if frame is None else MODULES_OF_IMAGES, rng)
    if module in "BCEF" and rng.random() < ABSENT_SHARE:
        return _absent(view, frames, module, clip.split, rng)
    referent = _refer(view, clip.split, rng) if module in "BCEF" else None
    if referent is None and module in "BCEF":
        return None
    family, instructions, values = _request(module, referent, view, clip.split, rng)
    phrase = pick_template(family, clip.split, rng)
    return Sample(
        task="invocation",
        kind=module,
        frames=frames,
        question=phrase.template.format(**values),
        answer=REPLIES[module],
        target=referent.index if referent else None,
        region=referent.region if referent else None,
        history=referent.history if referent else (),
        module=module,
        instructions=instructions,
        template=phrase.template,
        held_out_template=phrase.is_held_out,
    )


def _request(
    module: str, referent: Referent | None, view: SceneView, split: Split, rng: np.random.Generator
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, str]]:
    """Templates, instructions and what fills the templates."""
    if referent is None:
        if module == "G":
            action = f"the {_thing(split, rng)} {_one_of(ACTIONS, rng)}"
            return ANIMATE, (f"animate: {action}",), {"action": action}
        scene = _scene(split, rng)
        return (DRAW if module == "A" else FILM), (f"generate: {scene}",), {"scene": scene}
    if module in "BE":
        return (
            (CUT_OUT if module == "B" else CUT_OUT_VIDEO),
            (f"segmentation: {referent.name}",),
            {"the": referent.text},
        )
    choice, spec = rng.random(), view.objects[referent.index]
    if choice < 0.4:
        return (REMOVE if module == "C" else REMOVE_VIDEO), (f"remove: {referent.name}",), {"the": referent.text}
    if choice < 0.7:
        colour = _colour_for(spec.shape, spec.colour, split, rng)
        family = RECOLOUR if module == "C" else RECOLOUR_VIDEO
        return family, (f"recolour: {referent.name} to {colour}",), {"the": referent.text, "colour": colour}
    new = article(_thing(split, rng))
    if module == "C":
        return REPLACE, (f"replace: {referent.name} with {new}",), {"the": referent.text, "new": new}
    place = _one_of(PLACES, rng)
    values = {"the": referent.text, "new": new, "place": place}
    return RESTYLE_VIDEO, (f"foreground: {referent.name} to {new}", f"background: {place}"), values


def _absent(
    view: SceneView, frames: tuple[int, ...], module: str, split: Split, rng: np.random.Generator
) -> Sample | None:
    """A request about an object that is not there: the answer says so and calls nothing."""
    kind = sample_kind(view, split, rng, change=True)
    if not is_absent(kind.truth(view)) or (view.present != NO).sum() == 0:
        return None
    family = {"B": CUT_OUT, "C": REMOVE, "E": CUT_OUT_VIDEO, "F": REMOVE_VIDEO}[module]
    phrase = pick_template(family, split, rng)
    return Sample(
        task="invocation",
        kind="absent",
        frames=frames,
        question=phrase.template.format(the=f"the {verbalize_kind(kind, rng)}"),
        answer=f"There is no {kind_name(kind)}.",
        absent=True,
        template=phrase.template,
        held_out_template=phrase.is_held_out,
    )
