"""Records: what each reader makes of its entries, which ones are refused, and in which order they come."""

import json
import logging
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from base_models import write_clip, write_llama
from hypothesis import given, settings
from hypothesis import strategies as st
from miniature_data import BOX, COUNT, REPLY, write_image, write_records

from training.annotations import (
    AnnotatedMedia,
    Phrase,
    Regions,
    Sentence,
    TrackedObject,
    Tracks,
    fractions,
    from_json,
    to_json,
)
from training.assemble import PROFILES, assemble
from training.config import ClipsConfig, LossWeightsConfig, RecordsConfig, TrainConfig
from training.data import BATCHES_BEFORE_DOUBT, Batch, BrokenRecords, load_batches
from training.errors import RecordError
from training.media import read_frames
from training.mixing import BLOCK, Mixture, block_counts, shuffled
from training.packing import IGNORE
from training.record_batches import RecordBatches, record_questions
from training.records import Record, RecordTurn, draw_record
from training.sources import open_source
from training.training_module import TrainingModule
from vitron_ros.errors import ConfigError, SourceError
from vitron_ros.model.checkpoint import load_checkpoint
from vitron_ros.model.parsing import parse_reply

TASKS = {"conversations": "vqa", "captions": "caption", "regions": "rec", "tracks": "rsot"}


def config_of(folder: Path, reader: str = "conversations", **changes) -> RecordsConfig:
    values = {"reader": reader, "path": str(folder / f"{reader}.jsonl"), "media": str(folder / reader)}
    return RecordsConfig(**{"tasks": (TASKS.get(reader, ""),), **values, **changes})


def rounded(boxes):
    return tuple(box and tuple(round(value, 6) for value in box) for box in boxes)


def read(config: RecordsConfig, index: int, seed: int = 0) -> Record:
    return draw_record(open_source(config)[index], config, rng(seed))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    ("reader", "changes", "frames", "turns"),
    [
        (
            "conversations", {}, 1,
            [
                RecordTurn(task="vqa", text="What is it?", answer="A ring."),
                RecordTurn(task="conversation", text="Is it small?", answer="Yes."),
            ],
        ),
        ("captions", {}, 1, [RecordTurn(task="caption", answer="a small ring")]),
        ("captions", {"min_frames": 3, "max_frames": 3}, 3, [RecordTurn(task="caption", answer="a small ring")]),
        ("regions", {"tasks": ("rec",)}, 1, [RecordTurn(task="rec", text="the small ring", boxes=(BOX,))]),
        ("regions", {"tasks": ("reg",)}, 1, [RecordTurn(task="reg", box=BOX, answer="the small ring")]),
        (
            "tracks", {"min_frames": 4, "max_frames": 4, "max_interval": 60}, 4,
            [RecordTurn(task="rsot", text="a small ring", boxes=(BOX,) * 4)],
        ),
        (
            "tracks", {"tasks": ("video_reg",), "min_frames": 2, "max_frames": 2}, 2,
            [RecordTurn(task="video_reg", box=BOX, answer="a small ring")],
        ),
    ],
    ids=["conversations", "captions", "videos", "rec", "reg", "rsot", "video_reg"],
)  # fmt: skip
def test_each_reader_gives_frames_and_turns(tmp_path, reader, changes, frames, turns):
    config = config_of(tmp_path, reader, **changes)
    write_records(config, tmp_path)
    assert len(open_source(config)) == COUNT
    record = read(config, 1)
    assert [replace(turn, boxes=rounded(turn.boxes), box=rounded([turn.box])[0]) for turn in record.turns] == turns
    images = read_frames(record.media, record.frames)
    assert len(images) == record.frames == frames and images[0].ndim == 3


def test_frames_of_a_track_are_at_one_interval_that_fits_the_clip(tmp_path):
    config = config_of(tmp_path, "tracks", min_frames=3, max_frames=3, max_interval=60)
    write_records(config, tmp_path)
    seen = set()
    for seed in range(40):
        numbers = [int(path.stem) for path in read(config, 0, seed).media]
        first, second = np.diff(numbers)
        assert first == second
        seen.add(int(first))
    assert seen == {1, 2, 3, 4}, "nine frames have room for three at an interval of four"


