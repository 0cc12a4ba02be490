"""The suite's clips: exact ground truth, held out, the same on every run, with the planned occlusions."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.worlds.__main__ import main
from training.worlds.config import WorldConfig
from training.worlds.long_scene import MAX_PAN, long_scene, plan_of, scene_at
from training.worlds.suite import Suite, clip_name, compose, occlusions, render_suite, summary
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation.metrics.long_term import hidden_spans
from vitron_ros.evaluation.stream_clips import TRUTH_FILE, StreamClip, load_clips
from vitron_ros.worlds.vocabulary import COLOURS, PATTERNS, SHAPES, SIZES, SYNONYMS

SMALL = Suite(seed=5, clips=4, size=(96, 72), fps=12.0, seconds=(8.0, 10.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("suite")
    assert list(render_suite(out, SMALL)) == [clip_name(index) for index in range(4)]
    return out


@pytest.fixture(scope="module")
def clips(folder: Path) -> list[StreamClip]:
    return load_clips(folder)


def test_clips_are_as_long_and_as_large_as_asked(clips: list[StreamClip]) -> None:
    for clip in clips:
        assert 8 <= len(clip) / SMALL.fps <= 10
        assert next(clip.frames()).rgb.shape == (72, 96, 3)
        assert (clip.truth.width, clip.truth.height, clip.truth.fps) == (96, 72, 12.0)


def test_the_pictures_are_those_that_the_truth_speaks_of(folder: Path, clips: list[StreamClip]) -> None:
    made = compose(SMALL, 1)
    clip = clips[1]
    assert np.array_equal(made.clip.boxes_xyxy, clip.truth.boxes_xyxy, equal_nan=True)
    assert made.clip.visible == pytest.approx(clip.truth.visible, abs=1e-4)
    images = np.stack([frame.rgb for frame in clip.frames()]).astype(int)
    assert np.abs(images - made.clip.frames).mean() < 6, "but for JPEG"


def words_of(text: str) -> set[str]:
    """The names of the vocabulary that a text holds."""
    for name, others in SYNONYMS.items():
        for other in others:
            text = text.replace(other, name)
    nouns = {"stripes": "striped", "dots": "dotted", "checks": "checked"}
    words = {nouns.get(word, word) for word in text.split()}
    return words & {*SHAPES, *COLOURS, *SIZES, *PATTERNS}


def test_attributes_name_one_object_of_the_whole_clip() -> None:
    """Judged by the words alone, apart from the logic that the phrases are made with."""
    judged = 0
    for index in range(12):
        made = compose(SMALL, index)
        labels = [{spec.shape, spec.colour, spec.size, spec.pattern} for spec in made.clip.objects]
        for target in made.targets:
            assert made.clip.visible[0, target.object] >= 0.4
            if target.kind == "attribute" and " not " not in target.phrase:
                fitting = [number for number, label in enumerate(labels) if words_of(target.phrase) <= label]
                assert fitting == [target.object], target.phrase
                judged += 1
    assert judged >= 8


def test_occlusions_are_those_of_the_metrics_and_have_a_cause(clips: list[StreamClip], folder: Path) -> None:
    causes = set()
    for clip in clips:
        document = json.loads((folder / clip.name / TRUTH_FILE).read_text())
        for target in clip.truth.targets:
            spans = [
                (item["first"], item["last"]) for item in document["occlusions"] if item["object"] == target.object
            ]
            assert spans == hidden_spans(clip.truth.visible[:, target.object], SMALL.fps)
        causes |= {item["by"] for item in document["occlusions"]}
    assert causes <= {"post", "object", "exit"}
    assert len(causes) >= 2


def test_what_is_said_to_be_outside_is_outside() -> None:
    found = 0
    for index in range(8):
        made = compose(SMALL, index)
        for item in occlusions(made, SMALL.fps):
            x0, y0, x1, y1 = made.clip.full_boxes_xyxy[(item["first"] + item["last"]) // 2, item["object"]]
            is_outside = x1 <= 0 or y1 <= 0 or x0 >= 96 or y0 >= 72
            if is_outside:
                assert item["by"] == "exit"
                found += 1
            elif item["by"] == "post":
                assert made.plan.has_post
    assert found >= 2


def test_the_summary_counts_the_clips(folder: Path) -> None:
    counts = summary(folder, SMALL)
    documents = [json.loads((folder / clip_name(index) / TRUTH_FILE).read_text()) for index in range(4)]
    assert counts["clips"] == 4
    assert counts["occlusions"] == sum(len(document["occlusions"]) for document in documents)
    assert counts["targets"] == sum(len(document["targets"]) for document in documents)
    assert 0 < counts["clips_with_occlusion"] <= 4


def test_a_clip_is_the_same_on_every_run_and_other_seeds_give_others() -> None:
    first, again, other = compose(SMALL, 2), compose(SMALL, 2), compose(Suite(seed=6, size=(96, 72), fps=12.0), 2)
    assert first.clip.frames.tobytes() == again.clip.frames.tobytes()
    assert first.targets == again.targets
    assert first.clip.frames[0].tobytes() != other.clip.frames[0].tobytes()


def test_an_interrupted_suite_is_completed_and_may_grow(folder: Path, tmp_path: Path) -> None:
    list(render_suite(tmp_path, Suite(**{**as_values(SMALL), "clips": 1})))
    kept = (tmp_path / clip_name(0) / TRUTH_FILE).stat().st_mtime_ns
    (tmp_path / clip_name(1) / "frames").mkdir(parents=True)
    (tmp_path / clip_name(1) / "frames" / "999999.jpg").write_bytes(b"of a run that was broken off")
    list(render_suite(tmp_path, Suite(**{**as_values(SMALL), "clips": 2}), workers=2))
    assert (tmp_path / clip_name(0) / TRUTH_FILE).stat().st_mtime_ns == kept
    for path in (folder / clip_name(1)).rglob("*.*"):
        if path.is_file():
            assert (tmp_path / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert len(load_clips(tmp_path)) == 2


def as_values(suite: Suite) -> dict[str, object]:
    return {"seed": suite.seed, "size": suite.size, "fps": suite.fps, "seconds": suite.seconds}


def test_clips_of_another_suite_are_not_mixed_in(folder: Path) -> None:
    with pytest.raises(ConfigError, match="another suite"):
        list(render_suite(folder, Suite(**{**as_values(SMALL), "seed": 6})))


@pytest.mark.parametrize(
    "values", [{"seed": -1}, {"clips": 0}, {"size": (16, 200)}, {"fps": 1}, {"seconds": (2, 5)}, {"seconds": (9, 8)}]
)
def test_impossible_suites_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Suite(**values)


def test_things_move_no_faster_than_in_training_and_never_jump() -> None:
    """Between keyframes 0.25 s apart, in shorter sides: training's fastest kind goes out of view and back in 1.75 s."""
    for index in range(16):
        rng = np.random.default_rng(index)
        scene = long_scene(450, 30.0, (256, 192), plan_of(index, rng), WorldConfig(min_objects=4, max_objects=7), rng)
        assert np.linalg.norm(scene.camera.pan, axis=1).max() <= MAX_PAN + 0.1
        assert (np.abs(scene.camera.zoom - 1) < 0.25).all()
        for thing in scene.objects:
            assert thing.centres.shape == (450, 2)
            steps = np.linalg.norm(np.diff(thing.centres, axis=0), axis=1)
            assert steps.max() < 0.09, "a frame"
            assert np.linalg.norm(thing.centres[7:] - thing.centres[:-7], axis=1).max() < 0.6, "a keyframe"


