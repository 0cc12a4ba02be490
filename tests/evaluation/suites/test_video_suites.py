"""Suites of whole videos: a sentence's tube (VidSTG, HC-STVG), and all objects of a kind (MOT16, DanceTrack)."""

import json
import pickle
import zipfile

import numpy as np
import pytest

from tests.evaluation.datasets.miniature import write_json, write_mot_sequence, write_text
from tests.evaluation.suites.suite_run import report, run
from tests.fakes import said
from vitron_ros.cli.main import main
from vitron_ros.errors import MetricError, PredictionError
from vitron_ros.evaluation.predictions import FILE, TIMINGS, read_run
from vitron_ros.evaluation.report import write_report
from vitron_ros.evaluation.runner import Item
from vitron_ros.evaluation.suite import find_suite
from vitron_ros.evaluation.tasks.found_tubes import longest_run
from vitron_ros.grounding.request import ModelReply, ReplyStatus
from vitron_ros.images.codec import encode_jpeg
from vitron_ros.recordings.video_writer import VideoWriter

pytest.importorskip("matplotlib", reason="the extra `evaluation` is not installed")

FRAMES, WIDTH, HEIGHT = 40, 64, 48
BOX = [10, 10, 30, 40]


@pytest.fixture
def tubes(tmp_path):
    """A video of 40 frames in 20 s, so that all are shown; the target is seen in frames 10 to 29."""
    entry = {"bbox": [[10, 10, 20, 30]] * 20, "st_frame": 11, "img_num": FRAMES, "English": "she walks",
             "img_size": [HEIGHT, WIDTH]}  # fmt: skip
    write_json(tmp_path / "data/val_v2.json", {"1_abc.mp4": entry})
    (tmp_path / "data/video").mkdir()
    with VideoWriter(tmp_path / "data/video/1_abc.mp4", 2, (WIDTH, HEIGHT)) as writer:
        for index in range(FRAMES):
            writer.write(np.full((HEIGHT, WIDTH, 3), 5 * index, np.uint8), 1_000_000_000 + index * 500_000_000)
    return tmp_path / "data"


def seen_in(*shown):
    """A model that finds BOX in these frames, as their grey tells it."""

    def answer(request):
        indices = [round(float(frame.rgb.mean()) / 5) for frame in request.frames]
        boxes = np.array([BOX if index in shown else [np.nan] * 4 for index in indices], float)
        if np.isnan(boxes).all():
            return said(request, ReplyStatus.ABSENT)
        return ModelReply(id=request.id, task=request.task, status=ReplyStatus.OK, boxes_xyxy=boxes, score=0.9)

    return answer


def test_a_tube_is_the_longest_run_of_boxes(tubes, tmp_path, monkeypatch):
    found = [2, 3, *range(20, 35)]
    rows = run(monkeypatch, "hc-stvg", tubes, tmp_path / "out", seen_in(*found))
    (row,) = rows.values()
    assert row["frames"] == list(range(FRAMES))
    assert [index for index, box in enumerate(row["predicted_xyxy"]) if box] == found
    document, _ = report(tmp_path / "out")
    # 20..34 against 10..29: 10 frames in both, 25 in either; the boxes are the true ones.
    assert document["figures"]["tubedetr"] == {"m_tiou": 0.4, "m_viou": 0.4, "viou@0.3": 1, "viou@0.5": 0}
    assert document["figures"]["pg-video-llava"] == {"mean_spatial_iou": 0.5}
    assert document["by_group"]["tubedetr"]["declarative"]["samples"] == 1


def test_a_sentence_can_be_sent_to_another_process(tubes):
    (record,) = find_suite("hc-stvg").dataset.read(tubes, "val_v2")
    item = pickle.loads(pickle.dumps(Item("hc-stvg", {}, record, is_drawn=True)))
    assert item.name == "1_abc.mp4"
    assert np.array_equal(item.record.boxes_xyxy, record.boxes_xyxy, equal_nan=True)


def test_a_target_that_is_never_found_scores_0(tubes, tmp_path, monkeypatch):
    run(monkeypatch, "hc-stvg", tubes, tmp_path / "out", seen_in())
    figures = report(tmp_path / "out")[0]["figures"]
    assert set(figures["tubedetr"].values()) == {0} and figures["pg-video-llava"]["mean_spatial_iou"] == 0


def test_a_model_of_single_images_is_asked_once_a_frame(tubes, tmp_path, monkeypatch):
    run(monkeypatch, "hc-stvg", tubes, tmp_path / "out", seen_in(*range(10, 30)), uses_newest_frame_only=True)
    assert report(tmp_path / "out")[0]["figures"]["tubedetr"]["m_viou"] == 1
    assert len(json.loads((tmp_path / "out" / TIMINGS).read_text())["ms"]) == FRAMES