def test_a_track_with_fewer_frames_than_are_asked_for_is_shown_whole(tmp_path):
    config = config_of(tmp_path, "tracks", min_frames=29, max_frames=29, max_interval=60)
    write_records(config, tmp_path)
    record = read(config, 0)
    assert [int(path.stem) for path in record.media] == list(range(9))
    assert record.frames == len(record.turns[0].boxes) == 9


ENTRY = {
    "id": "x7",
    "image": "0.png",
    "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "."}],
}
TRACK = {
    "id": "x7", "vid": "clip", "frames": ["0.png", "0.png"], "box": [list(BOX), list(BOX)], "frame_size": [40, 30],
    "object_class": "ring", "object_description": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("reader", "entry", "sentence"),
    [
        ("conversations", {**ENTRY, "image": "../0.png"}, "is not a file of the media folder"),
        ("conversations", {**ENTRY, "image": "a\0b"}, "is not a file of the media folder"),
        ("conversations", {**ENTRY, "image": []}, "it has no image"),
        ("conversations", {"id": "x7", "conversations": ENTRY["conversations"]}, "it has no image or video"),
        ("conversations", {"id": "x7", "image": "0.png", "caption": "ring"}, "it has no conversations"),
        ("conversations", {**ENTRY, "conversations": []}, "it has no turn"),
        ("conversations", {**ENTRY, "conversations": ENTRY["conversations"][::-1]}, "do not alternate"),
        ("conversations", {**ENTRY, "conversations": ENTRY["conversations"][:1]}, "shorter"),
        ("conversations", {**ENTRY, "conversations": [{"from": "human"}, {"from": "gpt"}]}, "it has no 'value'"),
        (
            "conversations",
            {**ENTRY, "conversations": [ENTRY["conversations"][0], {"from": "gpt", "value": " "}]},
            "its answer is ' '; it must be text",
        ),
        (
            "conversations",
            {**ENTRY, "conversations": [ENTRY["conversations"][0], {"from": "gpt", "value": REPLY[:-30]}]},
            "its invocation cannot be read",
        ),
        ("conversations", [1], "it is 1, not a table"),
        ("conversations", {"id": "x7", "image": "0.png", "QA": [{"i": "", "q": "", "a": "a"}]}, "its question is ''"),
        ("conversations", {"id": "x7", "video": "0.mp4", "start": 1, "QA": []}, "about a part of its video"),
        ("regions", {"id": "x7", "image": "0.png", "caption": "ring", "box": [10**400, 0, 1, 1]}, "too large"),
        (
            "conversations",
            {**ENTRY, "conversations": [{"from": "human", "value": "<image>"}, {"from": "gpt", "value": "."}]},
            "its question is ''; it must be text",
        ),
        ("captions", {"id": "x7", "image": "0.png", "caption": ""}, "caption is ''; it must be text"),
        ("captions", {"id": "x7", "image": "0.png", "captions": []}, "it has no caption"),
        ("captions", {"id": "x7", "image": "0.png", "caption": "ring\ud800"}, "half of a character"),
        ("regions", {"id": "x7", "image": "0.png", "caption": "ring", "box": [0.5, 0.1, 0.2, 0.3]}, "is no box"),
        ("regions", {"id": "x7", "image": "0.png", "caption": "ring", "box": [10, 20, 50, 60]}, "is no box"),
        ("regions", {"id": "x7", "image": "0.png", "caption": "ring", "box": [0.5, 0.1]}, "not enough values"),
        ("regions", {"id": "x7", "image": "0.png", "phrases": [{"text": "ring", "boxes": []}]}, "it has no box"),
        ("tracks", {**TRACK, "box": [list(BOX)]}, "2 frames but 1 boxes"),
        ("tracks", {**TRACK, "frames": ["0.png"], "box": [list(BOX)]}, "1 frames, and 2 or more are asked for"),
        ("tracks", {**TRACK, "box": [None, list(BOX)]}, "no object in a frame that a clip could start with"),
        ("tracks", {**TRACK, "box": [[1.2, 0.1, 1.4, 0.2], list(BOX)]}, "box of frame 1, is outside the image"),
        ("tracks", {**TRACK, "frames": ["0.png", "1.png"]}, "1.png is missing; ElysiumTrack"),
        ("tracks", {**TRACK, "frames": ["../0.png", "0.png"]}, "should be paths inside"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(tmp_path, reader, entry, sentence):
    changes = {"tasks": ("sot",), "min_frames": 2, "max_frames": 2} if reader == "tracks" else {}
    config = config_of(tmp_path, reader, **changes)
    write_image(Path(config.media) / "0.png", 0)
    Path(config.path).write_text(json.dumps(entry) + "\n")
    with pytest.raises(RecordError, match=sentence):
        read(config, 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "holds no records"),
        ("[1, ", "cannot be read: .*; give JSON"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "pointer of Git LFS"),
        (None, r"jsonl is missing; it is at \S+"),
    ],
)
def test_a_file_without_records_is_refused(tmp_path, text, sentence):
    config = config_of(tmp_path, origin="it is at example.org")
    Path(config.media).mkdir()
    if text is not None:
        Path(config.path).write_text(text)
    with pytest.raises(SourceError, match=sentence):
        open_source(config)


def test_videochats_questions_are_asked_with_their_instruction(tmp_path):
    config = config_of(tmp_path, tasks=("video_qa",), max_questions=5)
    asked = [{"i": "Be brief.", "q": "Who?", "a": "A man."}, {"q": "Where?", "a": "Here."}]
    Path(config.media).mkdir()
    Path(config.path).write_text(json.dumps({"video": "0.mp4", "QA": asked}))
    record = read(config, 0)
    assert sorted((turn.text, turn.answer) for turn in record.turns) == [
        ("Be brief. Who?", "A man."),
        ("Where?", "Here."),
    ]
    assert not record.is_conversation


KEYS = ("conversations", "questions", "QA", "phrases", "sentences", "box", "caption", "captions", "objects", "text",
        "boxes", "from", "value", "i", "q", "a", "start")  # fmt: skip
JSON = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["human", "gpt", 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(KEYS), JSON, max_size=3))
def test_any_entry_is_an_annotation_or_an_error_of_its_own(entry):
    try:
        to_json(from_json(entry))
    except RecordError as error:
        assert str(error)


