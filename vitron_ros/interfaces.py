"""The texts of the vitron_msgs interfaces, for reading and writing bags where nothing is compiled."""

from pathlib import Path

from vitron_ros.errors import SourceError

_PACKAGE = Path(__file__).resolve().parent
_FOLDERS = (_PACKAGE / "assets" / "msg", _PACKAGE.parent / "msg")  # an installed package; a checkout


def message_texts() -> dict[str, str]:
    """The .msg text of every message by its full name, e.g. "vitron_msgs/msg/Track".

    Raises:
        SourceError: the texts were not installed.
    """
    for folder in _FOLDERS:
        texts = {f"vitron_msgs/msg/{path.stem}": path.read_text("utf-8") for path in sorted(folder.glob("*.msg"))}
        if texts:
            return texts
    raise SourceError(f"no .msg files in {' or '.join(map(str, _FOLDERS))}; install vitron_ros again")
