"""English words that commands and phrases are made of, as data. Their grammar is in `intent` and `phrase`.

Templates: `X` is the object, `...` any words, `C` a colour, `(a|b)` either; the rest are words as they are said.
"""

from typing import Literal

from vitron_ros.module_registry import REGISTRY, Action, Module

RequestedAction = Action | Literal["find", "play"]

MODULE_ACTIONS: dict[Module, frozenset[Action]] = {module: entry.actions for module, entry in REGISTRY.items()}
ACTIONS_WITHOUT_OBJECT: tuple[Action, ...] = ("generate", "animate", "background", "style")
"""These need no object in the image."""
VIDEO_WORDS = frozenset(("video", "videos", "clip", "clips", "film", "movie", "animation"))
SCENE_WORDS = VIDEO_WORDS | {"picture", "image", "photo", "background", "scene"}


COLOURS = frozenset((
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white", "grey", "turquoise",
    "cyan", "magenta", "violet", "beige", "golden", "gold", "silver", "crimson", "scarlet", "teal", "navy", "maroon",
))  # fmt: skip
PATTERNS = frozenset(("plain", "striped", "dotted", "checked"))
SIZES = frozenset(("small", "medium", "large"))
PATTERN_NOUNS = {"stripes": "striped", "dots": "dotted", "checks": "checked"}
ATTRIBUTES = {"colour": COLOURS, "pattern": PATTERNS}
"""Attributes of which an object has one: another of the same kind is a contradiction."""
OPPOSITES = (frozenset(("small", "large")),)

SPELLINGS = {
    "color": "colour", "colors": "colours", "colored": "coloured", "recolor": "recolour", "gray": "grey",
    "centre": "center", "dont": "don't", "wheres": "where is", "where's": "where is", "what's": "what is",
    "whats": "what is", "there's": "there is", "doesn't": "does not", "isn't": "is not", "don't": "do not",
    "can't": "can not", "cannot": "can not", "won't": "will not", "mustn't": "must not", "shouldn't": "should not",
    "wouldn't": "would not", "needn't": "need not", "didn't": "did not", "aren't": "are not", "i'd": "i would",
    "i'm": "i am", "let's": "let us", "pls": "please", "it's": "it is", "that's": "that is", "who's": "who is",
}  # fmt: skip
"""Other spellings and contractions of the same words."""

SYNONYMS = {
    "circle": ("ball", "disc", "disk", "dot"), "mug": ("cup", "beaker", "teacup"), "car": ("auto", "vehicle"),
    "small": ("little", "tiny", "mini", "petite"), "large": ("big", "huge", "great", "giant", "enormous"),
    "red": ("crimson", "scarlet", "ruby"), "purple": ("violet", "lilac", "mauve"), "blue": ("navy", "azure"),
    "green": ("lime", "emerald"), "pink": ("magenta", "rose"), "yellow": ("golden", "gold"), "grey": ("silver",),
    "house": ("building", "home"), "bottle": ("flask",), "ring": ("hoop", "loop"), "object": ("item",),
    "biggest": ("hugest",), "smallest": ("littlest",), "square": ("box", "rectangle"), "cross": ("plus",),
    "striped": ("stripy", "stripey"), "dotted": ("spotted", "dotty"), "checked": ("chequered", "checkered"),
    "follow": ("chase", "shadow"), "remove": ("eliminate", "discard"), "picture": ("pic", "snapshot"),
}  # fmt: skip
"""Words that mean nearly the same: the refusal of an unknown one names the known one."""
SAME_KIND = (frozenset(("circle", "ball")), frozenset(("mug", "cup")))
"""Names of one and the same kind of thing."""