def test_a_list_and_lines_are_told_apart_by_what_is_in_them(tmp_path):
    config = config_of(tmp_path, "captions")
    write_records(config, tmp_path)
    lines = Path(config.path).read_text()
    Path(config.path).write_text(f" [{','.join(lines.splitlines())}]")
    as_list = [read(config, index) for index in range(COUNT)]
    Path(config.path).write_text(f"\n{lines}\n \n")
    assert as_list == [read(config, index) for index in range(COUNT)]


def test_an_image_that_is_missing_or_cut_is_named(tmp_path):
    config = config_of(tmp_path, "captions")
    write_records(config, tmp_path)
    (Path(config.media) / "0.png").unlink()
    (Path(config.media) / "1.png").write_bytes((Path(config.media) / "1.png").read_bytes()[:200])
    with pytest.raises(RecordError, match=r"cannot be read: .*surrogates"):
        read_frames((Path(config.media) / "\ud800.png",), 1)
    for index, sentence in enumerate(("0.png is missing", "1.png cannot be read: the png is cut off")):
        record = read(config, index)
        with pytest.raises(RecordError, match=sentence):
            read_frames(record.media, record.frames)


def test_shares_are_exact_and_every_record_comes_once_an_epoch():
    mixture = Mixture([3, 1], [30, 50], seed=5)
    places = [mixture[number] for number in range(3 * BLOCK)]
    counts = Counter(place.set for place in places)
    assert counts[0] / counts[1] == pytest.approx(3, rel=0.01)
    for chosen, size in ((0, 30), (1, 50)):
        records = [place.record for place in places if place.set == chosen]
        epochs = [records[start : start + size] for start in range(0, 4 * size, size)]
        assert all(sorted(epoch) == list(range(size)) for epoch in epochs)
        assert epochs[0] != epochs[1]
    assert places[1234] == Mixture([3, 1], [30, 50], seed=5)[1234], "of its number alone"
    assert places != [Mixture([3, 1], [30, 50], seed=6)[number] for number in range(3 * BLOCK)]
    assert sum(block_counts([1e-6, 1, 1])) == BLOCK and min(block_counts([1e-6, 1, 1])) == 1


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_a_shuffle_is_a_permutation(size):
    assert sorted(shuffled(place, size, "key") for place in range(size)) == list(range(size))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("assembled")
    write_clip(folder / "clip")
    write_llama(folder / "llama", context=400)
    assemble(PROFILES["vitron-7b"], vision=folder / "clip", language=folder / "llama", out=folder / "out")
    return load_checkpoint(folder / "out")


