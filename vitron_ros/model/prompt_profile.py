"""Prompt profiles: the templates of prompts, as a YAML file that is built in or the user's own.

Tasks, after the papers (Elysium, arXiv 2403.16558; VITRON, arXiv 2412.19806): REC, the box of a phrase in an image;
REG, words for a box; RSOT, the boxes of a phrase in every frame; SOT, the boxes in every frame of what a box marks in
the first; Video-REG, words for what it marks; captions, questions, conversation, and invocation of expert modules.
"""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from vitron_ros.errors import ConfigError
from vitron_ros.model.answers import Dialect
from vitron_ros.model.files import is_file, quoted, read_text, shortened
from vitron_ros.yaml_file import parse_yaml

PROFILES = Path(__file__).parent / "prompt_profiles"

# What the templates of a task must name: {text} is the user's phrase or question, {target} a box or a marked region.
TASKS: dict[str, str | None] = {
    "rec": "text",
    "reg": "target",
    "rsot": "text",
    "sot": "target",
    "video_reg": "target",
    "caption": None,
    "grounded_caption": None,
    "vqa": "text",
    "video_qa": "text",
    "grounded_vqa": "text",
    "grounded_video_qa": "text",
    "conversation": "text",
    "invocation": "text",
}


def built_in_names() -> list[str]:
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


@dataclass(frozen=True, kw_only=True)
class Markers:
    """How images are placed in a prompt. Placeholders: {image}, {number} from 1, {seconds} from the first frame.

    Attributes:
        image: a single one.
        frame, timed_frame: one of several, without and with its time.
        separator: between them.
        end: after the last of several.
        image_end: after a single one; a profile may leave it out where it is the same as `end`.
    """

    image: str
    frame: str
    timed_frame: str
    separator: str
    end: str
    image_end: str


DECIMALS = re.compile(r"\.[0-9]f")
MARKER_PLACEHOLDERS = {
    "image": {"image"},
    "frame": {"image", "number"},
    "timed_frame": {"image", "number", "seconds"},
    "separator": set[str](),
    "end": set[str](),
    "image_end": set[str](),
}


@dataclass(frozen=True, kw_only=True)
class PromptProfile:
    """The templates of prompts, validated.

    Attributes:
        text: the YAML text it came from; a checkpoint stores it.
        system: first words of every conversation.
        user, assistant: words before the user's and before the model's part of a turn.
        region: what stands for a marked region before the text of a task that does not place it; has {region}.
        dialect: how boxes are written.
        published_bos_after: where published weights expect BOS before a piece of text: after an image, an answer, or a
            region and from then on every image.
        templates: paraphrases of each task.
        markers: how images stand in the prompts of each task.
    """

    text: str
    system: str
    user: str
    assistant: str
    region: str
    dialect: Dialect
    published_bos_after: tuple[str, ...]
    templates: Mapping[str, tuple[str, ...]]
    markers: Mapping[str, Markers]

    @classmethod
    def load(cls, name: str | Path) -> "PromptProfile":
        """The built-in profile of that name, or the one in a file.

        Raises:
            ModelError: the file cannot be read.
            ConfigError: there is none, or it is not valid; the sentence names the file and the key.
        """
        return cls.built_in(name) if isinstance(name, str) and name in built_in_names() else cls.read(Path(name))

    @classmethod
    def built_in(cls, name: str) -> "PromptProfile":
        """The built-in profile of that name.

        Raises:
            ConfigError: there is none.
        """
        if name not in built_in_names():
            raise ConfigError(f"no prompt profile {quoted(name)} is built in; there are {', '.join(built_in_names())}")
        return cls.read(PROFILES / f"{name}.yaml")

    @classmethod
    def read(cls, path: Path) -> "PromptProfile":
        """The profile in a file.

        Raises:
            ModelError: it cannot be read.
            ConfigError: it is not there, or not valid.
        """
        if not is_file(path):
            known = ", ".join(built_in_names())
            raise ConfigError(f"there is no prompt profile {path}; give a file or one of {known}")
        return cls.from_text(read_text(path), str(path))

    @classmethod
    def from_text(cls, text: str, where: str) -> "PromptProfile":
        """The profile in YAML text; `where` names it in errors.

        Raises:
            ConfigError: it is not valid.
        """
        values = parse_yaml(text, where)
        reader = _ProfileReader(where)
        keys = ("system", "user", "assistant", "region", "dialect", "published_bos_after", "markers", "tasks")
        table = reader.table(values, "the profile", keys)
        tasks = reader.table(table["tasks"], "tasks", tuple(TASKS))
        dialect = reader.choice(table["dialect"], "dialect", get_args(Dialect))
        after = reader.strings(table["published_bos_after"], "published_bos_after")
        for item in after:
            reader.choice(item, "published_bos_after", ("image", "region", "answer"))
        shared = reader.markers(table["markers"], "markers", {})
        templates, markers = {}, {}
        for task, required in TASKS.items():
            entry = tasks[task] if isinstance(tasks[task], Mapping) else {"templates": tasks[task]}
            key = f"tasks.{task}"
            entry = reader.table(entry, key, ("templates", "markers"), optional=("markers",))
            templates[task] = reader.strings(entry["templates"], f"{key}.templates")
            for template in templates[task]:
                reader.template(template, f"{key}.templates", {required} if required else set())
            markers[task] = reader.markers(entry.get("markers", {}), f"{key}.markers", vars(shared))
        return cls(
            text=text,
            system=reader.string(table["system"], "system"),
            user=reader.string(table["user"], "user"),
            assistant=reader.string(table["assistant"], "assistant"),
            region=reader.template(table["region"], "region", {"region"}),
            dialect=dialect,  # type: ignore[arg-type]
            published_bos_after=after,
            templates=templates,
            markers=markers,
        )


