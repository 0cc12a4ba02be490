"""What is said for what, and what is answered. {the}: a phrase with its article, or "this"; {name}: without it."""

from training.worlds.invocations import (
    ACTIONS,
    ANIMATE,
    CUT_OUT,
    CUT_OUT_VIDEO,
    PLACES,
    RECOLOUR,
    RECOLOUR_VIDEO,
    REMOVE,
    REMOVE_VIDEO,
    REPLACE,
)

__all__ = [
    "ACTIONS", "ANIMATE", "CUT_OUT", "CUT_OUT_VIDEO", "PLACES", "RECOLOUR", "RECOLOUR_VIDEO", "REMOVE", "REMOVE_VIDEO",
    "REPLACE",
]  # fmt: skip

DRAW = (
    "Generate an image of this: {scene}.", "Draw a picture of this: {scene}.", "Create an image: {scene}.",
    "Paint a picture: {scene}.", "I want a new picture of this: {scene}.", "Make a photo of this: {scene}.",
    "Show me a picture of this: {scene}.",
)  # fmt: skip
FILM = (
    "Generate a video of this: {scene}.", "Make a clip of this: {scene}.", "Create a short video: {scene}.",
    "I want a new video of this: {scene}.", "Make a movie of this: {scene}.", "Show me a clip of this: {scene}.",
)  # fmt: skip
REPLACE_VIDEO = (
    "Replace {the} with {new} in the video.", "Swap {the} for {new} in every frame.",
    "Put {new} in place of {the} through the whole clip.", "In the video, replace {the} with {new}.",
    "Turn {the} into {new} in the whole video.",
)  # fmt: skip
BACKGROUND = (
    "Change the background to {place}.", "Replace the background with {place}.", "Set the background to {place}.",
    "Swap the background for {place}.",
)  # fmt: skip
STYLE = (
    "Make this {medium} look like a {style}.", "Turn this {medium} into a {style}.", "Show the {medium} as a {style}.",
)  # fmt: skip
STYLES = ("sketch", "cartoon", "painting", "pencil drawing", "comic", "watercolour")
MARKED = ("this", "this object", "that", "the marked object", "the object that I marked")
NEW = (
    "a potted plant", "a wooden chair", "a red balloon", "a stack of books", "a snowman", "a bicycle",
    "a cardboard box",
    "a golden statue", "a vase of flowers", "a traffic cone", "a teddy bear", "a stone fountain", "a lantern",
    "a large pumpkin", "a fire hydrant", "an umbrella", "an old suitcase", "a garden gnome",
)  # fmt: skip
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")

POLITE = ("Please {}", "Could you {}?", "Can you {}?", "Would you please {}?", "I want you to {}", "Now {}")
"""Around a template that begins with its verb, in lower case and without its period."""

REPLIES = {
    "segment": (
        "Sure, I will cut out {the}.",
        "I will segment {the}.",
        "Here is the mask of {the}.",
        "{the}, cut out.",
    ),
    "remove": ("I will remove {the}.", "Sure, {the} will be gone.", "I will take {the} out."),
    "recolour": ("I will make {the} {colour}.", "Sure, {the} will be {colour}."),
    "replace": ("I will replace {the} with {new}.", "Sure: {new} in place of {the}."),
    "background": ("I will change the background to {place}.", "Sure, with {place} behind."),
    "style": ("I will make it look like a {style}.", "A {style} it will be."),
    "generate": ("I will create it.", "Sure, here it comes.", "I will make what you describe."),
    "animate": ("I will bring it to life.", "I will animate the picture."),
}
ABSENT = (
    "There is no {name} in the {medium}.", "I do not see any {name} here.", "I cannot find {the} in this {medium}.",
    "No {name} is visible, so I leave the {medium} as it is.",
)  # fmt: skip
NOT_TO_DO = ("Do not {}", "Please do not {}", "Never {}", "You must not {}")
LEFT_ALONE = ("All right, I leave {the} as it is.", "I will not touch {the}.", "As you wish, nothing is done.")