def stage_on(*records: RecordsConfig, **changes) -> TrainConfig:
    weights = LossWeightsConfig(pointer=0)
    return TrainConfig(records=records, records_per_batch=4, loss_weights=weights, **changes)


def batches_of(stage: TrainConfig, checkpoint) -> RecordBatches:
    return RecordBatches(stage, checkpoint.model.config, checkpoint.prompts, 2)


def test_every_answer_of_a_batch_is_a_label(tmp_path, checkpoint):
    config = config_of(tmp_path)
    write_records(config, tmp_path)
    batch = batches_of(stage_on(config), checkpoint)[0]
    tokenizer = checkpoint.tokenizer
    assert batch.images.shape == (4, 3, 28, 28) and not batch.broken
    labels = batch.packs.labels
    answers = [tokenizer.decode(row[row != IGNORE].tolist()).split() for row in labels]
    assert answers == [["A", "ring.", "Yes."]] * 4
    assert (batch.packs.segments == 0).any(dim=1).all(), "an image stands once, before both questions"
    assert batch.packs.segments.max() == 2


def test_a_batch_is_of_its_number_alone_and_names_what_it_leaves_out(tmp_path, checkpoint, caplog):
    config = config_of(tmp_path, "regions", tasks=("rec", "reg"))
    write_records(config, tmp_path)
    lines = Path(config.path).read_text().splitlines()
    too_long = {**json.loads(lines[3]), "caption": "ring " * 200}
    Path(config.path).write_text("\n".join([*lines[:2], "{", json.dumps(too_long), *lines[4:]]))
    batches = batches_of(stage_on(config), checkpoint)
    again = batches_of(stage_on(config), checkpoint)
    for number in (3, 0):
        assert np.array_equal(batches[number].images, again[number].images)
        assert np.array_equal(batches[number].packs.token_ids, again[number].packs.token_ids)
    found = [batches[number] for number in range(3)]
    broken = [reason for batch in found for reason in batch.broken]
    assert len(broken) == 4, "two of six records, twice"
    assert sum(len(batch.images) for batch in found) == 8
    assert any(reason.startswith(f"record 2 of {config.path}: it is not JSON") for reason in broken)
    assert any(reason.startswith(f"record 3 of {config.path}: it takes") for reason in broken)
    with caplog.at_level(logging.WARNING):
        assert len(list(load_batches(batches, range(3), 0))) == 3
    assert "4 records of 3 batches were left out" in caplog.text


def test_too_many_broken_records_end_the_run():
    broken = BrokenRecords()
    for _ in range(BATCHES_BEFORE_DOUBT - 1):
        broken.add(["record 'x7' is broken"], records=1, is_empty=False)
    with pytest.raises(SourceError, match="100 of 100 records cannot be used, the last of them: record 'x7'"):
        broken.add(["record 'x7' is broken"], records=1, is_empty=False)


def test_too_many_broken_records_end_the_run_at_the_next_one():
    broken = BrokenRecords()
    for number in range(BATCHES_BEFORE_DOUBT):
        broken.add(["record 'x7' is broken"] if number < 20 else [], records=1, is_empty=False)
    with pytest.raises(SourceError, match="21 of 101 records"):
        broken.add(["record 'x7' is broken"], records=1, is_empty=False)


@pytest.mark.parametrize(("records", "goes_on"), [(16, False), (32, True)])
def test_how_many_are_too_many_does_not_depend_on_the_size_of_a_batch(records, goes_on):
    """One in twenty: of 16 records one in each batch is more, of 32 it is less."""
    broken = BrokenRecords()
    try:
        for _ in range(2 * BATCHES_BEFORE_DOUBT):
            broken.add(["record 'x7' is broken"], records=records, is_empty=False)
    except SourceError:
        assert not goes_on
    else:
        assert goes_on