GENERIC_NOUNS = frozenset(("object", "thing", "one", "item", "shape", "target", "figure", "stuff"))
"""Nouns that any object answers to."""
DETERMINERS = frozenset((
    "the", "a", "an", "this", "that", "these", "those", "my", "your", "our", "its", "his", "her", "their", "some",
    "any", "every", "each", "all", "both", "another", "either", "no", "two", "three", "four", "five", "six", "seven",
    "eight", "nine", "ten", "several", "many", "few",
))  # fmt: skip
QUANTIFIERS = {
    "all": "all", "both": "both", "every": "all", "each": "all", "these": "several", "those": "several",
    "two": "two", "three": "three", "four": "four", "five": "five", "six": "six", "seven": "seven", "eight": "eight",
    "nine": "nine", "ten": "ten", "several": "several", "many": "several",
}  # fmt: skip
"""Words before a noun that ask for more than one."""
NUMBERS = {
    "both": 2, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
}  # fmt: skip
"""Quantifiers that say how many."""
PRONOUNS = frozenset((
    "it", "they", "them", "he", "she", "him", "i", "me", "you", "we", "us", "this", "that", "these", "those", "there",
    "here", "something", "anything", "everything", "nothing", "none", "someone", "anyone", "everyone", "itself",
    "one",
    "ones", "other", "others", "another", "same", "who", "whom", "what", "which", "whose",
))  # fmt: skip
AUXILIARIES = frozenset((
    "is", "are", "was", "were", "am", "be", "been", "being", "do", "does", "did", "has", "have", "had", "can",
    "could",
    "will", "would", "shall", "should", "may", "might", "must",
))  # fmt: skip
QUESTION_WORDS = frozenset(("what", "which", "who", "whose", "whom", "where", "when", "why", "how"))
FUNCTION_WORDS = (
    DETERMINERS
    | PRONOUNS
    | AUXILIARIES
    | QUESTION_WORDS
    | frozenset((
        "and", "or", "but", "not", "nor", "so", "then", "than", "as", "if", "of", "in", "on", "at", "to", "from",
        "by",
        "with", "without", "for", "into", "onto", "off", "out", "up", "down", "over", "under", "about", "please",
        "kindly", "now", "just", "also", "again", "still", "hey", "hi", "hello", "ok", "okay", "robot", "thanks",
        "thank", "really", "very", "try", "let", "s", "t", "yes", "well", "oh", "um", "uh", "hm", "except",
    ))
)  # fmt: skip
"""Words that name nothing. A text of these alone says nothing that can be looked for."""

GREETINGS = frozenset((
    "hello", "hi", "hey", "hiya", "howdy", "greetings", "good", "morning", "evening", "afternoon", "day", "night",
    "bye", "goodbye", "cheers", "thanks", "thank", "you", "very", "much", "so", "a", "lot", "robot", "there",
    "welcome",
    "nice", "to", "meet", "see", "well", "done", "great", "ok", "okay", "yes", "sure", "fine", "cool", "sorry",
    "please", "dear", "again", "everyone", "all", "job", "perfect", "wow", "super", "excellent", "lovely",
))  # fmt: skip
"""A text of these alone is a greeting."""
CONTROL_WORDS = {
    **dict.fromkeys(("stop", "halt", "cancel", "abort", "quit", "enough", "pause", "end", "finish", "exit"), "stop"),
    **dict.fromkeys(("undo", "revert"), "undo"),
    "help": "help",
}
CONTROL_FILLERS = frozenset((
    "please", "now", "it", "that", "this", "everything", "all", "robot", "me", "the", "last", "command", "question",
    "questions", "action", "change", "what", "you", "are", "doing", "right", "away", "immediately", "at", "once",
    "ok",
    "okay", "hey", "can", "could", "just", "tracking", "watching", "following", "asking", "i", "need", "a", "some",
))  # fmt: skip
"""Words that may stand beside a control word."""

ANSWER_VERBS = frozenset((
    "describe", "explain", "tell", "list", "count", "name", "say", "answer", "caption", "summarize", "summarise",
    "identify", "read", "translate", "compare", "give", "guess", "estimate", "analyse", "analyze", "classify",
    "recognise", "recognize", "transcribe", "rate", "write", "report", "check", "look", "judge", "repeat", "spell",
    "inspect", "examine", "ignore", "think", "decide", "choose", "pick", "sort", "measure", "calculate", "show",
))  # fmt: skip
"""Imperatives that want words."""
REPORTING_WORDS = frozenset((
    "said", "says", "told", "tells", "asked", "asks", "wrote", "writes", "reads", "means", "mean", "called", "word",
    "words", "phrase", "quote", "sentence", "command", "commands", "instruction",
))  # fmt: skip
"""What follows these in a sentence is somebody else's."""

PICTURE = "(picture|image|photo|photograph|video|clip|film|movie|scene|frame|view|footage|background)"
WORK = "(picture|image|photo|drawing|painting|video|clip|movie|film)"
STYLE = "(sketch|cartoon|drawing|painting|pencil drawing|comic|watercolou?r)"
NEW = "(a|an|two|three|four|five|some|several|another|new)"

