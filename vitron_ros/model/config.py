"""What a model is made of: sizes and choices of every part, checked, as JSON in the checkpoint.

Elysium: Wang et al., arXiv 2403.16558. VITRON: Fei et al., arXiv 2412.19806.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

from vitron_ros.config import Checked, setting
from vitron_ros.errors import ConfigError
from vitron_ros.model.files import quoted, shortened

# Beyond these nobody builds models, and products of sizes no longer fit in 64 bits.
MAX_WIDTH, MAX_LAYERS, MAX_HEADS = 1 << 18, 1 << 10, 1 << 12
MAX_INTEGER = 1 << 53  # as a float
LONGEST_TEXT = 1024  # characters


@dataclass(frozen=True, kw_only=True)
class VisionConfig(Checked):
    """A CLIP vision transformer (Radford et al., arXiv 2103.00020) and the preparation of its images."""

    image_size: int = setting(336, "px, side of the square that an image becomes", low=8, high=4096)
    patch_size: int = setting(14, "px, side of one patch", low=2, high=256)
    stem: str = setting(
        "patch",
        "from pixels to patches: patch (CLIP's one linear map) or convolutions (arXiv 2106.14881)",
        choices=("patch", "convolutions"),
    )
    hidden_size: int = setting(1024, "channels", low=1, high=MAX_WIDTH)
    intermediate_size: int = setting(4096, "channels inside a feed-forward block", low=1, high=MAX_WIDTH)
    num_layers: int = setting(24, "layers of the whole CLIP model", low=1, high=MAX_LAYERS)
    num_heads: int = setting(16, "attention heads", low=1, high=MAX_HEADS)
    layer: int = setting(-2, "hidden state that is used: -1 is the last layer's, -2 the one before", high=-1)
    activation: str = setting("quick_gelu", "of the feed-forward blocks", choices=("quick_gelu", "gelu"))
    norm_eps: float = setting(1e-5, "epsilon of the layer norms", low=0.0, high=0.1)
    fit: str = setting(
        "stretch",
        "how an image becomes square: stretch, pad (whole image) or crop (centre)",
        choices=("stretch", "pad", "crop"),
    )
    resample: str = setting("bilinear", "filter of the resize", choices=("bilinear", "bicubic"))
    antialias: bool = setting(True, "a smaller image averages all pixels; false: those around each new one alone")
    time_frames: int = setting(
        0, "frames of the time attention of a LanguageBind video tower (arXiv 2310.01852); 0: none", low=0, high=1024
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.image_size % self.patch_size:
            raise ConfigError(f"image_size is {self.image_size}; it must be a multiple of patch_size {self.patch_size}")
        if self.hidden_size % self.num_heads:
            raise ConfigError(
                f"vision hidden_size is {self.hidden_size}; it must be a multiple of num_heads {self.num_heads}"
            )
        if self.layer < -self.num_layers:
            raise ConfigError(
                f"layer is {self.layer}; a vision model of {self.num_layers} layers has -{self.num_layers} to -1"
            )

    @property
    def grid(self) -> int:
        """Patches on one side."""
        return self.image_size // self.patch_size

    @property
    def num_patches(self) -> int:
        return self.grid**2

    @property
    def used_layers(self) -> int:
        """Layers that are run; those after the used hidden state are not even built."""
        return self.num_layers + self.layer + 1


@dataclass(frozen=True, kw_only=True)
class SelectorConfig(Checked):
    """Which patches of a frame reach the language model, and how they are chosen."""

    kind: str = setting(
        "gated",
        "published, gated, concat, cross_attention, pool, attention or none; see token_selector.py",
        choices=("published", "gated", "concat", "cross_attention", "pool", "attention", "none"),
    )
    alpha: float = setting(
        0.1875, "share of the patches that is selected, above 0 and up to 1; 1 for kind none", low=0.0, high=1.0
    )
    gumbel_noise: float = setting(
        0.0, "scale of the Gumbel noise on the gate in training; kind gated", low=0.0, high=100.0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha == 0:
            raise ConfigError("alpha is 0; at least one token of a frame is selected, so it must be above 0")
        if self.kind == "none" and self.alpha != 1:
            raise ConfigError(f"alpha is {self.alpha}; selector none selects every token, so it must be 1")

    def num_selected(self, num_patches: int) -> int:
        """Selected tokens of a frame with that many patches, at least one."""
        return max(1, round(self.alpha * num_patches))


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig(Checked):
    """From the vision model's channels to the language model's."""

    kind: str = setting("mlp2x_gelu", "mlp2x_gelu or linear", choices=("mlp2x_gelu", "linear"))


@dataclass(frozen=True, kw_only=True)
class RegionConfig(Checked):
    """How a marked region becomes tokens."""

    kind: str = setting(
        "multi_level",
        "multi_level; published (VITRON's single-level extractor); none: this model takes no regions",
        choices=("multi_level", "published", "none"),
    )
    levels: tuple[int, ...] = setting(
        (), "hidden states of the vision model that are pooled, 1 is the first layer's; empty: four, evenly"
    )
    mask_size: int = setting(
        16, "side of the small mask that tells a region's shape; multi_level only", low=1, high=256
    )
    transposed: bool = setting(
        False, "published only: fill the box with x and y exchanged, as VITRON's released weights expect"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.transposed and self.kind != "published":
            raise ConfigError(f"transposed is True; only region kind published has it, not {self.kind}")
        if self.levels and self.kind != "multi_level":
            raise ConfigError(f"levels is {self.levels}; only region kind multi_level has levels, not {self.kind}")
        if len(set(self.levels)) < len(self.levels):
            raise ConfigError(f"levels is {quoted(self.levels)}; each may be there once")


@dataclass(frozen=True, kw_only=True)
class LanguageConfig(Checked):
    """A LLaMA decoder (Touvron et al., arXiv 2302.13971)."""

    vocab_size: int = setting(32000, "tokens", low=1, high=1 << 24)
    hidden_size: int = setting(4096, "channels", low=1, high=MAX_WIDTH)
    intermediate_size: int = setting(11008, "channels inside a feed-forward block", low=1, high=MAX_WIDTH)
    num_layers: int = setting(32, "layers", low=1, high=MAX_LAYERS)
    num_heads: int = setting(32, "attention heads", low=1, high=MAX_HEADS)
    num_kv_heads: int = setting(32, "heads of keys and values", low=1, high=MAX_HEADS)
    head_dim: int = setting(128, "channels of one head, even", low=2, high=4096)
    rope_theta: float = setting(10000.0, "base of the rotary embedding", low=1.0, high=1e12)
    rms_norm_eps: float = setting(1e-5, "epsilon of the norms", low=0.0, high=0.1)
    max_positions: int = setting(4096, "tokens of the longest context", low=1, high=MAX_INTEGER)
    tie_embeddings: bool = setting(False, "input and output embeddings share their weights")
    bos_token_id: int = setting(1, "token that begins a text", low=0)
    eos_token_id: int = setting(2, "token that ends an answer", low=0)
    pad_token_id: int = setting(0, "token that fills a batch", low=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_heads % self.num_kv_heads:
            raise ConfigError(
                f"num_heads is {self.num_heads}; it must be a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.head_dim % 2:
            raise ConfigError(f"head_dim is {self.head_dim}; the rotary embedding needs an even one")
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            if getattr(self, name) >= self.vocab_size:
                raise ConfigError(f"{name} is {getattr(self, name)}; the vocabulary has {self.vocab_size} tokens")


@dataclass(frozen=True, kw_only=True)
class GenerationConfig(Checked):
    """How answers are decoded, unless a request says otherwise."""

    max_new_tokens: int = setting(256, "tokens of an answer at most", low=1, high=1 << 24)
    temperature: float = setting(0.0, "of sampling; 0: greedy", low=0.0, high=100.0)
    top_p: float = setting(1.0, "tokens beyond this share of the probability are never sampled", low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Checked):
    """One `VitronModel`. Images and video are one path: T frames.

    Attributes:
        video: a vision model of its own for video, as in VITRON's released weights; None: `vision` sees everything.
    """

    name: str = setting("custom", "name of the model, for reports")
    vision: VisionConfig = field(default_factory=VisionConfig)
    video: VisionConfig | None = None
    selector: SelectorConfig = field(default_factory=SelectorConfig)
    projector: ProjectorConfig = field(default_factory=ProjectorConfig)
    region: RegionConfig = field(default_factory=RegionConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)
    generation: GenerationConfig = field(default_factory=GenerationConfig)
    temporal: str = setting(
        "frames",
        "video to the language model: frame by frame (Elysium) or averaged over time (VITRON)",
        choices=("frames", "average"),
    )
    max_frames: int = setting(32, "frames of one request at most", low=1, high=4096)
    tokenisation: str = setting(
        "ordinary",
        "ordinary; published: each text between images is encoded by itself with its own BOS",
        choices=("ordinary", "published"),
    )
    prompt_profile: str = setting("default", "built-in prompt profile of a checkpoint without its own")
    history: str = setting(
        "all",
        "earlier turns that a question is asked with: all that fit; antecedent: the one before, where it refers back",
        choices=("all", "antecedent"),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        layers = min(self.vision.used_layers, self.video.used_layers if self.video else self.vision.used_layers)
        bad = [level for level in self.region_levels if not 1 <= level <= layers]
        if bad:
            raise ConfigError(f"region levels {bad} are not among the vision layers that are run, 1 to {layers}")
        if self.video and (self.video.num_patches, self.video.hidden_size) != (
            self.vision.num_patches,
            self.vision.hidden_size,
        ):
            raise ConfigError(
                f"the video model gives {self.video.num_patches} patches of {self.video.hidden_size} channels; "
                f"it must give {self.vision.num_patches} of {self.vision.hidden_size}, as the image model does"
            )
        if self.tokens_per_frame >= self.language.max_positions:
            raise ConfigError(
                f"one frame of {self.tokens_per_frame} tokens does not fit in a context of "
                f"{self.language.max_positions}; lower alpha"
            )

    @property
    def tokens_per_frame(self) -> int:
        return self.selector.num_selected(self.vision.num_patches)

    @property
    def region_levels(self) -> tuple[int, ...]:
        """The hidden states that the region encoder pools, the last of them those that the selector sees."""
        last = self.vision.used_layers
        if self.region.kind != "multi_level":
            return ()
        return self.region.levels or tuple(sorted({max(1, round(last * part / 4)) for part in (1, 2, 3, 4)}))

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


PARTS: dict[str, type[Checked]] = {
    "vision": VisionConfig,
    "video": VisionConfig,
    "selector": SelectorConfig,
    "projector": ProjectorConfig,
    "region": RegionConfig,
    "language": LanguageConfig,
    "generation": GenerationConfig,
}

C = TypeVar("C", bound=Checked)


def from_dict(kind: type[C], values: object, where: str) -> C:
    """A config from plain values; `where` names the place in errors.

    Raises:
        ConfigError: a key is unknown, or a value has the wrong type or is out of range.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where} is {quoted(values)}; it must be a table of settings")
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"{where} has unknown settings {shortened(unknown)}; it knows {', '.join(known)}")
    arguments = {}
    for name, value in values.items():
        if name in PARTS and kind is ModelConfig:
            arguments[name] = (
                None if name == "video" and value is None else from_dict(PARTS[name], value, f"{where}, {name}")
            )
        else:
            arguments[name] = _typed(value, known[name].default, f"{where}, {name}")
    try:
        return kind(**arguments)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def _typed(value: Any, default: Any, where: str) -> Any:
    """The JSON value in the type of the field's default."""
    if isinstance(default, tuple) and isinstance(value, list) and all(type(item) is int for item in value):
        return tuple(value)
    if isinstance(default, float) and type(value) is int and abs(value) < MAX_INTEGER:
        return float(value)
    if type(value) is not type(default):
        raise ConfigError(f"{where} is {quoted(value)}; it must be like {default!r}")
    if isinstance(value, str) and (len(value) > LONGEST_TEXT or not value.isprintable()):
        raise ConfigError(f"{where} is {quoted(value)}; it must be one line of at most {LONGEST_TEXT} characters")
    return value


