"""YAML files of settings, read strictly: what a person gets wrong is said in one line."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from vitron_ros.errors import ConfigError

MOST_BYTES = 1 << 20
SHOWN = 120  # characters of what is wrong


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """As PyYAML's, but `1e-4` is a number, as YAML 1.2 has it, and no key stands twice in a table."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.MarkedYAMLError(problem=f"the key {key.value} stands twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> Any:
    """The value of a YAML file in UTF-8.

    Raises:
        ConfigError: it cannot be read, is larger than 1 MiB, is no UTF-8 or no YAML, or a key stands twice; names the
            line.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{path} is larger than {MOST_BYTES >> 20} MiB; it is not a settings file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path} is not UTF-8 text, line {line}; save it as UTF-8") from error
    return parse_yaml(text, str(path))


def read_entries(path: Path, key: str, known: Collection[str]) -> list[tuple[str, Mapping[str, Any]]]:
    """The entries of the list under a key, each with its name for errors, such as "goal 2 of goals.yaml".

    Args:
        key: in the plural, such as "goals".
        known: keys that an entry may have.

    Raises:
        ConfigError: as `read_yaml`; there is no list, or nothing in it; an entry is no mapping, or has other keys.
    """
    document = read_yaml(path)
    entries = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path} needs a list of {key} under the key {key}")
    named = [(f"{key.removesuffix('s')} {number} of {path}", entry) for number, entry in enumerate(entries, 1)]
    for where, entry in named:
        if not isinstance(entry, Mapping):
            raise ConfigError(f"{where} is {str(entry)[:SHOWN]!r}; it must be a mapping")
        if unknown := [name for name in entry if name not in known]:
            raise ConfigError(f"{where} has unknown keys {unknown}; there are {', '.join(known)}")
    return named


def parse_yaml(text: str, where: str) -> Any:
    """The value of YAML text; `where` names it in errors.

    Raises:
        ConfigError: it is no YAML, or a key stands twice; names the line.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ConfigError(f"{where} is not YAML{line}: {str(error.problem)[:SHOWN]}") from error
    # PyYAML lets through what its constructors raise of a number, a date or a tag that cannot be.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{where} is not YAML: {' '.join(str(error).split())[:SHOWN]}") from error
