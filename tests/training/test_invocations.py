"""Invocation data: whatever is written parses into what was meant, and its text asks for it."""

import json
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.grounding.families.fake_server import FakeServer, parts
from training.annotations import from_json, to_json
from training.config import RecordsConfig
from training.errors import RecordError
from training.invocations.__main__ import main
from training.invocations.checks import problem, reply_text
from training.invocations.generation import Amounts, generate
from training.invocations.paraphrase import reworded
from training.invocations.samples import (
    _ACTS,
    KINDS,
    Sample,
    absent_sample,
    forbidden_sample,
    scene_sample,
    thing_sample,
)
from training.invocations.subjects import Media, Scene, Subjects, Thing
from training.record_batches import record_questions
from training.records import draw_record
from training.sources import open_source
from vitron_ros.grounding.intent import read_intent
from vitron_ros.model.answers import Invocation
from vitron_ros.model.parsing import parse_reply
from vitron_ros.model.prompt_profile import PromptProfile

BOX = (0.0, 0.0, 1.0, 1.0)
IMAGE, CLIP = Media(("a.jpg",), False), Media(("t/0.jpg", "t/1.jpg"), True)
NAMES = ("man in the red coat", "left guy", "woman 2nd from left", "zebra farthest from you", "old man's bicycle",
         "empty chair next to the table", "giraffe", "his dog")  # fmt: skip
OF_SCENES = [kind for kind in KINDS if kind.of_scene]
OF_THINGS = [kind for kind in KINDS if not kind.of_scene]

coordinates = st.tuples(*[st.floats(0, 0.97, allow_nan=False)] * 2, *[st.floats(0.02, 1, allow_nan=False)] * 2)


@st.composite
def boxes(draw):
    x, y, width, height = draw(coordinates)
    return x, y, min(1.0, x + width), min(1.0, y + height)


@given(st.sampled_from(OF_THINGS), st.sampled_from(NAMES), boxes(), st.integers(0, 2**32))
def test_every_template_with_every_thing_parses_into_what_was_meant(kind, name, box, seed):
    sample = thing_sample(kind, Thing(CLIP if kind.of_clip else IMAGE, name, box), np.random.default_rng(seed))
    assert problem(sample) == "", sample
    invocation = parse_reply(reply_text(sample)).invocation
    assert invocation.module is kind.module
    assert (sample.mark == box) == kind.is_marked
    if invocation.region is not None:
        np.testing.assert_allclose(invocation.region, box, atol=0.006)


@given(st.sampled_from(OF_SCENES), st.integers(0, 2**32))
def test_every_template_with_a_caption_parses_into_what_was_meant(kind, seed):
    sample = scene_sample(kind, Scene(IMAGE, "two men play chess in the park"), IMAGE, np.random.default_rng(seed))
    assert problem(sample) == "", sample
    assert parse_reply(reply_text(sample)).invocation == Invocation(
        kind.module, ("generate: two men play chess in the park",)
    )


@given(st.sampled_from(["image segmentation", "image editing", "video segmentation", "video editing"]),
       st.sampled_from(NAMES), st.integers(0, 2**32))  # fmt: skip
def test_replies_that_decline_call_nothing(name_of_kind, name, seed):
    (kind,) = (kind for kind in KINDS if kind.name == name_of_kind)
    rng = np.random.default_rng(seed)
    absent, forbidden = absent_sample(kind, IMAGE, name, rng), forbidden_sample(kind, Thing(IMAGE, name, BOX), rng)
    for sample in (absent, forbidden):
        assert problem(sample) == "", sample
        assert parse_reply(reply_text(sample)).invocation is None
    assert not read_intent(forbidden.request).actions


def test_no_template_is_left_out_by_its_own_checks():
    for module, acts in _ACTS.items():
        kind = next(kind for kind in KINDS if kind.module is module)
        asked = set()
        for seed in range(100):
            sample = thing_sample(kind, Thing(IMAGE, "giraffe", BOX), np.random.default_rng(seed))
            assert problem(sample) == "", sample
            asked.add(sample.invocation.instructions[0].partition(":")[0])
        assert asked == {act.instructions[0].partition(":")[0] for act in acts}