@dataclass(frozen=True)
class _ProfileReader:
    """Checks the values of a profile; every error names the file and the key."""

    where: str

    def table(
        self, value: object, key: str, known: tuple[str, ...], optional: tuple[str, ...] = ()
    ) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            # The whole of a foreign file may be this one value: its type alone is told.
            raise ConfigError(f"{self.where}: {key} is of type {type(value).__name__}; it must be a table")
        if unknown := [str(name) for name in value if name not in known]:
            raise ConfigError(f"{self.where}: {key} has no key {shortened(unknown)}; it has {', '.join(known)}")
        if missing := [name for name in known if name not in value and name not in optional]:
            raise ConfigError(f"{self.where}: {key} lacks {', '.join(missing)}")
        return value

    def string(self, value: object, key: str) -> str:
        if not isinstance(value, str):
            raise ConfigError(f"{self.where}: {key} is {quoted(value)}; it must be text")
        return value

    def strings(self, value: object, key: str) -> tuple[str, ...]:
        if not isinstance(value, list) or (not value and key != "published_bos_after"):
            raise ConfigError(f"{self.where}: {key} is {quoted(value)}; it must be a list of texts")
        return tuple(self.string(item, key) for item in value)

    def choice(self, value: object, key: str, choices: tuple[str, ...]) -> str:
        if value not in choices:
            raise ConfigError(f"{self.where}: {key} is {quoted(value)}; it must be one of {', '.join(choices)}")
        return str(value)

    def template(self, value: object, key: str, required: set[str], allowed: set[str] | None = None) -> str:
        """Text that has all of the required placeholders and no other than those allowed, by default the same."""
        text = self.string(value, key)
        try:
            places = [place[1:] for place in string.Formatter().parse(text) if place[1] is not None]
        except ValueError as error:
            raise ConfigError(f"{self.where}: {key} {quoted(text)} has a lone brace; write {{{{ or }}}}") from error
        allowed = required if allowed is None else allowed
        found = {name for name, _, _ in places}
        for name, form, conversion in places:
            if conversion or (form and not (name == "seconds" and DECIMALS.fullmatch(form))):
                raise ConfigError(f"{self.where}: {key} {quoted(text)} has a format; only {{seconds}} may, as :.2f")
        if not required <= found <= allowed:
            expected = ", ".join("{" + name + "}" for name in sorted(allowed)) or "no placeholder"
            raise ConfigError(f"{self.where}: {key} {quoted(text)} must have {expected}")
        return text

    def markers(self, value: object, key: str, default: Mapping[str, str]) -> Markers:
        table = self.table(value, key, tuple(MARKER_PLACEHOLDERS), optional=(*default, "image_end"))
        texts = {**default, **table}
        texts.setdefault("image_end", texts["end"])
        return Markers(
            **{
                name: self.template(texts[name], f"{key}.{name}", allowed & {"image"}, allowed)
                for name, allowed in MARKER_PLACEHOLDERS.items()
            }
        )
