"""A sentence about a video: in which frames what it says is seen, and where."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vitron_ros.boxes import Boxes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoExpression:
    """A sentence and the tube that it refers to.

    Attributes:
        name: unique within its data set.
        video: the file; that it is missing is an error when it is opened.
        text: a description, or a question.
        kind: "declarative" or "interrogative".
        frames, fps, size: of the video, size is width and height in px; 0 or None: a set without truth does not say.
        span: first and end of the frames, from 0, the end exclusive; None: a server keeps the truth.
        used: the part of the video that is given to the model, in the same form.
        read_boxes: gives `boxes_xyxy`.
    """

    name: str
    video: Path
    text: str
    kind: str
    frames: int
    fps: float
    size: tuple[int, int] | None
    span: tuple[int, int] | None
    used: tuple[int, int]
    read_boxes: Callable[[], Boxes]

    @property
    def boxes_xyxy(self) -> Boxes:
        """(frames, 4) px; nan outside the span, and in it where the set has no box. Read when asked for.

        Raises:
            SourceError: the file with the boxes is missing or damaged.
        """
        return self.read_boxes()
