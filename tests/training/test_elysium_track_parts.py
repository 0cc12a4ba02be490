"""The steps of the ElysiumTrack pipeline, each by itself."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import ScriptedModel, found, frame, said
from training.elysium_track.__main__ import main
from training.elysium_track.captioned_videos import read_captioned_videos
from training.elysium_track.collection import _Copies
from training.elysium_track.detections import Detections, detect
from training.elysium_track.filters import NamedTrack, detection_fault, duplicates, track_fault
from training.elysium_track.noun_phrases import NounPhrase, phrases_by_rules, phrases_by_spacy
from training.elysium_track.settings import Settings
from training.elysium_track.trajectories import Trajectory, largest_innovation
from vitron_ros.errors import ConfigError, ModelError, SourceError
from vitron_ros.grounding.request import ReplyStatus

# The phrases as a person marks them; "-" before one that does not name a single thing that can be seen.
CAPTIONS = {
    "A young woman is walking her dog along the beach.": ["young woman", "her dog", "-beach"],
    "Aerial view of a red car driving on a winding road": ["-aerial view", "red car", "winding road"],
    "Two old dogs with a ball in the park": ["-two old dogs", "ball", "-park"],
    "Close up of a man's hand holding a smartphone": ["man's hand", "smartphone"],
    "A red ball moves left while a blue mug stands still.": ["red ball", "blue mug"],
    "Happy family having a picnic": ["-happy family", "picnic"],
    "Cute cat sleeping on the sofa at home": ["cute cat", "sofa", "-home"],
    "A child waves; the dog barks at an old wooden boat": ["child", "dog", "old wooden boat"],
    "A brown horse runs through a field without a rider": ["brown horse", "-field"],
    "The chef cuts a fresh tomato with a sharp knife": ["chef", "fresh tomato", "sharp knife"],
    "Beautiful blonde girl in a white dress smiling": ["beautiful blonde girl", "white dress"],
    "An airplane landing at the airport at sunset": ["airplane", "airport", "-sunset"],
    "3 ducks swimming, 1 swan": ["-3 ducks", "swan"],
    "a parked bus next to a yellow taxi": ["parked bus", "yellow taxi"],
    "businessman typing on his laptop": ["businessman", "his laptop"],
    "The monkey looks happy. The monkey has a banana.": ["monkey", "banana"],
    "A slowly moving tram and no cars": ["moving tram"],
    "A group of people and a couple": ["-group", "-people", "-couple"],
    "": [],
    "!!! 12 ... 🙂": [],
}


@pytest.mark.parametrize(("caption", "expected"), CAPTIONS.items(), ids=lambda value: str(value)[:30])
def test_noun_phrases_of_captions(caption, expected):
    assert [("-" if one.unusable else "") + one.text for one in phrases_by_rules(caption)] == expected


@given(st.text(max_size=200))
def test_every_text_has_noun_phrases_or_none(text):
    phrases = phrases_by_rules(text)
    assert len({one.text for one in phrases}) == len(phrases)
    assert all(one.text and one.head for one in phrases)


def test_spacy_without_its_pipeline_is_a_sentence():
    with pytest.raises(ConfigError, match="install spacy and a pipeline with a parser"):
        phrases_by_spacy("no_such_pipeline")


def still(frames=20, box=(10.0, 10.0, 30.0, 50.0), step=(0.0, 0.0)):
    moves = np.arange(frames)[:, None] * np.tile(step, 2)
    return np.array(box) + moves


def seen(*boxes, score=0.9, rival=0.0):
    return Detections(np.array(boxes, float), np.full(3, score), np.full(3, rival))


BOX = (10.0, 10.0, 30.0, 50.0)


@pytest.mark.parametrize(
    ("detections", "fault"),
    [
        (seen(BOX, BOX, BOX), None),
        (seen(BOX, BOX, BOX, score=0.6), None),  # exactly at the threshold
        (seen(BOX, BOX, BOX, score=0.59), "not detected"),
        (seen(BOX, BOX, (np.nan,) * 4), "not detected"),
        (seen(BOX, BOX, BOX, rival=0.6), "ambiguous"),
        (seen(BOX, BOX, BOX, rival=0.59), None),
        (seen(BOX, (10, 10, 12, 50), BOX), "size"),
        (seen((0, 0, 160, 120), BOX, BOX), "size"),
    ],
)
def test_faults_of_detections(detections, fault):
    assert detection_fault(detections, 160, 120, Settings()) == fault


@pytest.mark.parametrize(
    ("boxes", "low_score", "last", "fault"),
    [
        (still(), 1.0, BOX, None),
        (still(), 0.1, BOX, "track score"),
        (still(step=(2, 0)), 1.0, (48, 10, 68, 50), None),
        (still(step=(2, 0)), 1.0, BOX, "disagreement"),
        (np.concatenate([still(10), still(10) + 100]), 1.0, (110, 110, 130, 150), "drift"),
        (np.concatenate([still(10), still(10) * [1, 1, 4, 4]]), 1.0, (10, 10, 120, 200), "drift"),
    ],
)
def test_faults_of_tracks(boxes, low_score, last, fault):
    scores = np.ones(len(boxes))
    scores[5] = low_score
    detections = seen(boxes[0], boxes[9], last)
    assert track_fault(Trajectory(boxes, scores), detections, (0, 9, 19), Settings()) == fault


def test_steady_motion_is_no_drift_and_a_leap_counts_by_its_length():
    rng = np.random.default_rng(0)
    steady = still(60, step=(1.5, 0.5)) + rng.normal(0, 0.5, (60, 4))
    leaps = [np.concatenate([steady[:30], steady[30:] + leap]) for leap in (5, 20, 40)]
    assert [largest_innovation(boxes) for boxes in (steady, *leaps)] == sorted(
        largest_innovation(boxes) for boxes in (steady, *leaps)
    )
    assert largest_innovation(steady) < 9.49


@pytest.mark.parametrize(
    ("tracks", "dropped"),
    [
        ([("ball", "ball", 0), ("red ball", "ball", 0)], {0}),  # the longer phrase says more
        ([("red ball", "ball", 0), ("blue ball", "ball", 0)], {1}),
        ([("red ball", "ball", 0), ("blue ball", "ball", 100)], set()),  # two balls
        ([("woman", "woman", 0), ("dancer", "dancer", 0)], set()),  # two names of one
        ([], set()),
    ],
)
def test_phrases_with_one_noun_and_one_track_are_duplicates(tracks, dropped):
    named = [NamedTrack(NounPhrase(text, head), still() + offset) for text, head, offset in tracks]
    assert duplicates(named, Settings()) == dropped


@given(st.lists(st.integers(0, 2**64 - 1), min_size=3, max_size=3), st.sets(st.integers(0, 63), max_size=8))
def test_a_video_is_a_copy_where_the_hashes_of_its_frames_are_near(hashes, flipped):
    """Whatever bits differ, the buckets lose no pair."""
    copies, bits = _Copies(4), sum(1 << bit for bit in flipped)
    assert not copies.is_copy(hashes)
    assert copies.is_copy([value ^ bits for value in hashes]) == (len(flipped) <= 4)


def test_phrases_are_detected_in_batches_of_the_model():
    model = ScriptedModel(found, max_requests=4)
    first, second = detect(model, [frame(0), frame(5), frame(9)], ["ring", "mug"])
    assert model.batches == [4, 2]
    assert [request.text for request in model.asked] == ["ring"] * 3 + ["mug"] * 3
    np.testing.assert_array_equal(first.boxes_xyxy[:, 0], [10, 15, 19])
    np.testing.assert_array_equal(second.scores, [0.9] * 3)


def test_what_is_absent_has_no_box_and_a_model_that_fails_ends_the_run():
    absent = ScriptedModel(lambda request: said(request, ReplyStatus.ABSENT))
    (nothing,) = detect(absent, [frame()] * 3, ["ring"])
    assert np.isnan(nothing.boxes_xyxy).all()
    assert not nothing.scores.any()
    with pytest.raises(ModelError, match="did not look for 'ring': out of memory"):
        detect(ScriptedModel(lambda request: said(request, ReplyStatus.FAILED, "out of memory")), [frame()], ["ring"])


def test_captions_are_read_from_a_table_lines_or_files_beside_the_videos(tmp_path):
    table = 'videoid,file,name\n7,b/10.mp4,"A ring,  and a mug"\n8,2.mp4,A car\n'
    lines = '{"video": "b/10.mp4", "caption": "A ring, and a mug"}\n{"file": "2.mp4", "caption": "A car"}\n'
    for folder, file, text in (("csv", "captions.csv", table), ("jsonl", "captions.jsonl", lines)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text(text)
    beside = tmp_path / "beside"
    (beside / "b").mkdir(parents=True)
    for name in ("2.mp4", "b/10.mp4"):
        (beside / name).touch()
    (beside / "2.txt").write_text("A car\n")
    (beside / "b" / "10.json").write_text(json.dumps({"caption": "A ring, and a mug"}))
    for folder in ("csv", "jsonl", "beside"):
        videos, problems = read_captioned_videos(tmp_path / folder)
        assert [(video.file, video.caption) for video in videos] == [
            ("2.mp4", "A car"),
            ("b/10.mp4", "A ring, and a mug"),
        ]
        assert not problems


def test_rows_that_cannot_be_used_are_named_and_the_rest_is_read(tmp_path):
    rows = ['{"file": "a.mp4", "caption": "A car"}', "not JSON", '{"file": "../b.mp4"}', '{"file": "/c.mp4"}',
            '{"file": 3}', '{"file": "a.mp4"}', '{"file": "d.mp4"}', "[1]"]  # fmt: skip
    (tmp_path / "captions.jsonl").write_text("\n".join(rows))
    videos, problems = read_captioned_videos(tmp_path)
    assert [(video.file, video.caption) for video in videos] == [("a.mp4", "A car"), ("d.mp4", "")]
    assert [problem.partition(", ")[2].partition(":")[0] for problem in problems] == [
        f"line {number}" for number in (2, 3, 4, 5, 6, 8)
    ]
    (tmp_path / "captions.jsonl").write_text("")
    with pytest.raises(SourceError, match="holds no captioned video"):
        read_captioned_videos(tmp_path)


def test_settings_outside_their_range_are_refused():
    with pytest.raises(ConfigError, match="min_agreement is"):
        Settings(min_agreement=1.5)
    with pytest.raises(ConfigError, match="below min_frames"):
        Settings(max_frames=8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "holds no captioned video"),
        (["--tracker=tortoise"], "there is no tracker 'tortoise'"),
        (["--min-detection=1.5"], "min_detection is 1.5; it must be at most 1.0"),
        (["--max-frames=4"], "max_frames is 4, below min_frames 16"),
    ],
)
def test_what_a_person_can_mend_is_a_sentence(tmp_path, capsys, options, words):
    assert main([str(tmp_path), f"--out={tmp_path / 'out'}", "--model=vitron-tiny", *options]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