TEMPLATES: tuple[tuple[RequestedAction, tuple[str, ...]], ...] = (
    ("remove", ("i do not want to see X", "i do not want X")),
    ("play", (
        "play X back", "play back X", "(play|replay) (it|that|this|them|the (clip|film|video|movie|result|recording))",
        "show (me )?(the result|it again)",
    )),
    ("animate", (
        "animate X", "bring X to life ...", "bring X to life", "let X move ...", "let X move", "make X move ...",
        "make X move",
        f"(turn|make|convert|change) (this|the) {PICTURE} into (a|an) (video|clip|film|movie|animation) ...",
        f"(turn|make|convert|change) (this|the) {PICTURE} into (a|an) (video|clip|film|movie|animation)",
        f"make (a|an) (video|clip|film|movie|animation) (from|of|out of) (this|the) {PICTURE} ...",
        f"make (a|an) (video|clip|film|movie|animation) (from|of|out of) (this|the) {PICTURE}",
    )),
    ("background", (
        "(change|replace|set|swap|blur) the background ...", "blur the background",
        "put ... (behind X|in the background)",
    )),
    ("style", (
        f"(make|turn|paint|draw|show) (this|the) {PICTURE} (look like|into|in to|as) (a|an) {STYLE}",
        f"(make|turn|paint|draw|show) (this|the) {PICTURE} (in to |into |in )?(black and white|sepia|grey|grayscale)",
    )),
    ("move", (
        "(move|shift|slide|push) X (to|towards|by|into|onto|left|right|up|down|further|away|a bit|a little) ...",
        "(move|shift|slide|push) X (left|right|up|down|away)", "put X (to|on) the (left|right|top|bottom) ...",
    )),
    ("segment", (
        "cut out X", "cut X out of ...", "cut X out", "cut X from ...", "segment X", "segment out X", "mask out X",
        "mask X",
        "outline X", "isolate X", "extract X", "separate X from ...", "separate X", "crop out X", "crop X",
        "carve out X", "trim X",
        "trace X", "follow X with (a mask|masks)", "keep X outlined ...", "keep X outlined",
        "... (masks?|outlines?|silhouette|cutout|cut-out|segmentation|contour|exact shape|pixels) (of|for) X",
        "which pixels (belong to|are|make up|show) X",
    )),
    ("replace", (
        "replace X (with|by) ...", "swap X (for|with|and) ...", "exchange X (for|with) ...", "substitute ... for X",
        "(put|place|insert|show|paint|draw) ... (in place of|instead of) X",
        f"(make|let) the {PICTURE} show ... instead of X",
        "(change|turn|transform|convert|make) X (in to|into|to) (a|an|another|some) ...",
        "i (want|need|would like) ... instead of X", "(change|replace|set) the (scene|foreground) ...",
        f"in the {PICTURE} replace X (with|by) ...",
    )),
    ("recolour", (
        "(change|alter|set) the colou?r of X to ...", "(recolou?r|repaint|dye|tint) X (in|to|with|into) ...",
        "(recolou?r|repaint|dye|tint) X C", "(recolou?r|repaint|dye|tint) X", "(paint|colou?r) X C",
        "(make|turn|change|paint|set|colou?r) X (in to |into |to |in )?(light |dark |bright )?C",
        "give X (a|an) (light |dark |bright )?C (colou?r|paint|coat|tint|look)",
    )),
    ("find", ("(draw|put) (a|the) (bounding )?(box|rectangle|circle) (around|round|over|on) X",)),
    ("generate", (
        f"create {NEW} ...", f"(paint|draw) (me )?{NEW} ...", f"make (me )?{NEW} (\\w+ )*{PICTURE} ...",
        f"(i (want|need|would like)|give me|get me|show me) {NEW} (\\w+ )*{WORK} ...",
        "show me what ... (look|looks) like",
    )),
    ("find", (
        "(track|follow|find|locate|watch|spot) X",
        "(search|look|watch out) for X", "(point|look) (at|to) X", "point out X", "keep (an|your) eye on X",
        "keep (track of|watching|following|tracking|an eye on|your eyes on) X", "(detect|highlight|mark|box) X",
        "where (is|are) X", "where (do|can) you see X", "where (can|do) i find X", "(show|tell) me where X (is|are)",
        "tell me where (is|are) X", "show me X",
    )),
    ("generate", (
        "(draw|generate|sketch|render|imagine|illustrate|synthesi[sz]e|film|create|paint) X",
    )),
    ("remove", (
        "(remove|delete|erase|eliminate|hide|inpaint|vanish|discard) X", "wipe (out|away|off) X",
        "wipe X (out|away|off)", "wipe X",
        "get rid of X", "take (away|out|off) X", "take X (away|out|off) ...", "take X (away|out|off)",
        "clear (away )?X",
        "(make|let) X (disappear|vanish|go away|invisible|go) ...",
        "(make|let) X (disappear|vanish|go away|invisible|go)",
        "(paint|edit|photoshop) (over|out) X", "(edit|photoshop) X out",
    )),
)  # fmt: skip
"""What is said for what. The first template that a clause fits counts, in this order."""

