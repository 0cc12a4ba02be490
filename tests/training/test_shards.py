"""Shards: the same batches as the folder that they were written from, and nothing but JSON, text, images and videos."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from miniature_data import BOX, GRIT, LAYOUTS, write_records, write_shards, write_tar

from training.annotations import Captions, Phrase, from_json, to_json
from training.config import READER_TASKS, RecordsConfig
from training.errors import RecordError
from training.media import read_frames
from training.mixing import Mixture
from training.records import draw_record
from training.shards import main
from training.sources import open_source
from training.sources.tar_index import NAME, PICKLES, write_index
from vitron_ros.errors import SourceError

JSON_READERS = ("conversations", "captions", "regions", "tracks")


def config_of(path: Path, reader: str, **changes) -> RecordsConfig:
    values = {"tasks": READER_TASKS[reader], "min_frames": 2, "max_frames": 4, "max_interval": 3, "max_questions": 2}
    return RecordsConfig(**{"reader": reader, "path": str(path), **values, **changes})


def shards_of(folder: Path, tasks: tuple[str, ...]) -> RecordsConfig:
    return config_of(folder, "shards", tasks=tasks)


def shown(config: RecordsConfig, places: int = 12) -> list:
    """The turns and frames of a run, by place."""
    source = open_source(config)
    mixture, found = Mixture([1], [len(source)], seed=5), []
    for place in range(places):
        rng = np.random.Generator(np.random.PCG64([5, place]))
        record = draw_record(source[mixture[place].record], config, rng)
        images = read_frames(record.media, record.frames)
        found.append((record.turns, [image.tobytes() for image in images]))
    return found


@pytest.mark.parametrize("reader", [*JSON_READERS, *LAYOUTS])
def test_shards_give_what_they_were_written_from(tmp_path, reader, capsys):
    if reader in LAYOUTS:
        LAYOUTS[reader](tmp_path / "set")
        config = config_of(tmp_path / "set", reader)
    else:
        config = config_of(Path("set.json"), reader, max_frames=1, min_frames=1)
        write_records(config, tmp_path)
        config = config_of(tmp_path / "set.json", reader)
    before = shown(config)
    assert main(["write", reader, config.path, "--out", str(tmp_path / "shards"), "--megabytes", "1"]) == 0
    assert ", 0 left out" in capsys.readouterr().out
    for path in (tmp_path / "set", tmp_path / "frames"):
        shutil.rmtree(path, ignore_errors=True)
    assert shown(shards_of(tmp_path / "shards", config.tasks)) == before


def test_a_shard_has_webdatasets_form_and_the_same_bytes_every_time(tmp_path):
    LAYOUTS["got10k"](tmp_path / "set")
    for name in ("a", "b"):
        assert main(["write", "got10k", str(tmp_path / "set"), "--out", str(tmp_path / name)]) == 0
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "b").iterdir())
    ]
    with tarfile.open(tmp_path / "a/00000.tar") as tar:
        assert tar.getnames()[:3] == ["000000000.json", "000000000.000000.jpg", "000000000.000001.jpg"]
        assert list(json.load(tar.extractfile("000000000.json"))) == ["id", "objects"]
    assert main(["write", "got10k", str(tmp_path / "set"), "--out", str(tmp_path / "a")]) == 1, "has shards already"


def test_a_new_shard_begins_when_one_is_full(tmp_path):
    config = config_of(Path("set.jsonl"), "regions")
    rng = np.random.default_rng(0)
    entries = []
    for number in range(5):
        image = io.BytesIO(rng.bytes(700_000)).getvalue()
        (tmp_path / f"{number}.png").write_bytes(image)
        entries.append(json.dumps({"id": number, "image": f"{number}.png", "box": BOX, "caption": "ring"}))
    (tmp_path / config.path).write_text("\n".join(entries))
    write = ["write", "regions", str(tmp_path / config.path), "--out", str(tmp_path / "shards"), "--megabytes", "1"]
    assert main(write) == 0
    assert len(list((tmp_path / "shards").glob("*.tar"))) == 3
    source = open_source(shards_of(tmp_path / "shards", ("rec",)))
    assert [source[index].id for index in range(len(source))] == ["0", "1", "2", "3", "4"]
    assert source[4].media[0].read_bytes() == image


def test_records_that_cannot_be_written_are_named_and_left_out(tmp_path, capsys, caplog):
    config = config_of(Path("set.jsonl"), "captions", max_frames=1, min_frames=1)
    write_records(config, tmp_path)
    lines = (tmp_path / "set.jsonl").read_text().splitlines()
    (tmp_path / "set.jsonl").write_text("\n".join([lines[0], "{", *lines[2:]]))
    (tmp_path / "3.png").unlink()
    assert main(["write", "captions", str(tmp_path / "set.jsonl"), "--out", str(tmp_path / "out")]) == 1
    assert "4 records of" in (told := capsys.readouterr().out) and "2 left out" in told
    assert "left out: record 1: it is not JSON" in caplog.text and "left out: record 3: " in caplog.text


def test_what_img2dataset_fetches_is_captions_or_regions_of_grit(tmp_path):
    for name, tasks in (("cc3m", ("caption",)), ("grit", ("rec", "reg"))):
        (tmp_path / name).mkdir()
        write_shards(RecordsConfig(reader="shards", path=name, tasks=tasks), tmp_path / name)
        source = open_source(shards_of(tmp_path / name, tasks))
        assert len(source) == 6 and source[4].id == "000010001"
        if name == "cc3m":
            assert source[4].annotation == Captions(("a small ring",))
        else:
            whole = ((0.0, 0.5, 1.0, 1.0),)
            assert source[4].annotation.phrases == (Phrase("a small ring", (BOX,)), Phrase("a table", whole))


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"[]", "holds no table"),
        (b"\xff", "cannot be read"),
        (b"{}", "it has no 'caption'"),
        (json.dumps({**GRIT, "ref_exps": [[0, 1]]}).encode(), "ref_exps cannot be read"),
        (json.dumps({**GRIT, "ref_exps": [[0, 5, 2, 2, 3, 3, 1]]}).encode(), "is no box"),
        (json.dumps({"objects": [{"text": "a", "boxes": [BOX, BOX]}]}).encode(), "1 frames and 2 boxes"),
    ],
)
def test_a_sample_that_cannot_be_used_is_an_error_of_its_own(tmp_path, entry, sentence):
    write_tar(tmp_path / "0.tar", [("a.json", entry), ("a.jpg", b"0"), ("b.json", b'{"caption": "ring"}')])
    assert write_index(tmp_path) == 2
    source = open_source(shards_of(tmp_path, ("caption",)))
    with pytest.raises(RecordError, match=sentence):
        source[0]
    with pytest.raises(RecordError, match="it has no image"):
        source[1]


@pytest.mark.parametrize("suffix", [*PICKLES, ".py", ""])
def test_a_tar_with_anything_else_is_refused(tmp_path, suffix, capsys):
    write_tar(tmp_path / "0.tar", [("a.json", b"{}"), (f"a{suffix}", b"0")])
    assert main(["index", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert f"0.tar holds 'a{suffix}'" in told and ("pickles are never read" in told) == (suffix in PICKLES)


def test_links_are_refused_and_names_are_not_opened(tmp_path):
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        link = tarfile.TarInfo("a.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(SourceError, match=r"holds 'a\.jpg'"):
        write_index(tmp_path)
    write_tar(tmp_path / "0.tar", [("../../a.json", b'{"caption": "ring"}'), ("../../a.jpg", b"picture")])
    write_index(tmp_path)
    assert open_source(shards_of(tmp_path, ("caption",)))[0].media[0].read_bytes() == b"picture"


def test_an_index_that_is_missing_damaged_or_of_other_shards_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"nowhere is missing; it is at \S+"):
        open_source(config_of(tmp_path / "nowhere", "shards", tasks=("caption",), origin="it is at example.org"))
    with pytest.raises(SourceError, match="holds no shard"):
        write_index(tmp_path)
    write_tar(tmp_path / "0.tar", [("a.json", b"{}"), ("a.jpg", b"0")])
    config = shards_of(tmp_path, ("caption",))
    with pytest.raises(SourceError, match=r"missing; run: python -m training\.shards index"):
        open_source(config)
    write_index(tmp_path)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole[:100])
    with pytest.raises(SourceError, match=r"damaged: .*; run: python -m training\.shards index"):
        open_source(config)
    (tmp_path / NAME).write_bytes(whole)
    write_tar(tmp_path / "0.tar", [("a.json", b"{}"), ("a.jpg", b"0" * 20_000)])
    with pytest.raises(SourceError, match=r"0\.tar is not as it was .*; run: "):
        open_source(config)
    (tmp_path / "0.tar").write_bytes(b"no tar")
    with pytest.raises(SourceError, match="is not a whole tar"):
        write_index(tmp_path)


def test_annotations_are_the_same_after_json(tmp_path):
    for reader in ("flickr30k", "lasot", "gqa", "coco-captions"):
        LAYOUTS[reader](tmp_path / reader)
        written = json.dumps(to_json(open_source(config_of(tmp_path / reader, reader))[0].annotation))
        assert json.dumps(to_json(from_json(json.loads(written)))) == written