def sample(**changes):
    whole = thing_sample(KINDS[1], Thing(IMAGE, "giraffe", (0.1, 0.2, 0.3, 0.4)), np.random.default_rng(0))
    return replace(whole, request="Cut out the giraffe.", **changes)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (sample(reply="It is at [1,2"), "cannot be parsed"),
        (sample(reply="<module>A</module>"), "cannot be parsed"),
        (sample(reply="See (0.1, 0.2, 0.3, 0.4)."), "cannot be parsed"),
        (sample(invocation=Invocation(KINDS[1].module, ("segmentation: a <region>",), None)), "cannot be parsed"),
        (sample(invocation=Invocation(KINDS[1].module, ("remove: giraffe",), None)), "does not understand"),
        (replace(sample(), request="The giraffe is tall."), "asks for nothing"),
        (replace(sample(), request="Do not cut out the giraffe."), "asks for nothing"),
        (replace(sample(), request="Remove the giraffe."), "asks for something else"),
        (replace(sample(), request="Cut out the zebra."), "asks for something else"),
        (replace(sample(), request="Cut out the giraffe. " + "x" * 400), "too long"),
        (replace(sample(), request="Cut out the giraffe.", is_forbidden=True), "does not forbid"),
    ],
)
def test_what_is_wrong_with_a_sample_is_said(bad, reason):
    assert reason in problem(bad)


def write(folder):
    phrases = {
        "a.jpg": ["man in the red coat", "his dog", "a tree"],
        "b.jpg": ["white car", "red thing, not the blue one"],
    }
    regions = [
        {"id": f"{file}{number}", "image": file, "box": [0.1, 0.2, 0.5 + 0.1 * number, 0.9], "caption": phrase}
        for file, said in phrases.items()
        for number, phrase in enumerate(said)
    ]
    regions.append({"id": "outside", "image": "a.jpg", "box": [0.1, 0.2, 1.5, 0.9], "caption": "a wall"})
    (folder / "regions.json").write_text(json.dumps(regions))
    captions = ["A dog runs.", "Two men play chess. They smile."]
    lines = [json.dumps({"id": n, "image": f"c{n}.jpg", "caption": text}) for n, text in enumerate(captions)]
    (folder / "captions.jsonl").write_text("\n".join(lines))
    tracks = [
        {
            "id": n,
            "frames": [f"t{n}/{i}.jpg" for i in range(9)],
            "box": [[0.1, 0.2, 0.4, 0.5]] * 9,
            "object_class": name,
            "object_description": name,
            "frame_size": [40, 30],
            "vid": str(n),
        }
        for n, name in enumerate(["brown horse", "a small boat"])
    ]
    tracks.append({**tracks[0], "id": "later", "box": [None, None, *tracks[0]["box"][2:]]})
    for track in tracks[:2]:
        for name in track["frames"]:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
    (folder / "tracks.jsonl").write_text("\n".join(map(json.dumps, tracks)))


def arguments(folder, out, *more):
    files = {"captions": "captions.jsonl", "regions": "regions.json", "tracks": "tracks.jsonl"}
    sources = [f"--source={reader}={folder / file}" for reader, file in files.items()]
    return [*sources, f"--media={folder}", f"--out={out}", "--count=12", "--absent=0.3", "--forbidden=0.1", *more]


def test_the_file_is_what_the_trainer_reads_and_the_same_each_time(tmp_path, capsys):
    write(tmp_path)
    assert main(arguments(tmp_path, tmp_path / "out.jsonl")) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["kinds"] == {kind.name: 12 for kind in KINDS}
    assert counts["unusable_records"] == 1
    assert set(counts["declines"]) == {"absent", "forbidden"}
    assert counts["different_requests"] > 0.8 * counts["samples"]
    config = RecordsConfig(path=str(tmp_path / "out.jsonl"), tasks=("invocation",))
    source = open_source(config)
    entries = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    read = [draw_record(source[index], config, np.random.default_rng(0)) for index in range(len(source))]
    assert len(read) == counts["samples"] == len(KINDS) * 12
    for record, entry in zip(read, entries, strict=True):
        (turn,) = record.turns
        assert turn.answer == entry["conversations"][1]["value"]
        assert turn.box == (tuple(entry["box"]) if "marked" in entry["kind"] else None)
        assert (len(record.media) in (7, 8)) == entry["kind"].startswith(("video s", "video e"))
    main(arguments(tmp_path, tmp_path / "again.jsonl"))
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "out.jsonl").read_bytes()


def test_what_a_reply_says_is_not_there_is_never_annotated_there(tmp_path):
    pairs = ("a", "red mug"), ("a", "dog"), ("b", "cup"), ("b", "dogs"), ("c", "car")
    things = [Thing(Media((file,), False), name, BOX) for file, name in pairs]
    found = generate(Subjects(image_things=things), Amounts(of_kind=80, absent=0.9, forbidden=0), 0)
    absent = {(one.media.files[0], *one.words) for one in found.samples if one.invocation is None}
    assert absent == {("a", "car"), ("b", "car"), ("c", "red mug"), ("c", "dog"), ("c", "cup"), ("c", "dogs")}


