"""The tracks of all parts in ElysiumTrack's layout, without videos that are there twice, and a report."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

from training.elysium_track.captioned_videos import CaptionedVideo
from training.elysium_track.filters import PHRASE_FAULTS, VIDEO_FAULTS
from training.elysium_track.parts import Part, Row, read_parts
from vitron_ros.recordings.output import replace_bytes, write_json

NAMED = 20  # broken videos, unusable rows and nouns that the report names
BITS = 64
SIZES, LENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0), (16, 32, 64, 128, 256, 512, 1024)


def collect(parts: Sequence[Part], out: Path, name: str, problems: Sequence[str]) -> tuple[dict[str, Any], set[str]]:
    """Write ElysiumTrack-NAME.json, report.json and report.md; give the report and the ids of the videos with tracks.

    Raises:
        SourceError: a part is missing or damaged, or a file cannot be written.
    """
    settings, copies = parts[0].run.settings, _Copies(parts[0].run.settings.max_hash_distance)
    videos: Counter[str] = Counter()
    phrases: Counter[str] = Counter()
    entries: list[dict[str, Any]] = []
    broken: list[str] = []
    for video, row in read_parts(parts):
        videos[row["fault"] or "annotated"] += 1
        phrases.update(one["fault"] for one in row["dropped"])
        if row["fault"] == "broken" and len(broken) < NAMED:
            broken.append(row["message"])
        if not row["tracks"]:
            continue
        if copies.is_copy([int(value, 16) for value in row["hashes"]]):
            phrases["duplicate video"] += len(row["tracks"])
            shutil.rmtree(out / "frames" / video.id, ignore_errors=True)
            continue
        phrases["kept"] += len(row["tracks"])
        entries += [_entry(video, row, one, name) for one in row["tracks"]]
    replace_bytes(out / f"ElysiumTrack-{name}.json", "".join(json.dumps(one) + "\n" for one in entries).encode())
    kept = {entry["vid"] for entry in entries}
    report = {
        "videos": {"in": sum(videos.values()), **{key: videos[key] for key in (*VIDEO_FAULTS, "annotated")}},
        "phrases": {"in": sum(phrases.values()), **{key: phrases[key] for key in (*PHRASE_FAULTS, "kept")}},
        "videos_with_tracks": len(kept),
        "frames": sum(len(entry["frames"]) for entry in entries),
        "broken": broken,
        "unusable_rows": len(problems),
        "rows": list(problems[:NAMED]),
        "box_area": _histogram((_area(entry["box"][0]) for entry in entries), SIZES),
        "length": _histogram((len(entry["frames"]) * settings.frame_step for entry in entries), LENGTHS),
        "nouns": dict(Counter(entry["object_class"].split()[-1] for entry in entries).most_common(NAMED)),
    }
    write_json(out / "report.json", report)
    replace_bytes(out / "report.md", as_markdown(report).encode())
    return report, kept


def as_markdown(report: dict[str, Any]) -> str:
    """The report for a person."""
    videos, phrases = report["videos"], report["phrases"]
    lines = ["# ElysiumTrack", "", "| videos | | why |", "|---|---|---|", f"| in | {videos['in']} | |"]
    lines += [f"| {fault} | {videos[fault]} | {why} |" for fault, why in VIDEO_FAULTS.items()]
    lines += [f"| **annotated** | {videos['annotated']} | |", ""]
    lines += ["| phrases | | why |", "|---|---|---|", f"| in | {phrases['in']} | |"]
    lines += [f"| {fault} | {phrases[fault]} | {why} |" for fault, why in PHRASE_FAULTS.items()]
    lines += [f"| **kept** | {phrases['kept']} | |", ""]
    lines += [f"{report['frames']} boxes in {report['videos_with_tracks']} videos.", ""]
    for title, key in (("Area of the first box, of the image", "box_area"), ("Frames of a track", "length")):
        lines += [f"| {title} | tracks |", "|---|---|"]
        lines += [f"| {label} | {count} |" for label, count in report[key].items()] + [""]
    if report["nouns"]:
        lines += ["Nouns: " + ", ".join(f"{noun} {count}" for noun, count in report["nouns"].items()) + ".", ""]
    if report["broken"]:
        lines += [f"Broken videos (the first {NAMED}):", "", *(f"- {message}" for message in report["broken"]), ""]
    if report["rows"]:
        lines += [f"{report['unusable_rows']} rows of the list of captions cannot be used:", ""]
        lines += [*(f"- {row}" for row in report["rows"]), ""]
    return "\n".join(lines)


class _Copies:
    """The videos so far, to find one that shows the same.

    Of two hashes that differ in at most d bits, d + 2 bands have at least two in common.
    """

    def __init__(self, max_distance: int) -> None:
        self._max_distance = max_distance
        count = max_distance + 2
        edges = [BITS * band // count for band in range(count + 1)]
        self._bands = [(start, (1 << end - start) - 1) for start, end in pairwise(edges)]
        self._buckets: dict[tuple[tuple[int, int], ...], list[Sequence[int]]] = {}

    def is_copy(self, hashes: Sequence[int]) -> bool:
        """Whether each frame's hash is near that of one video before; if not, this one counts from now on."""
        first = hashes[0]
        keys = list(combinations([(start, first >> start & mask) for start, mask in self._bands], 2))
        for key in keys:
            for other in self._buckets.get(key, ()):
                if (first ^ other[0]).bit_count() <= self._max_distance and self._is_near(hashes, other):
                    return True
        for key in keys:
            self._buckets.setdefault(key, []).append(hashes)
        return False

    def _is_near(self, hashes: Sequence[int], others: Sequence[int]) -> bool:
        return all((a ^ b).bit_count() <= self._max_distance for a, b in zip(hashes, others, strict=True))


def _entry(video: CaptionedVideo, row: Row, one: Row, name: str) -> dict[str, Any]:
    """A line of ElysiumTrack. The released training code reads object_class, a noun phrase."""
    return {
        "source": video.folder.name,
        "id": hashlib.sha256(f"{video.id}\0{one['phrase']}".encode()).hexdigest()[:12],
        "vid": video.id,
        "metadata": {"caption": video.caption, "file": video.file, "split": name},
        "frames": row["frames"],
        "object_class": one["phrase"],
        "box": one["box"],
        "object_description": one["phrase"],
        "frame_size": row["frame_size"],
    }


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _histogram(values: Iterable[float], edges: Sequence[float]) -> dict[str, int]:
    """How many values are up to each edge and above the one before; the last edge has the rest."""
    counts = Counter(next((edge for edge in edges if value <= edge), edges[-1]) for value in values)
    return {f"up to {edge:g}": counts[edge] for edge in edges}
