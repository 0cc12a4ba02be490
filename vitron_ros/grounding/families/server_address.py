"""Where a model server is, as a user names it: http://host:8000/v1, or http://host:8000/v1#MODEL@FAMILY."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from vitron_ros.errors import ModelError
from vitron_ros.grounding.families.box_text import INTERNVL, QWEN2_5_VL, QWEN3_VL, BoxDialect
from vitron_ros.grounding.families.chat_http import KEY_VARIABLE
from vitron_ros.grounding.families.chat_protocol import ServedModel
from vitron_ros.model.model_names import check_no_page

FAMILIES = {
    "qwen3-vl": QWEN3_VL,
    "qwen3.5": QWEN3_VL,
    "qwen2.5-vl": QWEN2_5_VL,
    "internvl": INTERNVL,
}
"""What speaks in a chat, by a part of its name, and how it writes boxes."""
LONGEST_LIST = 8  # models of a server that a sentence names
_SIGNS = re.compile(r"[-_. ]")


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """
    Attributes:
        url: of the API.
        model: the name by which it is asked for; empty: the first that the server lists.
        family: of FAMILIES, where the user says it; empty: the model's name does.
    """

    url: str
    model: str = ""
    family: str = ""

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what is sent."""
        parts = urlsplit(self.url)
        return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def read_address(text: str) -> ServerAddress:
    """
    Raises:
        ModelError: it is no address, a page of the hub, holds a password, or names a family that is not known.
    """
    check_no_page(text)
    url, _, model = text.partition("#")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_whole = False
    if not is_whole or not url.isprintable() or " " in url:
        raise ModelError("the address of the model server cannot be read; give one such as http://host:8000/v1")
    if "@" in parts.netloc or parts.query:
        raise ModelError(f"an address holds no user, password or query; a key comes in the variable {KEY_VARIABLE}")
    model, _, family = model.partition("@")
    if family and family not in FAMILIES:
        raise ModelError(f"there is no family {family[:40]!r} of model servers; the families are {_listed(FAMILIES)}")
    return ServerAddress(url.rstrip("/"), model, family)


def chosen(address: ServerAddress, models: Sequence[ServedModel]) -> ServedModel:
    """The model that the address means.

    Raises:
        ModelError: the server does not list it.
    """
    for model in models:
        if not address.model or model.name == address.model:
            return model
    names = _listed([model.name for model in models])
    raise ModelError(f"{address.url} does not serve {address.model!r}; it serves {names}")


def dialect_of(address: ServerAddress, model: ServedModel) -> BoxDialect:
    """How the model writes boxes, by its name or by what it was loaded from. It is never guessed.

    Raises:
        ModelError: neither names a family.
    """
    if address.family:
        return FAMILIES[address.family]
    for family, dialect in FAMILIES.items():
        if any(_bare(family) in _bare(name) for name in (model.name, model.root)):
            return dialect
    raise ModelError(
        f"how {model.name!r} writes boxes is not known; name its family, as in {address.url}#{model.name}@qwen3-vl "
        f"(the families are {_listed(FAMILIES)})"
    )


def _bare(name: str) -> str:
    return _SIGNS.sub("", name.lower())


def _listed(names: Sequence[str] | dict[str, BoxDialect]) -> str:
    more = len(names) - LONGEST_LIST
    return ", ".join(list(names)[:LONGEST_LIST]) + (f" and {more} more" if more > 0 else "")