def test_captions_and_phrases_are_made_to_go_on_with(tmp_path):
    write(tmp_path)
    subjects = Subjects()
    subjects.read("captions", str(tmp_path / "captions.jsonl"), tmp_path)
    assert [scene.text for scene in subjects.scenes] == ["a dog runs", "two men play chess"]
    subjects.read("tracks", str(tmp_path / "tracks.jsonl"), tmp_path)
    clips = [(thing.name, len(thing.media.files)) for thing in subjects.clip_things]
    assert clips == [("brown horse", 8), ("small boat", 8), ("brown horse", 7)]
    assert subjects.clip_things[2].media.files[0] == "t0/2.jpg"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("regions", "is no source; write it like"),
        ("vqa-v2=data", "there are no phrases or captions in 'vqa-v2'"),
        ("unheard=data", "there are no phrases or captions in 'unheard'"),
    ],
)
def test_a_source_that_is_none_is_an_error_of_usage(tmp_path, capsys, source, words):
    assert main([f"--source={source}", f"--out={tmp_path / 'out.jsonl'}"]) == 2
    assert words in capsys.readouterr().err


def test_a_missing_source_is_a_sentence(tmp_path, capsys):
    assert main([f"--source=regions={tmp_path / 'none.json'}", f"--out={tmp_path / 'out.jsonl'}"]) == 1
    assert "none.json is missing" in capsys.readouterr().err


class Echo:
    def __init__(self, *replies: str | None) -> None:
        self.replies = list(replies)

    def reword(self, samples: list[Sample]) -> list[str | None]:
        return [self.replies.pop(0) for _ in samples]


def test_other_words_are_taken_only_where_they_pass_the_checks():
    replies = {
        "Could you cut the giraffe out of this picture?": "reworded",
        '"Segment the giraffe for me, please."': "reworded",
        None: "no answer",
        "Cut out the giraffe.": "the same words",
        "Cut out the animal.": "words are missing",
        "Remove the giraffe.": "the request asks for something else",
        "Sure! Here is a rewording of the giraffe request.": "the request asks for nothing",
        "Cut out the giraffe. <module>A</module>": "the request is too long, or has tags",
    }
    counts: Counter[str] = Counter()
    found = list(reworded([sample()] * len(replies), Echo(*replies), counts))
    assert counts == Counter(replies.values())
    assert [one.request for one in found][:3] == [
        "Could you cut the giraffe out of this picture?", "Segment the giraffe for me, please.", "Cut out the giraffe.",
    ]  # fmt: skip
    assert all(problem(one) == "" for one in found)


def test_a_model_server_rewords_what_it_can(tmp_path, capsys):
    write(tmp_path)

    def answer(body: dict) -> str:
        request = parts(body, "text")[1]
        is_plain = request.startswith(("Cut", "Segment", "Remove", "Delete", "Replace"))
        return f"Robot, {request[0].lower()}{request[1:]}" if is_plain else "I cannot do that."

    with FakeServer(answer) as server:
        assert main(arguments(tmp_path, tmp_path / "out.jsonl", f"--paraphraser={server.url}")) == 0
        asked = server.asked
    counts = json.loads(capsys.readouterr().out)
    assert len(asked) == counts["samples"] == sum(counts["paraphrases"].values())
    assert counts["paraphrases"]["reworded"] >= 1, counts
    requests = [
        json.loads(line)["conversations"][0]["value"] for line in (tmp_path / "out.jsonl").read_text().splitlines()
    ]
    assert sum("\nRobot, " in request for request in requests) == counts["paraphrases"]["reworded"]
    assert not any("I cannot do that" in request for request in requests)


def test_what_a_request_marks_is_a_region_of_its_question(tmp_path):
    spoken = [{"from": "human", "value": "<image>\nCut out this."}, {"from": "gpt", "value": reply_text(sample())}]
    entry = {"image": "a.jpg", "box": BOX, "conversations": spoken}
    (tmp_path / "calls.json").write_text(json.dumps([entry]))
    config = RecordsConfig(path=str(tmp_path / "calls.json"), tasks=("invocation",))
    (given,) = open_source(config)
    assert from_json(to_json(given.annotation)) == given.annotation
    record = draw_record(given, config, np.random.default_rng(0))
    builder = SimpleNamespace(profile=PromptProfile.built_in("vitron"))
    image = np.zeros((30, 40, 3), np.uint8)
    (question,) = record_questions(record, [image], builder, np.random.default_rng(0), takes_regions=True)
    assert question.turns[-1].regions == len(question.regions) == 1
    np.testing.assert_array_equal(question.regions[0].region.bounding_box(40, 30), [0, 0, 40, 30])
    with pytest.raises(RecordError, match="marks a region, and this model takes none"):
        record_questions(record, [image], builder, np.random.default_rng(0), takes_regions=False)
