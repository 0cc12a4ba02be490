"""Training templates with the words that otherwise only held-out templates have.

Templates are held out, words are not: a model that never read "swap" cannot know what it means in any sentence.
"""

SUBSTITUTES: dict[str, tuple[str, ...]] = {
    "the first {kind} from the {edge}": ("the {kind} that comes first from the {edge}",),
    "the {kind} of the greatest size": ("the {kind} whose size is greatest",),
    "the {kind} of the least size": ("the {kind} whose size is least",),
    "the {kind} higher than the {anchor}": ("the {kind} that lies higher up than the {anchor}",),
    "the {kind} under the {anchor}": ("the {kind} that lies under the {anchor}",),
    "the {kind} next to the {anchor}": ("the {kind} that is next to the {anchor}",),
    "the {kind} standing still": ("the {kind} that stands still", "the {kind} that was standing and is still"),
    "the {kind} that goes away": ("the {kind} going away",),
    "the {kind} that turns up later": ("the {kind} that only later turns up",),
    "the {kind} that hides and returns": ("the {kind} that returns after it hides",),
    "Count the {kinds}.": ("How many {kinds} do you count?", "Count all {kinds} that you see."),
    "What is the surface of {the} like?": ("Which surface does {the} have?",),
    "Name the object {side} {the}.": ("Name what is {side} {the}.",),
    "Does {the} hide and return?": ("Does {the} hide before its return?",),
    "Does {the} go away?": ("Will {the} go away?",),
    "Does {the} come into view?": ("Will {the} come into view?",),
    "What turns up later?": ("Which object turns up later?",),
    "What stands still?": ("Which object stands still?",),
    "Separate {the} from the background.": (
        "Separate {the} from all else.",
        "Lift {the} off the background.",
        "I want {the} without the background.",
    ),
    "Mask {the} in the video.": ("Mask {the} from the first to the last frame.", "Give me a video mask of {the}."),
    "Make {the} disappear.": ("Let {the} disappear.", "Make {the} go away.", "I want {the} to disappear."),
    "Make {the} disappear from the clip.": (
        "Let {the} disappear for the whole clip.",
        "Make {the} go away in every frame.",
    ),
    "Paint {the} {colour}.": ("Paint {the} in {colour}.",),
    "Swap {the} for {new}.": ("Swap {the} with {new}.",),
    "Turn {the} into {new} and set the clip in {place}.": ("Set the video in {place} and turn {the} into {new}.",),
    "Generate an image of {scene}.": ("Generate a picture of {scene}.", "Make an image of {scene}."),
    "Create a short video of {scene}.": ("Create a short film of {scene}.",),
    "Let this picture move: {action}.": ("Let this image come alive: {action}.",),
}