def test_a_missing_video_and_a_split_without_truth_are_rows(tubes, tmp_path, monkeypatch):
    write_json(tubes / "query_v2.json", {"1_abc.mp4": {"English": "hi"}})
    rows = run(
        monkeypatch, "hc-stvg", tubes, tmp_path / "query", seen_in(), "--split", "query_v2", exit_code=1
    )  # fmt: skip
    assert "the truth of this split is with its authors" in rows["1_abc.mp4"]["error"]
    (tubes / "video/1_abc.mp4").rename(tubes / "video/other.mp4")
    rows = run(monkeypatch, "hc-stvg", tubes, tmp_path / "out", seen_in(), exit_code=1)
    assert "1_abc.mp4" in rows["1_abc.mp4"]["error"]
    with pytest.raises(PredictionError, match="every sample failed"):
        write_report(tmp_path / "out")


def test_a_true_box_that_is_missing_within_its_span_is_refused_by_name(tubes, tmp_path, monkeypatch):
    run(monkeypatch, "hc-stvg", tubes, tmp_path / "out", seen_in(*range(10, 30)))
    path = tmp_path / "out" / FILE
    header, row = path.read_text().splitlines()
    changed = json.loads(row)
    changed["true_xyxy"][12] = None
    path.write_text(f"{header}\n{json.dumps(changed)}\n")
    with pytest.raises(MetricError, match=r"1_abc\.mp4: true has 4 values that are not finite"):
        write_report(tmp_path / "out")


@pytest.mark.parametrize(
    ("has_box", "span"),
    [("", (0, 0)), ("...", (0, 0)), ("xxx", (0, 3)), (".xx.xx", (1, 3)), ("x.xx", (2, 4)), ("xxx..", (0, 3))],
)
def test_longest_run(has_box, span):
    assert longest_run(np.array([letter == "x" for letter in has_box], bool)) == span


PERSONS = np.array([[40, 30, 80, 70], [100, 20, 130, 80]])
TRUE = ("1,41,31,40,40", "7,101,21,30,60")
ROWS = [f"{frame},{person},1,1,1" for frame in range(1, 13) for person in TRUE]


def persons(request):
    """Both persons, where they are in every image."""
    return ModelReply(
        id=request.id,
        task=request.task,
        status=ReplyStatus.OK,
        boxes_xyxy=np.repeat(PERSONS[:1].astype(float), len(request.frames), axis=0),
        candidates_xyxy=PERSONS.astype(float),
        candidate_scores=np.array([0.9, 0.8]),
        score=0.9,
    )


def write_persons(folder, rows, digits=6):
    """Two textured persons that stand still for 12 images."""
    write_mot_sequence(folder, rows, length=12, digits=digits, images=12)
    image = np.full((120, 160, 3), 90, np.uint8)
    for x_min, y_min, x_max, y_max in PERSONS:
        size = y_max - y_min, x_max - x_min, 3
        image[y_min:y_max, x_min:x_max] = np.random.default_rng(x_min).integers(0, 255, size)
    for path in (folder / "img1").iterdir():
        path.write_bytes(encode_jpeg(image, 95))


def test_all_persons_are_followed_under_ids_and_scored_as_trackeval_does(tmp_path, monkeypatch):
    write_persons(tmp_path / "data/train/MOT16-02", ROWS)
    rows = run(monkeypatch, "mot16", tmp_path / "data", tmp_path / "out", persons)
    tracks = rows["MOT16-02"]["tracks"]
    assert tracks[0] == [], "the first reply comes after 0.2 s"
    assert len({number for number, *_ in tracks[-1]}) == 2
    document, _ = report(tmp_path / "out")
    figures = document["figures"]["trackeval"]
    assert list(figures)[:3] == ["hota", "mota", "idf1"]
    found = sum(map(len, tracks))
    assert figures["fn"] == 24 - found and figures["fp"] == 0 and figures["switches"] == 0
    assert figures["mota"] == pytest.approx(found / 24, abs=1e-6)


def test_the_archive_of_motchallenge(tmp_path, monkeypatch):
    write_persons(tmp_path / "data/test/MOT16-01", None)
    run(monkeypatch, "mot16", tmp_path / "data", tmp_path / "out", persons, "--split", "test")
    with pytest.raises(PredictionError, match="vitron eval submit"):
        write_report(tmp_path / "out")
    assert main(["eval", "submit", str(tmp_path / "out")]) == 0
    with zipfile.ZipFile(tmp_path / "out/submission.zip") as archive:
        assert archive.namelist() == ["MOT16-01.txt"]
        line = archive.read("MOT16-01.txt").decode().splitlines()[-1].split(",")
    number, x, y, width, height = read_run(tmp_path / "out").rows[0]["tracks"][-1][-1]
    assert line == [
        "12",
        str(number),
        f"{x + 1:.2f}",
        f"{y + 1:.2f}",
        f"{width:.2f}",
        f"{height:.2f}",
        "1",
        *["-1"] * 3,
    ]


def test_dancetracks_archive_is_a_folder(tmp_path, monkeypatch):
    write_mot_sequence(tmp_path / "data/test/dancetrack0003", None, length=4, digits=8)
    write_text(tmp_path / "data/test_seqmap.txt", ["name", "dancetrack0003"])
    run(monkeypatch, "dancetrack", tmp_path / "data", tmp_path / "out", persons, "--split", "test")
    assert main(["eval", "submit", str(tmp_path / "out")]) == 0
    with zipfile.ZipFile(tmp_path / "out/submission.zip") as archive:
        assert archive.namelist() == ["tracker/dancetrack0003.txt"]
