"""Where each file of each sample lies in a folder of shards.

Shards are plain tars, `NAME.tar`, of samples after WebDataset's rule: files in a row whose names are the same up to the
first dot. The index beside them, `index.safetensors`, is made once. Only JSON, text, images and videos are indexed: a
tar with anything else is refused, pickles above all.
"""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from training.media import VIDEO_SUFFIXES, TarMember
from vitron_ros.errors import SourceError
from vitron_ros.natural_sort import natural_sorted

NAME = "index.safetensors"
COMMAND = "python -m training.shards index"
IMAGE_SUFFIXES = (".jpeg", ".jpg", ".png")
SUFFIXES = (".json", ".txt", *IMAGE_SUFFIXES, *VIDEO_SUFFIXES)
PICKLES = (".pickle", ".pkl", ".pth", ".pt", ".pyd", ".npy", ".npz")
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TarIndex:
    """N samples of M files in all.

    Attributes:
        shards: the tars.
        shard: (N,) number of the tar of each sample.
        starts: (N + 1,) number of the first file of each sample.
        offsets, sizes: (M,) bytes.
        suffixes: (M,) numbers in SUFFIXES.
    """

    shards: tuple[Path, ...]
    shard: Numbers
    starts: Numbers
    offsets: Numbers
    sizes: Numbers
    suffixes: Numbers

    def __len__(self) -> int:
        return len(self.shard)

    def files(self, index: int) -> list[TarMember]:
        """The files of a sample, in their order."""
        tar = self.shards[self.shard[index]]
        return [
            TarMember(tar, SUFFIXES[self.suffixes[number]], int(self.offsets[number]), int(self.sizes[number]))
            for number in range(self.starts[index], self.starts[index + 1])
        ]


def write_index(folder: Path) -> int:
    """Reads the headers of all tars of a folder and writes the index; returns the number of samples.

    Raises:
        SourceError: there is no tar, one is damaged, or holds what is not read.
    """
    paths = natural_sorted(folder.glob("*.tar"))
    if not paths:
        raise SourceError(f"{folder} holds no shard NAME.tar")
    shard: list[int] = []
    starts: list[int] = []
    files: list[tuple[int, int, int]] = []
    for number, path in enumerate(paths):
        before = None
        for key, *place in _files(path):
            if key != before:
                shard.append(number)
                starts.append(len(files))
            before = key
            files.append((place[0], place[1], place[2]))
    if not files:
        raise SourceError(f"the shards of {folder} hold no sample")
    offsets, sizes, suffixes = np.array(files, np.int64).T
    tensors = {
        "shard": np.array(shard, np.int64),
        "starts": np.array([*starts, len(files)], np.int64),
        "offsets": np.ascontiguousarray(offsets),
        "sizes": np.ascontiguousarray(sizes),
        "suffixes": np.ascontiguousarray(suffixes),
    }
    unfinished = folder / f"unfinished-{NAME}"
    save_file(tensors, unfinished, {"shards": json.dumps([(path.name, path.stat().st_size) for path in paths])})
    unfinished.rename(folder / NAME)
    return len(shard)


def read_index(folder: Path) -> TarIndex:
    """The index of a folder.

    Raises:
        SourceError: there is none, it is damaged, or the shards are others than when it was made.
    """
    path = folder / NAME
    if not path.is_file():
        raise SourceError(f"{path} is missing; run: {COMMAND} {folder}")
    try:
        with safe_open(path, "numpy") as file:
            shards = [(str(name), int(size)) for name, size in json.loads(file.metadata()["shards"])]
            arrays = {name: file.get_tensor(name) for name in ("shard", "starts", "offsets", "sizes", "suffixes")}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"{path} is damaged: {error}; run: {COMMAND} {folder}") from error
    for name, size in shards:
        tar = folder / Path(name).name
        if not tar.is_file() or tar.stat().st_size != size:
            raise SourceError(f"{tar} is not as it was when {path} was made; run: {COMMAND} {folder}")
    return TarIndex(tuple(folder / Path(name).name for name, _ in shards), **arrays)


def _files(path: Path) -> Iterator[tuple[str, int, int, int]]:
    """The files of a tar: key, offset, size and number of the suffix."""
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if member.isdir():
                    continue
                folder, _, name = member.name.rpartition("/")
                suffix = Path(name).suffix.lower()
                if not member.isreg() or suffix not in SUFFIXES:
                    what = "pickles are never read" if suffix in PICKLES else f"shards hold {', '.join(SUFFIXES)}"
                    raise SourceError(f"{path} holds {member.name[:100]!r}; {what}: write it without")
                yield f"{folder}/{name.partition('.')[0]}", member.offset_data, member.size, SUFFIXES.index(suffix)
    except (OSError, tarfile.TarError) as error:
        raise SourceError(f"{path} is not a whole tar: {error}; fetch or write it again") from error
