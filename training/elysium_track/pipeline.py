"""The whole run: parts side by side, then all of them together."""

from collections.abc import Callable, Sequence
from typing import Any

from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.collection import collect
from training.elysium_track.contact_sheet import contact_sheet
from training.elysium_track.parts import Run, begin, make_part
from vitron_ros.evaluation.execution import Execute
from vitron_ros.images.codec import encode_png
from vitron_ros.recordings.output import replace_bytes


def build(
    run: Run,
    videos: Sequence[CaptionedVideo],
    problems: Sequence[str],
    execute: Execute,
    *,
    part_size: int,
    split: str,
    on_videos: Callable[[int], object] = lambda count: None,
) -> dict[str, Any]:
    """The report of a finished run, whose files are in its folder; what is there already is not done again.

    Args:
        problems: rows of the list of captions that cannot be used, for the report.
        on_videos: told how many more videos are done.

    Raises:
        ConfigError: the folder holds another run.
        ModelError: the model cannot be loaded, or fails.
        SourceError: a file cannot be written, or a part is damaged.
    """
    parts = begin(run, videos, part_size)
    missing = [part for part in parts if not part.path.exists()]
    on_videos(len(videos) - sum(len(part.videos) for part in missing))
    for count in execute(make_part, missing):
        on_videos(count)
    report, kept = collect(parts, run.out, split, problems)
    replace_bytes(run.out / "sheet.png", encode_png(contact_sheet(parts, kept)))
    return report
