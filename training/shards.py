"""Writes records as shards, and indexes shards that others have written.

python -m training.shards write lasot data/lasot --out data/lasot_shards
python -m training.shards index data/cc3m
"""

import argparse
import io
import json
import logging
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from training.annotations import AnnotatedMedia, to_json
from training.config import READER_TASKS, RecordsConfig
from training.data import NAMED_BROKEN
from training.errors import RecordError
from training.media import read_media
from training.sources import Source, open_source
from training.sources.tar_index import NAME, write_index
from vitron_ros.cli.exit_code import DONE, FAILED, exit_code
from vitron_ros.cli.numbers import whole
from vitron_ros.errors import ConfigError

logger = logging.getLogger(__name__)
File = tuple[str, bytes]


def main(argv: Sequence[str] | None = None) -> int:
    """Writes or indexes shards; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m training.shards",
        description="Writes records as shards (tars with an index), or indexes shards of others.",
        epilog="example: python -m training.shards write lasot data/lasot --out data/lasot_shards",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write the records of a source as shards")
    write.add_argument("reader", choices=[name for name in READER_TASKS if name != "shards"], help="what the source is")
    write.add_argument("path", help="its file or folder")
    write.add_argument("--media", default="", help="folder of the images and videos of a JSON file")
    write.add_argument("--split", default="", help="of an official layout; by default that for training")
    write.add_argument("--out", type=Path, required=True, help="new folder of the shards")
    write.add_argument("--megabytes", type=whole(1, 10**6), default=1000, help="of a shard, about")
    index = commands.add_parser("index", help="index the shards of a folder")
    index.add_argument("folder", type=Path)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    return exit_code("shards", lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "index":
        print(f"{write_index(arguments.folder):,} samples in {arguments.folder / NAME}")
        return DONE
    config = RecordsConfig(
        reader=arguments.reader, path=arguments.path, media=arguments.media, split=arguments.split,
        tasks=READER_TASKS[arguments.reader],
    )  # fmt: skip
    written, broken = write_shards(open_source(config), arguments.out, arguments.megabytes * 10**6)
    print(f"{written:,} records of {arguments.path} in {arguments.out}, {broken:,} left out")
    return FAILED if broken else DONE


def write_shards(source: Source, out: Path, shard_bytes: int) -> tuple[int, int]:
    """Writes the records of a source, in their order, as tars of about `shard_bytes`, with an index.

    The bytes of images and videos are copied. The same source gives the same bytes. A record that cannot be read, or
    whose images are missing, is named in the log and left out.

    Returns:
        How many records were written, and left out.

    Raises:
        ConfigError: the folder has shards already.
        SourceError: no record can be used.
    """
    if any(out.glob("*.tar")):
        raise ConfigError(f"{out} has shards already; remove them, or give another folder")
    out.mkdir(parents=True, exist_ok=True)
    broken: list[str] = []
    samples = _samples(source, broken)
    number = 0
    sample = next(samples, None)
    while sample is not None:
        unfinished = out / "unfinished.tar.part"
        with tarfile.open(unfinished, "w", format=tarfile.USTAR_FORMAT) as tar:
            while sample is not None and (tar.offset == 0 or tar.offset < shard_bytes):
                for name, data in sample:
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, io.BytesIO(data))
                sample = next(samples, None)
        unfinished.rename(out / f"{number:05d}.tar")
        number += 1
    for reason in broken[:NAMED_BROKEN]:
        logger.warning("left out: %s", reason)
    return write_index(out), len(broken)


def _samples(source: Source, broken: list[str]) -> Iterator[list[File]]:
    for index in range(len(source)):
        try:
            yield _sample(index, source[index])
        except RecordError as error:
            broken.append(f"record {index}: {error}")


def _sample(index: int, record: AnnotatedMedia) -> list[File]:
    """The files of a record. Raises RecordError if one cannot be read."""
    key = f"{index:09d}"
    entry = {"id": record.id, **to_json(record.annotation)}
    files = [(f"{key}.json", json.dumps(entry).encode())]
    for number, media in enumerate(record.media):
        place = f".{number:06d}" if len(record.media) > 1 else ""
        files.append((f"{key}{place}{media.suffix.lower()}", read_media(media)))
    return files


if __name__ == "__main__":
    sys.exit(main())