def test_a_batch_without_any_record_trains_nothing_and_the_run_goes_on(tmp_path, checkpoint):
    config = config_of(tmp_path, "captions")
    write_records(config, tmp_path)
    lines = Path(config.path).read_text().splitlines()
    Path(config.path).write_text("\n".join([lines[0], *["{"] * 5]))
    stage = replace(stage_on(config), records_per_batch=1)
    batches = list(load_batches(batches_of(stage, checkpoint), range(12), 0))
    assert [batch.packs is not None for batch in batches].count(True) == 2, "one of six records, twice"
    module = TrainingModule(checkpoint.model, checkpoint.tokenizer, stage)
    empty = next(batch for batch in batches if batch.packs is None)
    assert len(empty.broken) == 1 and module(empty).total.item() == 0


def test_a_run_whose_first_batches_are_all_empty_ends(tmp_path, checkpoint):
    config = config_of(tmp_path, "captions")
    Path(config.media).mkdir()
    Path(config.path).write_text("{}\n")
    with pytest.raises(SourceError, match="no record of the first 10 batches can be used; the last: record 0 of"):
        list(load_batches(batches_of(stage_on(config), checkpoint), range(20), 0))


def test_a_model_that_crops_images_is_refused(tmp_path, checkpoint):
    config = config_of(tmp_path)
    model = checkpoint.model.config
    with pytest.raises(ConfigError, match="fits images by crop"):
        RecordBatches(stage_on(config), replace(model, vision=replace(model.vision, fit="crop")), checkpoint.prompts, 2)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"records_per_batch": 0}, "records_per_batch is 0"),
        ({"loss_weights": LossWeightsConfig()}, "loss_weights.pointer needs clips of the worlds"),
        ({"clips": (ClipsConfig(tasks=("rec",)),)}, "clips and records are both there"),
        ({"records": ()}, "clips is empty, and so is records"),
    ],
)
def test_settings_that_do_not_go_with_records_are_refused(tmp_path, changes, sentence):
    values = {"records": (config_of(tmp_path),), "records_per_batch": 2, "loss_weights": LossWeightsConfig(pointer=0)}
    with pytest.raises(ConfigError, match=sentence):
        TrainConfig(**{**values, **changes})
    with pytest.raises(ConfigError, match="tasks names rec; records of conversations have"):
        config_of(tmp_path, tasks=("rec",))
    with pytest.raises(ConfigError, match="split is 'val'; conversations has no splits"):
        config_of(tmp_path, split="val")
    with pytest.raises(ConfigError, match="lasot has its images and videos below path"):
        config_of(tmp_path, "lasot", tasks=("sot",))


def regions(*phrases: Phrase, sentences: tuple[Sentence, ...] = ()) -> AnnotatedMedia:
    return AnnotatedMedia(id="x7", media=(Path("0.png"),), annotation=Regions(phrases, sentences))


RING, CUP, PAIR = (
    Phrase("the ring", (BOX,)),
    Phrase("a cup", ((0, 0, 1, 0.5),)),
    Phrase("two cats", (BOX, (0, 0, 1, 1))),
)


def test_several_questions_are_about_different_phrases(tmp_path):
    config = config_of(tmp_path, "regions", tasks=("rec", "reg"), max_questions=4)
    for seed in range(20):
        turns = draw_record(regions(RING, CUP, PAIR), config, rng(seed)).turns
        assert sorted(turn.text or turn.answer for turn in turns) == ["a cup", "the ring"], "one box is asked for"
    assert {turn.task for seed in range(20) for turn in draw_record(regions(RING), config, rng(seed)).turns} == {
        "rec", "reg",
    }  # fmt: skip