REQUEST_OPENINGS = (
    "please", "kindly", "now", "then", "just", "also", "next", "first", "finally", "quickly", "robot", "hey", "hi",
    "hello", "ok", "okay", "so", "well", "and", "but", "or", "again", "simply", "immediately", "go ahead and", "yes",
    "be so kind and", "try to", "help me to", "help me", "let us", "quick", "thanks", "no",
    "(could|can|would|will) you( mind)?( please| kindly| just)?", "be so kind as to",
    "(i|we) (want|need|ask|would like) you to",
    "(i|we) (want|need|would like) to", "i (would )?like you to", "you (should|must|can|may|have to|need to)",
    "your task is to", "(it is )?time to", "feel free to", "make sure to", "do you mind",
    "may i ask you to", "if (you can|possible|you please|you like|you will)", "i wish you would", "instead",
    "dear robot",
    "good (morning|evening|afternoon|day)", "for me", "at once", "right now", "in the (picture|image|video|clip)",
)  # fmt: skip
"""What may stand before the verb of a request."""
NEGATED_OPENINGS = (
    "do not", "do not (you )?(dare|ever)", "never", "never ever",
    "(you )?(must|should|may|can|need|will|shall|would) not", "(there is )?no need to",
    "(i|we) do not (want|need|wish|like|ask) (you )?to", "i would rather (you )?(not|did not)", "stop", "avoid",
    "cease",
    "refrain from", "not", "without", "instead of", "rather than", "rather not", "under no circumstances",
    "by no means", "nobody should",
    "not to", "i forbid you to", "you are not (allowed )?to", "(it is )?forbidden to", "prevent",
    "(do|did|does) not (you )?",
    "neither", "nor", "anything but", "on no account",
)  # fmt: skip
"""What may stand before a verb that is not to be done."""
CONDITIONS = ("if", "unless", "whenever", "as soon as", "in case", "provided that", "when", "once")
TRAILING_ADVERBIALS = (
    "please", "now", "thanks", "thank you", "for me", "completely", "entirely", "exactly", "carefully", "again",
    "here",
    "at once", "right (now|away)", "immediately", "as well", "too", "there", "while it moves", "today", "instead",
    f"(from|in|out of|through|throughout|during|over|across|within|for|on) (the|this|that|my|every|each|all)"
    f"( whole| entire| of the)? {PICTURE}s?",
)  # fmt: skip
"""What may stand behind an object and is no part of its description."""
EXCLUSIONS = ("without", "instead of", "rather than", "but not", "and not", "not the", "not a", "except")
"""Where the description of an object ends, and that of what is not meant begins."""
NON_VISUAL = frozenset((
    "closest", "nearest", "farthest", "furthest", "moving", "motionless", "still", "visible", "marked", "certain",
    "specific", "whole", "entire", "same", "only", "single", "main", "new", "old", "first", "second", "third", "fourth",
    "last", "next", "nice",
))  # fmt: skip
"""What a thing may be called without being described by it."""
NEGATIVE_DETERMINERS = ("no", "nothing", "none", "neither", "nobody")
"""An object that begins so is none."""
SINGULARS = frozenset(("glasses", "scissors", "trousers", "bus", "gas", "lens", "plus", "this", "tennis", "canvas"))
"""Nouns in -s of which there is one."""
IRREGULAR_PLURALS = {
    "people": "person", "men": "man", "women": "woman", "children": "child", "policemen": "policeman", "feet": "foot",
    "mice": "mouse", "geese": "goose", "teeth": "tooth", "knives": "knife", "shelves": "shelf", "leaves": "leaf",
    "loaves": "loaf", "wolves": "wolf", "scarves": "scarf",
}  # fmt: skip
MODIFYING_VERBS = (
    "wearing", "carrying", "holding", "riding", "pushing", "pulling", "eating", "drinking", "driving", "using",
    "crossing", "walking", "running", "sitting", "playing", "facing", "covering", "covered", "chasing", "selling",
    "reading", "watching", "throwing", "catching", "kicking", "parked", "filled", "surrounded", "dressed",
)  # fmt: skip
"""Participles behind a noun: what follows one of them is another thing's."""
