"""The figures of the suites of editing and generation tell a good backend from a bad one."""

from dataclasses import replace

import numpy as np
import pytest

from vitron_ros.cli.main import main
from vitron_ros.evaluation.covered_clips import drawn_clip
from vitron_ros.evaluation.editing import recolouring, removal
from vitron_ros.evaluation.generation import make_plan, prompt_of, score_prompt
from vitron_ros.evaluation.report import write_report
from vitron_ros.images.codec import encode_png
from vitron_ros.modules.editing.embedded import EmbeddedEditing
from vitron_ros.modules.generation.embedded import EmbeddedGeneration
from vitron_ros.modules.generation.grammar import parse_scene
from vitron_ros.modules.module import BadJob, ModuleResult


class Careless:
    """Changes nothing, or all."""

    def __init__(self, shift: int) -> None:
        self.shift = shift

    def run(self, job, progress):
        images = tuple(frame.rgb + np.uint8(self.shift) for frame in job.frames)
        return ModuleResult(images=images, masks=job.masks)


def test_a_moving_thing_is_removed_better_than_by_inpainting():
    clip = drawn_clip(1)
    row, _ = removal(EmbeddedEditing(), clip)
    assert row["gain"] > 2
    assert row["untouched"]
    assert row["psnr"] > 40
    assert row["flicker"] < 3 * row["source_flicker"] + 1
    assert removal(Careless(0), clip)[0]["psnr"] < 25
    assert not removal(Careless(3), clip)[0]["untouched"]


def test_a_still_clip_says_that_nobody_saw_the_background():
    assert "no frame shows 100 %" in removal(EmbeddedEditing(), drawn_clip(0, still=True))[0]["unseen"]


def test_a_hue_that_is_not_hit_counts_as_an_error():
    clip = drawn_clip(1)
    images, masks = clip.images[:2], clip.masks[:2]
    assert recolouring(EmbeddedEditing(), images, masks)[0]["hue_error"] < 2
    assert recolouring(Careless(0), images, masks)[0]["hue_error"] > 40


def test_prompts_say_what_the_plans_say():
    rng = np.random.default_rng(0)
    for _ in range(60):
        plan = make_plan(rng)
        assert parse_scene(prompt_of(plan)) == plan


class Wrong(EmbeddedGeneration):
    """Draws another prompt than was asked for."""

    def run(self, job, progress):
        return super().run(replace(job, text="a small white house at the top left"), progress)


class Refusing:
    def run(self, job, progress):
        raise BadJob("no")


def test_a_drawing_of_something_else_is_found_out():
    plan = parse_scene("a large plain blue star at the bottom right on grass")
    boxes = []

    def find(frame, phrase):
        assert phrase == "the blue star"
        boxes.append(phrase)
        return

    score = score_prompt(EmbeddedGeneration(), plan, 3, find)
    assert score.drawn
    assert score.has_colour
    assert score.has_silhouette
    assert score.in_place
    assert not score.found
    assert len(boxes) == 2
    wrong = score_prompt(Wrong(), plan, 3, find)
    assert not (wrong.has_colour or wrong.has_silhouette or wrong.in_place)
    assert not score_prompt(Refusing(), plan, 3, find).drawn


@pytest.fixture
def dataset(tmp_path):
    folder = tmp_path / "one"
    for name in ("frames", "masks"):
        (folder / name).mkdir(parents=True)
    clip = drawn_clip(1)
    for index in range(3):
        (folder / f"frames/{index:06d}.png").write_bytes(encode_png(clip.images[index]))
        (folder / f"masks/{index:06d}.png").write_bytes(encode_png(np.dstack([clip.masks[index]] * 3)))
    (folder / "groundtruth.txt").write_text("10,10,30,30\n" * 3)
    return tmp_path


def run_and_report(suite, folder, *words):
    assert main(["eval", "run", suite, *words, "--out", str(folder)]) == 0
    return write_report(folder)


def test_clips_are_edited_and_reported_by_their_kind(dataset, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    removed = run_and_report("removal", tmp_path / "removal", str(dataset), "--limit", "2")
    assert list(removed["by_sample"]) == ["one", "drawn-0"]
    assert list(removed["by_group"]["known background"]) == ["drawn", "footage"]
    assert removed["figures"]["known background"]["untouched"] == 1
    recoloured = run_and_report("recolouring", tmp_path / "recolouring", str(dataset), "--limit", "1")
    assert recoloured["figures"]["asked hue"]["hue_error"] < 10


def test_prompts_are_drawn_and_judged(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    figures = run_and_report("drawn-prompts", tmp_path / "out", "--limit", "3")["figures"]["prompts"]
    assert figures["drawn"] == 1
    assert figures["has_colour"] > 0.5
    assert set(figures) >= {"found", "found_in_truth", "found_ratio"}
    assert main(["eval", "run", "drawn-prompts", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "drawn-prompts makes its data; leave DATA out" in capsys.readouterr().err
    assert main(["eval", "run", "removal", "--out", str(tmp_path / "out")]) == 2
    assert "removal needs DATA" in capsys.readouterr().err