def test_any_four_plans_in_a_row_have_occluders_and_up_to_four_targets() -> None:
    plans = [plan_of(index, np.random.default_rng(0)) for index in range(60)]
    for start in range(57):
        assert any(plan.has_post for plan in plans[start : start + 4])
        assert any(plan.has_occluder for plan in plans[start : start + 4])
    assert {plan.targets for plan in plans} == {1, 2, 3, 4}


def test_some_frames_of_a_scene_are_those_frames() -> None:
    rng = np.random.default_rng(1)
    scene = long_scene(60, 12.0, (96, 72), plan_of(0, rng), WorldConfig(min_objects=4, max_objects=7), rng)
    part = scene_at(scene, [0, 30])
    assert (part.objects[0].centres == scene.objects[0].centres[[0, 30]]).all()
    assert part.camera.matrices(96, 72) == pytest.approx(scene.camera.matrices(96, 72)[[0, 30]])


def test_the_command_writes_clips_a_sheet_and_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["suite", "streaming", "--out", str(tmp_path), "--clips", "1", "--seed", "5", "--size", "64x48"]
    assert main([*words, "--fps", "10", "--seconds", "6-6"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 60
    assert (tmp_path / "sheet.png").exists()
    assert main([*words, "--fps", "12"]) == 1
    assert "another suite" in capsys.readouterr().err
    assert main([*words, "--size", "big"]) == 1
    assert "256x192" in capsys.readouterr().err
