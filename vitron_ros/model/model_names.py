"""What a person may have meant by the name of a model that names none."""

import re

from vitron_ros.errors import ModelError

_PAGE = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<id>[\w.-]+/[\w.-]+)", re.IGNORECASE)
_HOST = re.compile(r"[\w.-]+:\d{1,5}(?:/\S*)?")


def check_no_page(name: str) -> None:
    """Raises ModelError for the address of a model's page on the hub, which is copied in place of its id."""
    if page := _PAGE.match(name):
        raise ModelError(f"{name} is a page of the hub; give the id of its model: {page['id']}")


def check_meant(name: str) -> None:
    """Raises ModelError for a name that is neither a folder's nor a model's, and whose sense can be told."""
    check_no_page(name)
    if _HOST.fullmatch(name):
        raise ModelError(f"{name!r} lacks the beginning of an address; for a server give http://{name}")
    if re.search(r"(?:^|\w|\s)\+(?:\w|\s|$)", name):
        raise ModelError(
            f"{name!r} is not a model; several are joined by ' + ', with a space on each side and a model on both"
        )
