"""What to draw of tracks, in films and debug images alike."""

from collections.abc import Iterable

from vitron_ros.images.draw import Overlay
from vitron_ros.tracking.track import TrackSnapshot


def overlays(tracks: Iterable[TrackSnapshot]) -> list[Overlay]:
    return [
        Overlay(
            id=track.id,
            box_xyxy=track.box_xyxy,
            label=track.phrase or track.label,
            state=track.state.name.lower(),
            score=track.score,
        )
        for track in tracks
    ]