def test_a_grounded_caption_names_the_box_of_each_phrase(tmp_path, checkpoint):
    config = config_of(tmp_path, "regions", tasks=("grounded_caption",))
    sentence = Sentence("the ring and two cats", (RING, PAIR))
    record = draw_record(regions(RING, PAIR, sentences=(sentence,)), config, rng())
    [question] = record_questions(
        record, [np.zeros((9, 9, 3), np.uint8)], checkpoint.prompts, rng(), takes_regions=False
    )
    reply = parse_reply(question.answer)
    assert reply.text.startswith("the ring and two cats")
    assert [(box.label, box.box) for box in reply.boxes] == [("the ring", BOX), ("two cats", (0, 0, 1, 1))]
    with pytest.raises(RecordError, match="nothing to ask for by grounded_caption"):
        draw_record(regions(RING), config, rng())
    twice = Sentence("a cup and a cup", (CUP, CUP))
    with pytest.raises(RecordError, match="nothing to ask for"):
        draw_record(regions(CUP, sentences=(twice,)), config, rng())


def test_a_marked_box_of_less_than_a_pixel_is_refused(checkpoint):
    """The region encoder would refuse it in the middle of a step, and end the run."""
    sliver = RecordTurn(task="reg", box=(0.5, 0.5, 0.5001, 0.7), answer="a person")
    record = Record(media=(Path("0.png"),), frames=1, turns=(sliver,))
    for seed in range(4):
        with pytest.raises(RecordError, match="its marked box cannot be seen"):
            record_questions(record, [np.zeros((9, 9, 3), np.uint8)], checkpoint.prompts, rng(seed), takes_regions=True)
    kept = fractions([[[31.2, 4, 40, 20], [30, 4, 40, 20], [-5, 4, -1, 20]]], 32, 24)[0]
    assert np.isnan(kept).any(axis=1).tolist() == [True, False, True] and kept[1, 2] == 1


def test_a_clip_starts_where_its_object_is_marked(tmp_path):
    here, away = list(BOX), [np.nan] * 4
    first, second = [away, here, here, away], [away, away, here, here]
    objects = tuple(TrackedObject("", np.array(boxes)) for boxes in (first, second))
    clip = AnnotatedMedia(id="x7", media=tuple(Path(f"{n}.jpg") for n in range(4)), annotation=Tracks(objects))
    config = config_of(tmp_path, "tracks", tasks=("sot",), min_frames=2, max_frames=2)
    seen = Counter()
    for seed in range(60):
        record = draw_record(clip, config, rng(seed))
        [turn] = record.turns
        assert turn.box == turn.boxes[0] == BOX
        seen[record.media[0].stem, turn.boxes[1] is None] += 1
    assert set(seen) == {("1", False), ("2", True), ("2", False)}, "two objects, of which either may be followed"
    with pytest.raises(RecordError, match="no object that is described"):
        draw_record(clip, replace(config, tasks=("rsot",)), rng())
    with pytest.raises(RecordError, match="it is of tracks, which can be asked for rsot"):
        draw_record(clip, replace(config, reader="captions", tasks=("caption",)), rng())


@pytest.mark.parametrize("workers", [0, 2])
def test_any_number_of_processes_sees_the_same_order_and_so_does_a_resumed_run(tmp_path, checkpoint, workers):
    """As the trainer numbers batches: process r of n takes r, r + n, r + 2n, ... from the step that it starts with."""
    sets = [config_of(tmp_path, "captions"), config_of(tmp_path, "regions", tasks=("rec", "reg"), share=2.0)]
    for each in sets:
        write_records(each, tmp_path)
    stage = stage_on(*sets, seed=3)

    def of_rank(first: int, rank: int, size: int) -> list[bytes]:
        batches = load_batches(batches_of(stage, checkpoint), range(first + rank, 12, size), workers)
        return [fingerprint(batch) for batch in batches]

    def seen(first: int, size: int) -> list[bytes]:
        found = [of_rank(first, rank, size) for rank in range(size)]
        return [found[number % size][number // size] for number in range(12 - first)]

    alone = seen(0, 1)
    assert len(set(alone)) == 12
    for size in (2, 3):
        assert seen(0, size) == alone
    assert seen(6, 2) == alone[6:]


def fingerprint(batch: Batch) -> bytes:
    tensors = [batch.images, batch.packs.token_ids, batch.packs.labels, batch.packs.positions]
    return b"".join(np.ascontiguousarray(tensor).tobytes() for tensor in tensors)
