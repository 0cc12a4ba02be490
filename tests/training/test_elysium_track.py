"""The pipeline of ElysiumTrack: planted faults are dropped by the right filter, and the result is the same bytes."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.training.captioned_worlds import PHRASE_FAULTS, VIDEO_FAULTS, Planted, plant
from training.config import RecordsConfig
from training.elysium_track.captioned_videos import read_captioned_videos
from training.elysium_track.parts import Run
from training.elysium_track.pipeline import build
from training.elysium_track.settings import Settings
from training.media import read_frames
from training.records import draw_record
from training.sources import open_source
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.datasets.elysium_track import read_elysium_track
from vitron_ros.evaluation.execution import Execute, in_processes

PART_SIZE = 4


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return plant(tmp_path_factory.mktemp("videos"), 2, (*PHRASE_FAULTS, *VIDEO_FAULTS))


@pytest.fixture(scope="module")
def finished(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    run(planted, out)
    return out


def run(planted: Planted, out: Path, execute: Execute = map, **settings: float) -> dict:
    videos, problems = read_captioned_videos(planted.folder)
    made = Run(out=out, model=planted.model, settings=Settings(**settings))
    return build(made, videos, problems, execute, part_size=PART_SIZE, split="train")


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def entries(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ElysiumTrack-train.json").read_text().splitlines()]


def test_what_is_good_is_kept_and_every_planted_fault_is_dropped_by_its_filter(planted, finished):
    kept = {(entry["metadata"]["file"], entry["object_description"]) for entry in entries(finished)}
    assert kept == planted.kept
    rows = [
        json.loads(line) for path in sorted((finished / "parts").iterdir()) for line in path.read_text().splitlines()
    ]
    videos, _ = read_captioned_videos(planted.folder)
    named = list(zip([video.file for video in videos], rows, strict=True))
    assert {(file, row["fault"]) for file, row in named if row["fault"]} == planted.videos
    dropped = {(file, one["phrase"], one["fault"]) for file, row in named if not row["fault"] for one in row["dropped"]}
    assert dropped == {one for one in planted.phrases if one[2] != "duplicate video"}
    report = json.loads((finished / "report.json").read_text())
    assert {fault: report["videos"][fault] for fault in VIDEO_FAULTS} == dict.fromkeys(VIDEO_FAULTS, 1)
    assert report["phrases"]["kept"] == len(kept)
    assert report["phrases"]["duplicate video"] == 2
    assert "broken-12.mp4 breaks off" in report["broken"][0] or "broken-12.mp4 is not" in report["broken"][0]


def test_the_tracks_are_read_as_elysium_track_and_lie_on_the_objects(planted, finished):
    sequences = read_elysium_track(finished, "train")
    assert len(sequences) == len(planted.kept)
    for sequence, entry in zip(sequences, entries(finished), strict=True):
        assert sequence.language == entry["object_class"]
        assert len(sequence) == 16
        frame = next(sequence.frames())
        assert [frame.width, frame.height] == entry["frame_size"]
        assert np.isfinite(sequence.boxes_xyxy).all()


def test_a_killed_run_goes_on_in_two_processes_and_ends_with_the_same_bytes(planted, finished, tmp_path):
    def killed(function: Callable, tasks: list) -> Iterator:
        yield function(tasks[0])
        (tasks[1].path.with_name(f"{tasks[1].path.name}.tmp")).write_text('{"id"')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(planted, tmp_path, killed)
    assert not (tmp_path / "ElysiumTrack-train.json").exists()
    asked = []

    def rest(function: Callable, tasks: list) -> Iterator:
        asked.extend(task.number for task in tasks)
        return in_processes(2)(function, tasks)

    run(planted, tmp_path, rest)
    assert asked == [1, 2, 3]
    assert files(tmp_path) == files(finished)


def test_a_finished_run_is_not_done_again(planted, finished):
    before = files(finished)

    def nothing_to_do(function: Callable, tasks: list) -> Iterator:
        assert not tasks
        return iter(())

    run(planted, finished, nothing_to_do)
    assert files(finished) == before


def test_a_folder_of_another_run_is_refused_by_what_differs(planted, finished):
    with pytest.raises(ConfigError, match="other settings"):
        run(planted, finished, min_detection=0.5)


def test_the_tracks_are_what_the_trainer_reads(planted, finished):
    config = RecordsConfig(
        reader="tracks", path=str(finished / "ElysiumTrack-train.json"), tasks=("rsot",), min_frames=4, max_frames=4
    )
    source = open_source(config)
    assert len(source) == len(planted.kept)
    for index, entry in enumerate(entries(finished)):
        record = draw_record(source[index], config, np.random.default_rng(index))
        assert record.turns[0].text == entry["object_description"]
        assert len(read_frames(record.media, record.frames)) == 4
