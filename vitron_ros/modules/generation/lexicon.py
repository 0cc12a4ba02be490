"""The words that embedded generation understands."""

from vitron_ros.modules.generation.scene_plan import Motion, Side
from vitron_ros.modules.words import DIRECTIONS, SIDES
from vitron_ros.worlds.textures import SURFACES
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES, SYNONYMS


def _with_plurals(nouns: dict[str, str]) -> dict[str, tuple[str, bool]]:
    """Noun -> (shape, whether it is a plural)."""
    table = {noun: (shape, False) for noun, shape in nouns.items()}
    for noun, shape in nouns.items():
        table[noun + ("es" if noun.endswith(("s", "sh")) else "s")] = shape, True
    return table


NOUNS = _with_plurals(
    {
        **{shape: shape for shape in SHAPES},
        **{synonym: shape for shape, synonyms in SYNONYMS.items() for synonym in synonyms},
        "disc": "circle",
        "disk": "circle",
    }
)
SAME_IN_PLURAL = frozenset(("fish",))
COLOUR_WORDS = {colour: colour for colour in COLOURS}
SIZE_WORDS = {**{size: size for size in SIZES}, "big": "large", "huge": "large", "little": "small", "tiny": "small"}
PATTERN_WORDS = {
    **{pattern: pattern for pattern in PATTERNS},
    "stripy": "striped",
    "spotted": "dotted",
    "chequered": "checked",
    "checkered": "checked",
}
PATTERN_NOUNS = {"stripes": "striped", "dots": "dotted", "spots": "dotted", "checks": "checked"}
SURFACE_WORDS = {
    **{surface: surface for surface in SURFACES},
    "lawn": "grass",
    "wooden": "wood",
    "brick": "bricks",
    "sky": "clouds",
    "beach": "sand",
    "tiled": "tiles",
    "boards": "planks",
    "street": "asphalt",
    "road": "asphalt",
}
GROUNDS = frozenset(("background", "floor", "ground", "wall", "surface", "table"))

SINGULAR = frozenset(("a", "an", "one", "the", "another"))
COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "both": 2}
COUNTS |= {str(number): number for number in range(1, 9)}

RELATIONS: dict[tuple[str, ...], Side] = {
    ("left", "of"): "left",
    ("right", "of"): "right",
    ("above",): "above",
    ("over",): "above",
    ("top", "of"): "above",
    ("below",): "below",
    ("under",): "below",
    ("beneath",): "below",
    ("underneath",): "below",
    ("beside",): "beside",
    ("next", "to"): "beside",
    ("near",): "beside",
}
_MOVE = "move go slide drive fly roll swim run walk drift float travel"
MOVE_VERBS = frozenset(form for verb in _MOVE.split() for form in (verb, verb + "s", verb + "es", verb + "ing"))
MOVE_VERBS |= {"driving", "sliding", "moving", "swimming", "running"}
_TURN = ("turn", "spin", "rotate")
TURN_VERBS = frozenset(form for verb in _TURN for form in (verb, verb + "s", verb + "ing"))
TURN_VERBS |= {"spinning", "rotating"}
TURNS = {"left": -1, "counterclockwise": -1, "anticlockwise": -1, "right": 1, "clockwise": 1}
WHOLE_MOTIONS = {
    **dict.fromkeys(("falls", "fall", "falling", "sinks", "sinking"), Motion((0, 1))),
    **dict.fromkeys(("rises", "rise", "rising"), Motion((0, -1))),
    **dict.fromkeys(("stays", "staying", "rests", "resting", "still"), Motion()),
}
MOTION_VERBS = MOVE_VERBS | TURN_VERBS | WHOLE_MOTIONS.keys()

LEADS = frozenset((
    "please", "can", "could", "you", "draw", "generate", "make", "create", "show",
    "paint", "render", "produce", "me", "us", "there", "is", "are", "now",
))  # fmt: skip
PICTURES = frozenset((
    "image", "picture", "photo", "drawing", "video", "clip", "film", "movie", "animation",
    "scene",
))  # fmt: skip
VIEWS = PICTURES | {"frame", "view"}
FILLERS = frozenset((
    "is", "are", "that", "which", "who", "while", "standing", "lying", "placed",
    "located", "positioned", "slowly", "quickly", "fast",
))  # fmt: skip
KNOWN_WORDS = (
    NOUNS.keys() | COLOUR_WORDS.keys() | SIZE_WORDS.keys() | PATTERN_WORDS.keys() | PATTERN_NOUNS.keys()
    | SURFACE_WORDS.keys() | GROUNDS | SINGULAR | COUNTS.keys() | MOTION_VERBS | TURNS.keys() | DIRECTIONS.keys()
    | SIDES.keys() | LEADS | VIEWS | FILLERS | {word for words in RELATIONS for word in words}
    | {"and", "with", "on", "at", "in", "to", "from", "it", "they", "them", ",", ".", ";"}
)  # fmt: skip


def what_is_known() -> str:
    """What can be drawn, as a message says it."""
    return (
        f"it draws {', '.join(SHAPES)}; {', '.join(COLOURS)}; {', '.join(SIZES)}; {', '.join(PATTERNS)}; "
        f"at the left, right, top, bottom or middle, left of, right of, above, below or beside another; "
        f"moving {', '.join(word for word in DIRECTIONS if 'ward' not in word)} or turning; "
        f"on {', '.join(SURFACES)} or a background of a colour"
    )
