"""Miniature copies of the data sets that the stage files name: a few records each, in the same files."""

import json
from pathlib import Path

import cv2
import numpy as np

from training.config import RecordsConfig, TrainConfig
from vitron_ros.model.answers import Invocation, invocation_text
from vitron_ros.module_registry import Module

BOX = (0.1, 0.2, 0.5, 0.6)
REPLY = invocation_text("Sure.", Invocation(Module.IMAGE_SEGMENTATION, ("segmentation: the ring",), BOX))
COUNT = 6  # records of a set
TRACK_FRAMES = 9


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(seed).integers(0, 255, (30, 40, 3), np.uint8)
    assert cv2.imwrite(str(path), image)


def write_video(path: Path, frames: int = 10) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()


def write_records(config: RecordsConfig, folder: Path) -> None:
    """The file of a set of records with its media, below a folder."""
    path, media = folder / config.path, folder / config.media
    is_video = config.max_frames > 1 and config.reader != "tracks"
    entries = [_entry(config, media, number, is_video=is_video) for number in range(COUNT)]
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    else:
        path.write_text(json.dumps(entries))


def write_data(stages: list[TrainConfig], folder: Path) -> None:
    for records in {records.path: records for stage in stages for records in stage.records}.values():
        write_records(records, folder)


def _entry(config: RecordsConfig, media: Path, number: int, *, is_video: bool) -> dict[str, object]:
    if config.reader == "tracks":
        names = [f"{number}/{frame}.jpg" for frame in range(TRACK_FRAMES)]
        for frame, name in enumerate(names):
            write_image(media / name, 100 * number + frame)
        return {"id": f"t{number}", "frames": names, "box": [BOX] * TRACK_FRAMES, "object_description": "a small ring"}
    name = f"{number}.mp4" if is_video else f"{number}.png"
    (write_video if is_video else lambda path: write_image(path, number))(media / name)
    entry = {"id": f"r{number}", "video" if is_video else "image": name}
    if config.reader == "captions":
        return {**entry, "caption": "a small ring"}
    if config.reader == "regions":
        return {**entry, "box": BOX, "caption": "the small ring"}
    answer = REPLY if "invocation" in config.tasks else "A ring."
    said = [("human", "<image>\nWhat is it?"), ("gpt", answer), ("human", "Is it small?"), ("gpt", "Yes.")]
    return {**entry, "conversations": [{"from": who, "value": value} for who, value in said]}
