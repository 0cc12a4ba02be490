"""A patch passes a block on a wall and hides for a while. The model knows the truth and takes its time."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from tests.fakes import ScriptedModel, said
from vitron_ros.boxes import iou
from vitron_ros.cli.main import main
from vitron_ros.config import PipelineConfig
from vitron_ros.errors import ConfigError
from vitron_ros.evaluation import stream
from vitron_ros.evaluation.metrics.long_term import score
from vitron_ros.evaluation.report import write_report
from vitron_ros.evaluation.stream_clips import StreamTarget, StreamTruth, load_clip, write_truth
from vitron_ros.evaluation.stream_modes import MODES, follow
from vitron_ros.evaluation.stream_oracle import OracleErrors, OracleModel
from vitron_ros.grounding.request import ModelRequest, ReplyStatus, Task
from vitron_ros.streaming.answering import answers

FRAMES, FPS, WIDTH, HEIGHT, SIDE = 100, 30.0, 200, 120, 30
HIDDEN = range(45, 60)
EXACT = OracleErrors(noise=0, miss=0, mistake=0)
PATCH = StreamTarget(phrase="the patch", object=0, kind="attribute", lasts=True)


def left(index):
    return 20 + index


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite") / "clip"
    (folder / "frames").mkdir(parents=True)
    rng = np.random.default_rng(3)
    wall = rng.integers(0, 90, (HEIGHT, WIDTH, 3), np.uint8)
    face = rng.integers(120, 255, (SIDE, SIDE, 3), np.uint8)
    boxes = np.empty((FRAMES, 2, 4))
    for index in range(FRAMES):
        image = wall.copy()
        boxes[index] = [[left(index), 20, left(index) + SIDE, 50], [150, 80, 150 + SIDE, 110]]
        image[80:110, 150 : 150 + SIDE] = (255, 40, 0)
        if index not in HIDDEN:
            image[20:50, left(index) : left(index) + SIDE] = face
        cv2.imwrite(str(folder / "frames" / f"{index:06d}.jpg"), image)
    visible = np.ones((FRAMES, 2))
    visible[list(HIDDEN), 0] = 0
    truth = StreamTruth(
        fps=FPS,
        width=WIDTH,
        height=HEIGHT,
        labels=("patch", "block"),
        boxes_xyxy=np.where(visible[..., None] > 0, boxes, np.nan),
        full_boxes_xyxy=boxes,
        visible=visible,
        targets=(PATCH,),
    )
    write_truth(folder, truth)
    return load_clip(folder)


def run(mode, clip, latency_s=0.5, model=None, **options):
    (published,) = follow(mode, clip, PipelineConfig(), model or OracleModel(clip.truth, EXACT), latency_s, **options)
    assert len(published.ids) == FRAMES
    return published


def test_the_model_alone_shows_the_box_of_an_image_that_is_past_and_holds_it(clip):
    shown = run("model", clip, 0.5)
    assert not shown.ids[:15].any(), "the first reply comes 0.5 s after the first image"
    assert shown.boxes_xyxy[15] == pytest.approx(clip.truth.boxes_xyxy[0, 0])
    for index in np.flatnonzero(shown.ids):
        of = index - round(shown.ages_ms[index] * FPS / 1000)
        assert shown.boxes_xyxy[index] == pytest.approx(clip.truth.boxes_xyxy[of, 0])
    ages_ms = shown.ages_ms[np.isfinite(shown.ages_ms)]
    assert ages_ms.min() == pytest.approx(500, abs=1)
    assert 1000 <= ages_ms.max() + 1000 / FPS <= 1300, "until the reply to the next question, asked with a keyframe"


def test_the_model_alone_shows_nothing_after_it_has_said_none(clip):
    shown = run("model", clip, 0.05)
    hidden = np.array(HIDDEN)[12:]  # a keyframe and the latency later
    assert not shown.ids[hidden].any()
    assert shown.ids[80:].all()


def test_the_model_alone_holds_its_box_while_it_fails(clip):
    oracle = OracleModel(clip.truth, EXACT)
    model = ScriptedModel(
        lambda request: oracle.reply([request])[0], lambda request: said(request, ReplyStatus.FAILED, "out of memory")
    )
    shown = run("model", clip, 0.05, model)
    assert shown.ids[5:].all()
    assert shown.boxes_xyxy[-1] == pytest.approx(clip.truth.boxes_xyxy[0, 0])


def test_the_fast_loop_starts_on_the_true_box_and_asks_nobody(clip):
    shown = run("fast", clip, model=ScriptedModel(lambda request: pytest.fail("the model was asked")))
    assert shown.ids[0]
    assert shown.boxes_xyxy[0] == pytest.approx(clip.truth.boxes_xyxy[0, 0])
    assert float(iou(shown.boxes_xyxy[40], clip.truth.boxes_xyxy[40, 0])) > 0.7


def test_uncompensated_boxes_are_put_where_the_target_was(clip, monkeypatch):
    monkeypatch.setattr("vitron_ros.evaluation.stream_modes._Stopwatch.elapsed_ms", lambda watch: 7.0)
    shown = run("uncompensated", clip, 0.5)
    assert not shown.ids[:15].any()
    assert shown.boxes_xyxy[15] == pytest.approx(clip.truth.boxes_xyxy[0, 0]), "of frame 0, shown in frame 15"
    assert shown.ages_ms[15] == pytest.approx(507)
    assert shown.ages_ms[16] == 7, "between replies the fast loop's box is of the image itself"


def test_uncompensated_keeps_its_id_and_follows_on_where_the_model_says_none(clip):
    oracle = OracleModel(clip.truth, EXACT)
    model = ScriptedModel(
        lambda request: oracle.reply([request])[0], lambda request: said(request, ReplyStatus.ABSENT, "none")
    )
    shown = run("uncompensated", clip, 0.05, model)
    assert float(iou(shown.boxes_xyxy[40], clip.truth.boxes_xyxy[40, 0])) > 0.5
    assert set(run("uncompensated", clip, 0.5).ids) == {0, 1}


def test_the_pipeline_carries_the_same_replies_to_now_and_finds_the_target_again(clip):
    truth = clip.truth.of_object(0)
    shown = run("full", clip, 0.5)
    started = int(np.flatnonzero(shown.ids)[0])
    assert 15 <= started <= 25
    assert float(iou(shown.boxes_xyxy[started], clip.truth.boxes_xyxy[started, 0])) > 0.7
    full, alone, naive = (score(truth, run(mode, clip, 0.5)).auc for mode in ("full", "model", "uncompensated"))
    assert full > alone
    assert full > naive
    assert score(truth, shown).switches == 0
    assert score(truth, shown).recovered == score(truth, shown).returns == 1


def test_the_pipeline_started_on_a_box_is_told_no_words(clip):
    oracle = OracleModel(clip.truth, EXACT)
    model = ScriptedModel(lambda request: oracle.reply([request])[0])
    shown = run("full", clip, 0.2, model, from_box=True)
    assert shown.ids[0]
    assert {request.task for request in model.asked} == {Task.FOLLOW}


def test_where_nothing_is_found_nothing_is_published(clip):
    model = ScriptedModel(lambda request: said(request, ReplyStatus.ABSENT, "none"))
    for mode in ("model", "uncompensated", "full"):
        assert not run(mode, clip, 0.1, model).ids.any()


@pytest.mark.parametrize("mode", MODES)
def test_two_runs_differ_in_nothing_but_the_time_that_they_took(clip, mode):
    runs = [run(mode, clip, 0.2, OracleModel(clip.truth, OracleErrors())) for _ in range(2)]
    assert (runs[0].ids == runs[1].ids).all()
    assert (runs[0].is_seen == runs[1].is_seen).all()
    assert np.array_equal(runs[0].boxes_xyxy, runs[1].boxes_xyxy, equal_nan=True)


def ask(clip, *indices, task=Task.FIND, text="the patch", **values):
    frames = [frame for frame in clip.frames() if frame.index in indices]
    return ModelRequest(id="1", task=task, frames=tuple(frames), text=text, **values)


def test_the_oracle_tells_the_truth(clip):
    (reply,) = OracleModel(clip.truth, EXACT).reply([ask(clip, 40, 50, 62)])
    assert reply.status is ReplyStatus.OK
    assert reply.stamps_ns == tuple(clip.stamps_ns[[40, 50, 62]])
    assert reply.boxes_xyxy[[0, 2]] == pytest.approx(clip.truth.boxes_xyxy[[40, 62], 0])
    assert np.isnan(reply.boxes_xyxy[1]).all()


def test_the_oracle_follows_the_object_of_a_box_and_knows_no_other_words(clip):
    block = clip.truth.boxes_xyxy[0, 1]
    model = OracleModel(clip.truth, EXACT)
    follow_block = ask(clip, 0, 9, task=Task.FOLLOW, text="", box_xyxy=block + 3)
    nowhere = ask(clip, 0, 9, task=Task.FOLLOW, text="", box_xyxy=np.array([0.0, 90, 20, 110]))
    replies = model.reply([follow_block, nowhere, ask(clip, 0, text="the wall"), ask(clip, 50)])
    assert replies[0].boxes_xyxy[1] == pytest.approx(block)
    assert [reply.status for reply in replies[1:]] == [ReplyStatus.ABSENT, ReplyStatus.UNKNOWN, ReplyStatus.ABSENT]


def test_the_oracle_says_in_a_window_what_can_be_seen_there(clip):
    block = clip.truth.boxes_xyxy[0, 1]
    whole = ask(clip, 0, 9, task=Task.FOLLOW, text="", box_xyxy=block)
    windows = [(140, 60, 200, 120), (145, 75, 160, 90), (0, 0, 100, 100)]
    model = OracleModel(clip.truth, EXACT)
    all_of_it, cut, nothing = answers(model, [replace(whole, roi_xyxy=window) for window in windows])
    assert all_of_it.boxes_xyxy[1] == pytest.approx(block)
    assert cut.boxes_xyxy[1] == pytest.approx([150, 80, 160, 90])
    assert nothing.status is ReplyStatus.ABSENT


def test_the_oracle_errs_as_often_as_it_is_told(clip):
    model = OracleModel(clip.truth, OracleErrors(noise=0.1, miss=0.3, mistake=0.2))
    replies = model.reply([ask(clip, index) for index in range(FRAMES) if index not in HIDDEN])
    missed = [reply.status is ReplyStatus.ABSENT for reply in replies]
    boxes = np.array([reply.boxes_xyxy[0] for reply in replies if reply.boxes_xyxy is not None])
    assert 0.15 <= np.mean(missed) <= 0.45
    assert 2 <= (boxes[:, 1] > 60).sum() <= 25, "a mistake shows any object, half of the time the block"
    right = boxes[boxes[:, 1] < 60]
    assert 0.07 * SIDE <= (right[:, 1] - 20).std() <= 0.13 * SIDE


@pytest.mark.parametrize("values", [{"noise": -0.1}, {"noise": 1}, {"miss": 1.2}, {"miss": 0.6, "mistake": 0.5}])
def test_impossible_errors_are_refused(values):
    with pytest.raises(ConfigError):
        OracleErrors(**values)


def test_the_figures_are_means_over_targets_shares_of_clips_and_shares_of_returns():
    target = score_of(auc=0.2, switches=1, returns=2, recovered=1, ghosts=0.5)
    good = score_of(auc=0.8, switches=0, returns=1, recovered=1, ghosts=None)
    scores = [
        stream.ClipScore(clip="a", targets=(target, good), ages_ms=np.array([1.0, 3.0])),
        stream.ClipScore(clip="b", targets=(replace(good, returns=0, recovered=0),), ages_ms=np.array([2.0])),
    ]
    figures = stream.figures(scores)
    assert figures["auc"] == pytest.approx(0.6)
    assert figures["id_switch_free"] == 0.5
    assert figures["recovered_1s"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["ghosts"] == 0.5
    assert figures["box_age_p50_ms"] == 2
    assert (figures["clips"], figures["targets"], figures["returns"], figures["switches"]) == (2, 3, 3, 1)


def test_what_could_not_be_measured_is_null():
    scores = [stream.ClipScore(clip="a", targets=(score_of(),), ages_ms=np.array([]))]
    figures = stream.figures(scores)
    assert figures["recovered_1s"] is figures["ghosts"] is figures["box_age_p99_ms"] is None
    json.dumps(figures, allow_nan=False)


def score_of(**values):
    return stream.TargetScore(**{"auc": 0.5, "switches": 0, "returns": 0, "recovered": 0, "ghosts": None, **values})


def test_the_command_prints_modes_and_latencies_as_json(clip, capsys, tmp_path):
    folder, out = clip.paths[0].parents[2], tmp_path / "out"
    words = ["eval", "stream", str(folder), "--model", "oracle", "--model-latency-ms", "50,1000", "--json"]
    assert main([*words, "--out", str(out)]) == 0
    results = json.loads(capsys.readouterr().out)
    assert list(results) == list(MODES)
    assert all(list(by_latency) == ["50", "1000"] for by_latency in results.values())
    assert results["fast"]["50"] == results["fast"]["1000"]
    assert results["model"]["1000"]["box_age_p99_ms"] > results["model"]["50"]["box_age_p99_ms"] + 900
    assert {"auc", "id_switch_free", "recovered_1s", "box_age_p99_ms"} <= results["full"]["50"].keys()
    assert sorted(path.name for path in out.iterdir()) == ["fast", *(
        f"{mode}-{ms}ms" for mode in sorted(set(MODES) - {"fast"}) for ms in (1000, 50))]  # fmt: skip
    assert main([*words, "--out", str(out)]) == 0, "what is there is not done again"
    assert json.loads(capsys.readouterr().out) == results


def test_a_run_of_one_mode_is_reported_without_what_the_clock_said(clip, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")
    folder = clip.paths[0].parents[2]
    words = ["eval", "run", "stream", str(folder), "--out", str(tmp_path / "out"), "--model", "oracle"]
    assert main([*words, "--mode", "model", "--latency-ms", "50", "--oracle", "0,0,0"]) == 0
    document = write_report(tmp_path / "out")
    figures = document["figures"]["model, 50 ms"]
    assert figures["auc"] > 0.5
    assert not any(name.startswith("box_age") for name in figures)
    assert json.loads((tmp_path / "out" / "latency.json").read_text())["p99_ms"] > 50
    assert (tmp_path / "out" / "report.html").read_text().count("data:image/jpeg") == 1


def test_the_command_runs_a_data_set_of_boxes_with_and_without_the_model(clip, capsys, tmp_path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "frames").symlink_to(clip.paths[0].parent)
    lines = [f"{left(index)},20,{SIDE},{SIDE}" for index in range(FRAMES)]
    (tmp_path / "walk" / "groundtruth.txt").write_text("\n".join(lines))
    words = ["eval", "stream", str(tmp_path), "--model", "oracle", "--model-latency-ms", "200", "--box-init"]
    assert main([*words, "--fps", "30"]) == 0
    table = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in table[:3]] == ["mode", "fast", "full"]
    assert float(table[2][2]) > 0.5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model-latency-ms", "fast"], "milliseconds"),
        (["--model-latency-ms", "-5"], "milliseconds"),
        (["--modes", "fast,quick"], "no mode quick"),
        (["--modes", "model", "--box-init"], "no mode model with --box-init"),
        (["--oracle-miss", "0.7", "--oracle-mistake", "0.7"], "probabilities"),
        (["--tracker", "nothing"], "nothing"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(clip, capsys, words, message):
    folder = clip.paths[0].parents[2]
    assert main(["eval", "stream", str(folder), "--model", "oracle", *words]) == 1
    assert message in capsys.readouterr().err