CLIP_L_336 = VisionConfig()
LANGUAGEBIND_IMAGE = VisionConfig(image_size=224, activation="gelu", fit="crop", resample="bicubic", antialias=False)
LANGUAGEBIND_VIDEO = replace(LANGUAGEBIND_IMAGE, time_frames=8)
VICUNA_7B = LanguageConfig()

PROFILES: dict[str, ModelConfig] = {
    "vitron-tiny": ModelConfig(
        name="vitron-tiny",
        vision=VisionConfig(
            image_size=128,
            patch_size=16,
            stem="convolutions",
            hidden_size=192,
            intermediate_size=576,
            num_layers=3,
            num_heads=3,
            layer=-1,
            activation="gelu",
        ),
        selector=SelectorConfig(kind="gated", alpha=0.25),
        language=LanguageConfig(
            vocab_size=1024,
            hidden_size=192,
            intermediate_size=512,
            num_layers=6,
            num_heads=6,
            num_kv_heads=6,
            head_dim=32,
            max_positions=1024,
            tie_embeddings=True,
        ),
        max_frames=16,
        history="antecedent",
    ),
    "elysium-7b": ModelConfig(
        name="elysium-7b",
        vision=CLIP_L_336,
        selector=SelectorConfig(kind="published", alpha=0.1875),
        region=RegionConfig(kind="none"),
        language=VICUNA_7B,
        generation=GenerationConfig(max_new_tokens=2048),
        tokenisation="published",
        prompt_profile="elysium",
    ),
    "vitron-7b": ModelConfig(
        name="vitron-7b",
        vision=CLIP_L_336,
        selector=SelectorConfig(kind="gated", alpha=0.1875),
        language=VICUNA_7B,
        prompt_profile="vitron",
    ),
    "vitron-7b-published": ModelConfig(
        name="vitron-7b-published",
        vision=LANGUAGEBIND_IMAGE,
        video=LANGUAGEBIND_VIDEO,
        selector=SelectorConfig(kind="none", alpha=1.0),
        region=RegionConfig(kind="published", transposed=True),
        language=VICUNA_7B,
        generation=GenerationConfig(max_new_tokens=1024, temperature=1.0, top_p=0.01),
        max_frames=8,
        tokenisation="published",
        prompt_profile="vitron",
    ),
}

PARAMETERS = {
    "vitron-tiny": 4_879_417,
    "elysium-7b": 7_050_700_205,
    "vitron-7b": 7_101_990_401,
    "vitron-7b-published": 7_483_521_024,
}
"""Number of weights of each profile's model, of a bundled one as it is shipped: what `footprint` counts with torch."""


def profile(name: str) -> ModelConfig:
    """The config of a named profile.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in PROFILES:
        raise ConfigError(f"there is no model profile {name!r}; there are {', '.join(PROFILES)}")
    return PROFILES[name]
