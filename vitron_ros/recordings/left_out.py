"""The images of a source that could not be used: counted, and named with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from vitron_ros.errors import ImageError

_SHOWN = 3  # in words; JSON has all


@dataclass(slots=True)
class LeftOut:
    """Takes what `open_source` and `replay` say of images that cannot be used.

    Attributes:
        reasons: index of an image -> why it was left out.
    """

    reasons: dict[int, str] = field(default_factory=dict)

    def note(self, index: int, error: ImageError) -> None:
        self.reasons[index] = str(error)

    def lines(self) -> Iterator[str]:
        """A line for each of the first, and one for all others."""
        for index, reason in list(self.reasons.items())[:_SHOWN]:
            yield f"image {index} was left out: {reason}"
        if len(self.reasons) > _SHOWN:
            yield f"{len(self.reasons) - _SHOWN} more were left out"

    def as_json(self) -> list[dict[str, Any]]:
        return [{"index": index, "reason": reason} for index, reason in self.reasons.items()]
