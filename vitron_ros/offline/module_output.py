"""The results of a module as files: PNG, H.264 in MP4, or a recording in MCAP."""

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vitron_ros.clock import SECOND_NS
from vitron_ros.errors import SourceError
from vitron_ros.frame import Image
from vitron_ros.home_folder import expanded
from vitron_ros.images.codec import encode_png
from vitron_ros.modules.module import BadJob, DiskFull, ModuleJob, ModuleResult
from vitron_ros.modules.settings import MIB
from vitron_ros.modules.timing import FRAME_RATE_HZ, result_stamps
from vitron_ros.offline.module_input import check_name
from vitron_ros.recordings.bag_messages import image_of
from vitron_ros.recordings.bag_writer import BagWriter
from vitron_ros.recordings.output import make_folder, write_bytes
from vitron_ros.recordings.video_writer import VideoWriter

FORMATS = ("png", "mp4", "mcap")
START_NS = SECOND_NS  # of a clip that was made from nothing, as of a video that is read


def check_formats(formats: Sequence[str]) -> None:
    """Raises BadJob for a format that is not written."""
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise BadJob(f"results are written as {', '.join(FORMATS)}, not as {unknown[0][:80]!r}")


def new_folder(folder: str, name: str) -> Path:
    """Where results of a name go.

    Raises:
        BadJob: nothing may be written, or the name is taken.
    """
    check_name(name)
    if not folder:
        raise BadJob("this node writes no files: set its parameter output_folder, or leave output empty")
    path = expanded(folder) / name
    if path.exists() or path.is_symlink():
        raise BadJob(f"there is a {name} in the output folder already; choose another name")
    return path


class DiskBudget:
    """What may be written. `check` raises DiskFull once the files are too large, or the disk has too little left.

    Args:
        folder: that the files are in.
        max_bytes: of all files.
        min_free_bytes: of the disk.
    """

    def __init__(self, folder: Path, max_bytes: int, min_free_bytes: int) -> None:
        self._folder, self._max_bytes, self._min_free_bytes = folder, max_bytes, min_free_bytes
        self._sizes: dict[Path, int] = {}
        self._used = 0

    def check(self, path: Path) -> None:
        """Count a file, or a folder of a few, that was written or has grown."""
        size = sum(file.stat().st_size for file in ([path] if path.is_file() else path.glob("*")))
        self._used += size - self._sizes.get(path, 0)
        self._sizes[path] = size
        if self._used > self._max_bytes:
            raise DiskFull(f"the results take more than max_output={self._max_bytes // MIB} MiB; ask for fewer files")
        free = shutil.disk_usage(self._folder).free
        if free < self._min_free_bytes:
            raise DiskFull(
                f"{free // MIB} MiB are free where results are written, min_free_disk={self._min_free_bytes // MIB} "
                "must stay; free space"
            )


def write_results(
    target: Path,
    job: ModuleJob,
    result: ModuleResult,
    formats: Sequence[str] = (),
    *,
    max_bytes: int = 2**40,
    min_free_bytes: int = 0,
) -> Path:
    """The new folder with the files; there is none where writing fails.

    Args:
        formats: some of `FORMATS`; empty: PNG for one image, MP4 and PNG for a clip.

    Raises:
        DiskFull: there is too little room.
        SourceError: the folder cannot be written.
    """
    stamps_ns = [stamp_ns for stamp_ns, _ in result_stamps(job, result, START_NS)]
    chosen = formats or (("png",) if len(stamps_ns) == 1 else ("mp4", "png"))
    with _whole_folder(target) as folder:
        budget = DiskBudget(folder, max_bytes, min_free_bytes)
        budget.check(folder)
        for kind, pictures in (("image", result.images), ("mask", result.masks)):
            if not pictures:
                continue
            if "png" in chosen:
                _write_pngs(folder, kind, pictures, budget)
            if "mp4" in chosen:
                _write_film(folder / f"{kind}s.mp4", pictures, stamps_ns, budget)
        if "mcap" in chosen:
            _write_recording(folder / "recording", result, stamps_ns, budget)
    return target


@contextmanager
def _whole_folder(target: Path) -> Iterator[Path]:
    """A folder beside the target, which becomes it in the end, or goes."""
    make_folder(target.parent)
    part = target.with_name(f".{uuid.uuid4().hex}.part")
    make_folder(part)
    try:
        yield part
        try:
            part.rename(target)
        except OSError as error:
            raise SourceError(f"{target} cannot be made: {error.strerror}; choose another name") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_pngs(folder: Path, kind: str, pictures: Sequence[Image], budget: DiskBudget) -> None:
    for index, picture in enumerate(pictures):
        name = f"{kind}.png" if len(pictures) == 1 else f"{kind}s/{index:06}.png"
        write_bytes(folder / name, encode_png(picture))
        budget.check(folder / name)


def _write_film(path: Path, pictures: Sequence[Image], stamps_ns: Sequence[int], budget: DiskBudget) -> None:
    height, width = pictures[0].shape[:2]
    with VideoWriter(path, FRAME_RATE_HZ, (width, height)) as writer:
        for picture, stamp_ns in zip(pictures, stamps_ns, strict=True):
            writer.write(picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1), stamp_ns)
            budget.check(path)
    budget.check(path)  # with the images that the encoder held back


def _write_recording(path: Path, result: ModuleResult, stamps_ns: Sequence[int], budget: DiskBudget) -> None:
    with BagWriter(path) as writer:
        for index, stamp_ns in enumerate(stamps_ns):
            for topic, pictures in (("images", result.images), ("masks", result.masks)):
                if pictures:
                    writer.write(topic, image_of(pictures[index], stamp_ns), stamp_ns)
            budget.check(path)
    budget.check(path)  # with the last chunk and the index
